# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of ``k3s_registries_info``, for its module and its action plugin."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._info.unit import find_service
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import NODE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths

INFO_ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    distribution={"type": "str", "choices": ["", "k3s", "rke2"], "default": ""},
    node_role={"type": "str", "choices": ["", "server", "agent"], "default": ""},
    key={"type": "str", "no_log": True},
    certificate_files={"type": "list", "elements": "str", "default": []},
    certificate_pairs={"type": "list", "elements": "list", "default": []},
    cluster={"type": "str", "default": ""},
)
"""``distribution`` and ``node_role`` may be found out here: a node need not be one that the collection knows."""


def info_paths(parameters: dict[str, Any]) -> NodePaths:
    """The paths of the node as far as arguments and installed units tell.

    :raises Unsafe: for a path that must not be used.
    """
    distribution, node_role = find_service(parameters["distribution"], parameters["node_role"])
    return node_paths(
        distribution=distribution,
        node_role=node_role,
        service=parameters["service"] or "",
        config_dir=parameters["config_dir"] or "",
        data_dir=parameters["data_dir"] or "",
        cert_dir=parameters["cert_dir"] or "",
        registries_yaml=parameters["registries_file"] or "",
    )
