# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node asks registries about a change before it is made: one call, whatever is asked.

The code for it is not sent to nodes that ask nothing. It belongs to k3s_rollout, which can stage a node as well.
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
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import ASKED, REHEARSED

from . import rehearsal
from .run import Run

NOT_SAID = "the node has not said whether its registries take the new credentials"

_STAGE = tuple(ROLLOUT_ARGUMENTS["stage"]["options"])


class Said(NamedTuple):
    """``doubts`` are reasons for a restart after all, ``rehearsal`` is what it found, None with a ``problem``."""

    doubts: Sequence[str] = ()
    rehearsal: dict[str, Any] | None = None
    problem: str = ""


class Questions:
    """
    :param execute: runs k3s_rollout on the node with these arguments.
    :param node_arguments: what every module is told about the node, and what it must have.
    """

    def __init__(self, execute: Callable[[dict[str, Any]], dict[str, Any]], node_arguments: Mapping[str, Any]) -> None:
        self._execute = execute
        self._sent = {key: node_arguments[key] for key in (*NODE_ARGUMENTS, "prepared") if key in node_arguments}

    def ask(self, new_credentials: Sequence[str] | None = None, images: Mapping[str, Any] | None = None) -> Said:
        """
        :param new_credentials: the canary images, if the node is to try its new credentials.
        :param images: ``rehearse`` of k3s_rollout, if it is to rehearse.
        """
        sent = dict(self._sent)
        if new_credentials is not None:
            sent.update(ask=True, canary_images=new_credentials)
        if images is not None:
            sent["rehearse"] = images
        try:
            said = self._execute(sent)
            if said.get("failed"):
                raise _NoAnswer(str(said.get("msg") or "no reason given"))
            conform(said, {**ASKED, **REHEARSED}, "the node's answer")
            doubts = said["doubts"] if new_credentials is not None else []
            found = said["rehearsal"] if images is not None else None
        except _NoAnswer as problem:
            return Said([str(problem)], None, str(problem))
        except (AnsibleError, OddAnswer, KeyError) as problem:
            return Said(["the registries could not be asked: %s" % problem], None, str(problem))
        if found is not None and found.get("problem"):
            return Said(doubts, None, str(found["problem"]))
        return Said(doubts, None if found is None else _complete(found))


class _NoAnswer(Exception):
    pass


def with_staging(told: Mapping[str, Any], images: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The module, and its arguments, that stages a node as k3s_registries does with the arguments ``told``, and has it
    try credentials that are to change without a restart in the same call.

    :param images: the canary images.
    """
    stage = {key: told[key] for key in _STAGE if told.get(key) is not None}
    sent = {key: told[key] for key in (*NODE_ARGUMENTS, "prepared") if key in told}
    return "k3s_rollout", dict(sent, stage=stage, ask=True, canary_images=images)


_IMAGE: dict[str, Any] = {
    **dict.fromkeys(("image", "verdict", "before", "after", "endpoint", "cause", "message", "fix", "digest"), ""),
    "users": [], "allowed": False, "running": [],
}  # fmt: skip
_REHEARSAL: dict[str, Any] = {
    "problem": "", "refusal": "", "headline": "", "asked": 0, "stops": False, "unreadable": [], "effect": [],
    "counts": {}, "images": [],
}  # fmt: skip


def _complete(found: Mapping[str, Any]) -> dict[str, Any]:
    """A rehearsal with everything that belongs to one, whatever its node has left out."""
    complete = _filled(found, _REHEARSAL)
    complete["images"] = [_filled(item, _IMAGE) for item in complete["images"]]
    return complete


def _filled(given: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    return {**given, **{key: value for key, value in whole.items() if given.get(key) is None}}


def needs_restart(reasons: Sequence[str], doubts: Sequence[str]) -> list[str]:
    """The reasons for a restart of a node whose new credentials leave these doubts."""
    return [*reasons, "%s%s" % (NOT_LIVE, "; ".join(doubts))]


def enter(run: Run, host: str, asked_for: tuple[bool, bool], said: Said) -> None:
    """Enter in the run what a host has been told.

    :param asked_for: whether it has tried its new credentials, and whether it has rehearsed.
    """
    credentials, images = asked_for
    if credentials and host in run.rehearsal.to_ask:
        run.rehearsal.to_ask.remove(host)
    if credentials and said.doubts and host in run.hosts:
        seen = run.hosts[host]
        seen.live, seen.reach, seen.reasons = False, {}, needs_restart(seen.reasons, said.doubts)
    if images:
        rehearsal.enter(run, host, said.rehearsal, said.problem)
