# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a node is not what the inventory and the variables say it is, and what to do about it, in words."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple


class Contradiction(NamedTuple):
    """``what`` is ``role``, ``group``, ``distribution``, ``service``, ``data_dir``, ``registries_file``, ``units``,
    ``process`` or ``rancher``; ``stated`` is what the inventory or a variable says, or the file that Rancher writes,
    ``found`` what the node says, ``place`` where it says so."""

    what: str
    stated: str
    found: str
    place: str


#: What sets each of them.
_VARIABLES = {
    "distribution": "k3s_registries_distribution",
    "service": "k3s_registries_service",
    "data_dir": "k3s_registries_data_dir",
    "registries_file": "k3s_registries_file",
}
_PROGRAMS = {"k3s": "K3s", "rke2": "RKE2"}
_ARTICLES = {"server": "a server", "agent": "an agent"}


RANCHER_REFUSED = (
    "Set the registries in Rancher instead, in the cluster object's spec.rkeConfig.registries, and remove the host "
    "from the play. If you know that Rancher leaves this file alone, set k3s_registries_rancher_managed: warn"
)
RANCHER_WARNED = "Set the registries in Rancher instead, in the cluster object's spec.rkeConfig.registries"


def rancher(given: Mapping[str, Any]) -> str:
    """What is known of a node that Rancher provisions, without what to do about it."""
    return (
        "Rancher provisions this node (%(found)s, and there is %(place)s), and writes %(stated)s itself, also if it "
        "has no registries to write" % given
    )


def sentence(given: Mapping[str, Any], server_group: str = "server", agent_group: str = "agent") -> str:
    """What contradicts what, and where to fix it.

    :param given: a contradiction, as a named tuple's dict.
    """
    what, stated, found, place = (str(given[key]) for key in ("what", "stated", "found", "place"))
    groups = {"server": server_group, "agent": agent_group}
    if what == "role":
        return "the inventory has this host in the group %r, but %s runs %s. Move the host to the group %r" % (
            groups[stated],
            place,
            _ARTICLES[found],
            groups[found],
        )
    if what == "group":
        return (
            "the host is in neither of the groups %r and %r, but %s runs %s. Add it to the group %r, or remove it from "
            "the play" % (server_group, agent_group, place, _ARTICLES[found], groups[found])
        )
    if what == "units":
        return (
            "several services of K3s or RKE2 run or are enabled (%s), and only one of them can be right. Disable the "
            "others, or name the right one in k3s_registries_service" % found
        )
    if what == "process":
        return (
            "%s runs here, but no service started it (%s). Run it from a systemd unit or an OpenRC script, so that it "
            "can be restarted, or remove the host from the play" % (found, place)
        )
    if what == "rancher":
        return "%s. %s" % (rancher(given), RANCHER_REFUSED)
    if what == "distribution":
        return "k3s_registries_distribution is %s, but %s runs %s here. Set k3s_registries_distribution: %s for it" % (
            stated, place, _PROGRAMS.get(found, found), found
        )  # fmt: skip
    variable = _VARIABLES[what]
    text = "%s is %s, but the service that runs here is %s" if what == "service" else "%s is %s, but K3s uses %s"
    seen = text % (variable, stated, found) + (" (%s)" % place if what != "service" else "")
    return "%s. Set %s: %s, or leave it unset: it is found on the node" % (seen, variable, found)
