# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the collection's modules, from the role's variables.

A mapping of templates in the role's vars would say the same. It would be compiled anew for each task and host, since
every host has a process of its own, and that was a fifth of what the controller did for an unchanged node.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import with_days_as_text

_PREFIX = "k3s_registries_"
_NODE = ("distribution", "service", "config_dir", "data_dir", "cert_dir")
_APPLIED = (
    "state", "disable_default_endpoint", "embedded_registry", "system_default_registry", "credential_providers",
    "credential_store",
)  # fmt: skip
_IN_GROUPS = {(True, False): "server", (False, True): "agent", (True, True): "both", (False, False): "neither"}

#: The value of a variable by its name, None if it is not set.
Value = Callable[[str], Any]


def node(value: Value, host: str, groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What every module is told about a node: what the inventory says that it is.

    What the node really is, it says itself, and a contradiction stops before anything is written.
    """
    inside = [host in groups.get(value(_PREFIX + group), ()) for group in ("server_group", "agent_group")]
    return {
        "node_role": _IN_GROUPS[inside[0], inside[1]],
        "registries_file": value(_PREFIX + "file"),
        "cluster": "%s/%s" % (value(_PREFIX + "server_group"), value(_PREFIX + "agent_group")),
        **{option: value(_PREFIX + option) for option in _NODE},
    }


def config(value: Value) -> dict[str, Any]:
    """The configuration alone."""
    return {"config": with_days_as_text(value("k3s_registries"))}


def applied(value: Value) -> dict[str, Any]:
    """What a node must have. A setting whose variable is not set is left out: it says nothing."""
    given = {option: value(_PREFIX + option) for option in _APPLIED}
    # Whoever only compares puts nothing on the node.
    given["rancher_managed"] = "warn"
    return {**config(value), **{option: found for option, found in given.items() if found is not None}}


def wanted(value: Value) -> dict[str, Any]:
    """What a node must have, how it gets it, and how the rollout goes on."""
    apply, present = value(_PREFIX + "apply"), value(_PREFIX + "state") == "present"
    return {
        **applied(value),
        "rancher_managed": value(_PREFIX + "rancher_managed"),
        "adopt": value(_PREFIX + "adopt"),
        "keep_generations": value(_PREFIX + "keep_generations"),
        "live": apply == "live",
        "settle": apply == "settle",
        "canary_images": value(_PREFIX + "canary_images") if present else [],
        "rollout": {
            "agent_batch": value(_PREFIX + "agent_batch"),
            "canary": value(_PREFIX + "canary"),
            "follows": apply != "stage",
            "verifies": present and apply != "stage" and boolean(value(_PREFIX + "verify"), strict=False),
            # Whoever takes the registries away, or goes back, means it.
            "rehearse": value(_PREFIX + "rehearse") if present else "never",
            "rehearsed": value(_PREFIX + "rehearsed") if present else [],
        },
    }
