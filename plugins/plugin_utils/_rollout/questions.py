# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node asks registries about a change before it is made: about new credentials in the call that stages it, about
its images in a call of its own.

The code for it belongs to k3s_rollout, so that nodes that ask nothing are not sent it.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ansible.errors import AnsibleError
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.doubts import NOT_LIVE
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import (
    NODE_ARGUMENTS,
    ROLLOUT_ARGUMENTS,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import REHEARSED

NOT_SAID = "the node has not said whether its registries take the new credentials"
"""The doubt about credentials of which a node says that they need no restart, and nothing more."""

_STAGE = tuple(ROLLOUT_ARGUMENTS["stage"]["options"])
_IMAGE: dict[str, Any] = {
    **dict.fromkeys(("image", "verdict", "before", "after", "endpoint", "cause", "message", "fix", "digest"), ""),
    "users": [], "allowed": False, "running": [],
}  # fmt: skip
_REHEARSAL: dict[str, Any] = {
    "problem": "", "refusal": "", "headline": "", "asked": 0, "stops": False, "unreadable": [], "effect": [],
    "counts": {}, "images": [],
}  # fmt: skip


class Said(NamedTuple):
    """``rehearsal`` is what it found, None with a ``problem``."""

    rehearsal: dict[str, Any] | None = None
    problem: str = ""


def with_staging(told: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any]:
    """The arguments of k3s_rollout that stage a node as k3s_registries does with the arguments ``told``, and have it
    try credentials that are to change without a restart.

    :param images: the canary images.
    """
    stage = {key: told[key] for key in _STAGE if told.get(key) is not None}
    return dict(_about_the_node(told), stage=stage, canary_images=images)


def needs_restart(reasons: Sequence[str], doubts: Sequence[str]) -> list[str]:
    """The reasons for a restart of a node whose new credentials leave these doubts."""
    return [*reasons, "%s%s" % (NOT_LIVE, "; ".join(doubts))]


def rehearse(
    execute: Callable[[dict[str, Any]], dict[str, Any]], told: Mapping[str, Any], images: Mapping[str, Any]
) -> Said:
    """Have a node ask whether it could still pull its images.

    :param execute: runs k3s_rollout on the node with these arguments.
    :param told: what every module is told about the node, and what it must have.
    :param images: ``rehearse`` of k3s_rollout.
    """
    try:
        said = execute(dict(_about_the_node(told), rehearse=images))
        if said.get("failed"):
            return Said(problem=str(said.get("msg") or "no reason given"))
        conform(said, REHEARSED, "the node's answer")
        found = said["rehearsal"]
    except (AnsibleError, OddAnswer, KeyError) as problem:
        return Said(problem=str(problem))
    return Said(problem=str(found["problem"])) if found.get("problem") else Said(_complete(found))


def _about_the_node(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: told[key] for key in (*NODE_ARGUMENTS, "prepared") if key in told}


def _complete(found: Mapping[str, Any]) -> dict[str, Any]:
    """A rehearsal with everything that belongs to one, whatever its node has left out."""
    complete = _filled(found, _REHEARSAL)
    complete["images"] = [_filled(item, _IMAGE) for item in complete["images"]]
    return complete


def _filled(given: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    return {**given, **{key: value for key, value in whole.items() if given.get(key) is None}}
