# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a list of names gets."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import shortened


def test_few_names_are_all_there_and_many_are_counted() -> None:
    edges = ["edge-%03d" % number for number in range(1, 401)]
    assert shortened([]) == ""
    assert shortened(edges[:1]) == "edge-001"
    assert shortened(edges[:8]) == ", ".join(edges[:8])
    assert shortened(edges) == "edge-001, edge-002 and 398 more"
