# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments that several of the collection's modules take, in one place."""

from __future__ import annotations

from typing import Any

from .paths import NodePaths, node_paths

ROLES = ["", "server", "agent", "neither", "both"]
"""What the inventory says of a node's role: nothing, a group, or that it is in neither or in both."""

NODE_ARGUMENTS: dict[str, dict[str, Any]] = {
    "distribution": {"type": "str", "choices": ["k3s", "rke2"], "default": "k3s"},
    "node_role": {"type": "str", "choices": ROLES, "default": ""},
    "service": {"type": "str", "default": ""},
    "config_dir": {"type": "path", "default": ""},
    "data_dir": {"type": "path", "default": ""},
    "cert_dir": {"type": "path", "default": ""},
    "registries_file": {"type": "path", "default": ""},
    "settings_read": {"type": "dict"},
    "cluster": {"type": "str", "default": ""},
}
"""What says what a node is: see the documentation fragment of the same name."""

_REHEARSE: dict[str, dict[str, Any]] = {
    "images": {"type": "list", "elements": "str", "default": []},
    "allow": {"type": "list", "elements": "str", "default": []},
    "seconds": {"type": "float", "default": 60.0},
}

STAGE_ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    config={"type": "raw", "no_log": True},
    state={"type": "str", "choices": ["present", "absent", "previous"], "default": "present"},
    stage={"type": "bool", "default": False},
    live={"type": "bool", "default": False},
    settle={"type": "bool", "default": False},
    canary_images={"type": "list", "elements": "str", "default": []},
    adopt={"type": "bool", "default": False},
    validate_only={"type": "bool", "default": False},
    disable_default_endpoint={"type": "bool"},
    embedded_registry={"type": "bool"},
    system_default_registry={"type": "str"},
    keep_generations={"type": "int", "default": 3},
    rollout={
        "type": "dict",
        "options": {
            "agent_batch": {"type": "raw", "default": "1"},
            "canary": {"type": "str", "default": ""},
            "follows": {"type": "bool", "default": True},
            "verifies": {"type": "bool", "default": False},
            "rehearse": {"type": "str", "choices": ["never", "canary", "all"], "default": "never"},
            "rehearsed": {"type": "list", "elements": "str", "default": []},
        },
    },
    credential_providers={"type": "raw", "no_log": True},
    rehearse={
        "type": "dict",
        "options": dict(_REHEARSE, staged={"type": "dict"}, whole={"type": "bool", "default": False}),
    },
    credential_store={"type": "bool", "default": False, "no_log": False},
    prepared={"type": "str", "no_log": True},
    programs={"type": "dict"},
    rancher_managed={"type": "str", "choices": ["refuse", "warn"], "default": "refuse"},
    snapshot={"type": "str", "no_log": True},
    key={"type": "str", "no_log": True},
)

_STAGED_WITH = ("state", "settle", "adopt", "programs", "rancher_managed", "snapshot", "key")
"""What staging is told besides where it is a part of another call."""

ROLLOUT_ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    stage={"type": "dict", "options": {name: STAGE_ARGUMENTS[name] for name in _STAGED_WITH}},
    lease_holder={"type": "str", "default": ""},
    staged={"type": "dict", "default": {}},
    embedded_mirror={"type": "str"},
    live={"type": "bool"},
    rehearse={"type": "dict", "options": _REHEARSE},
    prepared={"type": "str", "no_log": True},
    restart_timeout={"type": "int", "default": 300},
    quorum_timeout={"type": "int", "default": 60},
    announce={"type": "bool", "default": False},
    hanging={"type": "list", "elements": "str", "default": []},
    on_failure={"type": "str", "choices": ["rollback", "keep"], "default": "rollback"},
    max_failures={"type": "int", "default": 0},
    canary_images={"type": "list", "elements": "str", "default": []},
    canary_timeout={"type": "int", "default": 120},
    agent_batch={"type": "raw", "default": "1"},
    batch_pause={"type": "int", "default": 0},
    stop_after={"type": "str", "default": ""},
    makes_way={"type": "bool", "default": False},
    cordon={"type": "bool", "default": False},
    force={"type": "bool", "default": False},
)

UPGRADE_ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    target_release={"type": "str", "required": True},
    image_files={"type": "list", "elements": "path", "default": []},
    release_url={"type": "str", "default": "https://github.com"},
    list_timeout={"type": "int", "default": 30},
    images={"type": "list", "elements": "str", "default": []},
    allow={"type": "list", "elements": "str", "default": []},
    system_default_registry={"type": "str", "default": ""},
    seconds={"type": "float", "default": 60.0},
    lists={"type": "dict"},
    key={"type": "str", "no_log": True},
)

LEASE_ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    state={"type": "str", "choices": ["held", "released"], "default": "held"},
    holder={"type": "str", "default": ""},
    renew_only={"type": "bool", "default": False},
    pull_secrets={"type": "bool", "default": False},
    max_failures={"type": "int", "default": 0},
    force={"type": "bool", "default": False},
)


def stated_paths(parameters: dict[str, Any]) -> NodePaths:
    """A node's paths as far as a module's parameters tell: what the controller knows without asking the node.

    :raises Unsafe: for a path that must not be used.
    """
    role = parameters["node_role"]
    return node_paths(
        distribution=parameters["distribution"],
        node_role=role if role in ("server", "agent") else "agent",
        service=parameters["service"] or "",
        config_dir=parameters["config_dir"] or "",
        data_dir=parameters["data_dir"] or "",
        cert_dir=parameters["cert_dir"] or "",
        registries_yaml=parameters["registries_file"] or "",
    )
