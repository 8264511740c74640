# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes make a verification fail, and which pass without being asked."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import fleet


def test_one_node_that_does_not_pass_is_enough() -> None:
    verdicts = [
        {"host": "a", "ok": True, "state": "loaded"}, {"host": "b", "ok": False, "state": "pending"},
        {"host": "c", "ok": True, "state": "stopped"},
    ]  # fmt: skip
    assert fleet.failed(verdicts) == ["b"]
    assert fleet.idle(verdicts) == ["c"]
