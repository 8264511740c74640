# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping new pods from a node while it restarts.

A node cordons itself, with its kubelet's credentials: those may change its own Node and no other, on agents as on
servers, so nothing is delegated. An annotation on the Node says which run has cordoned it, and only what bears it is
uncordoned. It is set and removed in the same write as the cordon, so a run that is killed leaves both or neither. A
note among the node's own files, written before that, tells the next run to look: the API is asked only if it is there.
"""

from __future__ import annotations

import json
import time
from typing import Any, Callable

from . import kubernetes
from .files import FileProblem
from .memory import Memory, stamp
from .paths import NodePaths

ANNOTATION = "k3sfleet.registries/cordoned-by"
_MANAGER = "k3sfleet-registries"
# A node that has just started is written by its kubelet and by several controllers.
_TRIES = 20
_PAUSE = 1.0


class NotPossible(Exception):
    """The Node could not be changed; the text says why."""


class _Away(NotPossible):
    """There was no answer, which may be another one later."""


def place(paths: NodePaths, memory: Memory, run: str, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Cordon the node, if it is not yet.

    :param run: names the run to people.
    :returns: whether it bears our cordon; False if somebody else has cordoned it.
    :raises NotPossible: if the API does not answer, or refuses.
    :raises FileProblem: if the note cannot be written.
    """
    for _again in range(_TRIES):
        node = _get(paths)
        if node is None:
            raise NotPossible("the API does not show the node %s" % kubernetes.node_name(paths))
        if _spec(node).get("unschedulable"):
            if _is_ours(node):
                memory.write_cordon_note(_annotation(node))
            return _is_ours(node)
        text = "%s, since %s" % (run or "a run without the rollout lease", stamp(time.time()))
        memory.write_cordon_note(text)
        try:
            if _patch(paths, node, text, {"unschedulable": True}):
                return True
        except NotPossible as problem:
            if not isinstance(problem, _Away):
                _forget(memory)
            raise
        sleep(_PAUSE / 10)
    raise NotPossible("the node's object in the API keeps being changed by others")


def lift(paths: NodePaths, memory: Memory, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Uncordon the node if the cordon is ours, and forget about it.

    :returns: whether it was cordoned by us until now.
    :raises NotPossible: if the API does not answer, or refuses. The note stays for the next run.
    """
    for _again in range(_TRIES):
        node = _get(paths)
        if node is None or not _annotation(node):
            _forget(memory)
            return False
        # Somebody may have uncordoned it by hand, which leaves the annotation, and cordoned it again since.
        ours = bool(_spec(node).get("unschedulable")) and _is_ours(node)
        if _patch(paths, node, None, {"unschedulable": None} if ours else {}):
            _forget(memory)
            return ours
        sleep(_PAUSE / 10)
    raise _Away("the node's object in the API keeps being changed by others")


def lift_until(
    paths: NodePaths, memory: Memory, deadline: float, sleep: Callable[[float], None], clock: Callable[[], float]
) -> tuple[bool, str]:
    """The same, again and again until ``deadline`` while the API does not answer.

    :returns: whether it was cordoned by us until now, and why it still is, "" if it is not.
    """
    while True:
        try:
            return lift(paths, memory, sleep), ""
        except NotPossible as problem:
            if not isinstance(problem, _Away) or clock() >= deadline:
                return False, str(problem)
        sleep(_PAUSE)


def lift_leftover(paths: NodePaths, memory: Memory, alive: bool, check_mode: bool) -> tuple[bool, str]:
    """Uncordon a node on which no commit comes, and which an earlier run has left cordoned.

    :returns: whether it was uncordoned, and what there is to say about it.
    """
    run = memory.cordon_note() or ""
    name = kubernetes.node_name(paths)
    said = "%s was cordoned by an earlier run (%s) and has stayed so" % (name, run)
    if check_mode:
        return False, "%s. A run without check mode uncordons it" % said
    why = "%s does not run" % paths.service
    if alive:
        lifted, why = lift_until(paths, memory, 0.0, time.sleep, time.monotonic)
        if not why:
            return lifted, "%s. It is uncordoned now" % said if lifted else ""
    return False, "%s, and it cannot be uncordoned now: %s. %s" % (said, why, by_hand(paths))


def by_hand(paths: NodePaths) -> str:
    """What to do about a node that stays cordoned."""
    return "The next run uncordons it, or run: kubectl uncordon %s" % kubernetes.node_name(paths)


def _forget(memory: Memory) -> None:
    try:
        memory.drop_cordon_note()
    except FileProblem:
        # The next run looks once more, and finds nothing.
        return


def _get(paths: NodePaths) -> dict[str, Any] | None:
    """The Node with the fields that kubectl hides, None if there is none."""
    outcome = kubernetes.kubectl(paths, "get", "--raw=/api/v1/nodes/" + kubernetes.node_name(paths))
    if outcome.ok:
        try:
            found = json.loads(outcome.out)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        raise _Away("the API answers with something that is not a Node")
    if "NotFound" in outcome.err:
        return None
    raise _problem(outcome.err)


def _patch(paths: NodePaths, node: dict[str, Any], annotation: str | None, spec: dict[str, Any]) -> bool:
    """Whether it was written; False if the Node has changed since it was read."""
    metadata = {
        # The version that was seen: the API refuses the change if somebody else was faster.
        "resourceVersion": _metadata(node).get("resourceVersion"),
        "annotations": {ANNOTATION: annotation},
    }
    wanted = {"metadata": metadata, **({"spec": spec} if spec else {})}
    outcome = kubernetes.kubectl(
        paths, "patch", "node", kubernetes.node_name(paths), "--type=merge", "--field-manager=" + _MANAGER,
        "--patch=" + json.dumps(wanted),
    )  # fmt: skip
    if outcome.ok:
        return True
    if any(word in outcome.err for word in ("Conflict", "NotFound", "modified")):
        return False
    raise _problem(outcome.err)


def _problem(said: str) -> NotPossible:
    text = said.strip() or "the API does not answer"
    return NotPossible(text) if "Forbidden" in text or "Invalid" in text else _Away(text)


def _is_ours(node: dict[str, Any]) -> bool:
    """Whether the cordon that is there is that of the annotation.

    The API keeps who has set a field last. An API that does not, or that has lost it, leaves the annotation to decide.
    """
    fields = [entry for entry in _metadata(node).get("managedFields") or [] if isinstance(entry, dict)]
    owners = {
        entry.get("manager")
        for entry in fields
        if "f:unschedulable" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }
    return bool(_annotation(node)) and (not owners or _MANAGER in owners)


def _annotation(node: dict[str, Any]) -> str:
    return str((_metadata(node).get("annotations") or {}).get(ANNOTATION) or "")


def _metadata(node: dict[str, Any]) -> dict[str, Any]:
    return node.get("metadata") or {}


def _spec(node: dict[str, Any]) -> dict[str, Any]:
    return node.get("spec") or {}
