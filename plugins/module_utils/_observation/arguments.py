# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of ``k3s_registries_info``, for its module and its action plugin."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import NODE_ARGUMENTS

INFO_ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    distribution={"type": "str", "choices": ["", "k3s", "rke2"], "default": ""},
    key={"type": "str", "no_log": True},
    certificate_files={"type": "list", "elements": "str", "default": []},
    certificate_pairs={"type": "list", "elements": "list", "default": []},
)
"""Without ``distribution`` and ``node_role`` nothing is stated: a node need not be one that the collection knows."""
