# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage: find out what a node needs, do at once what is safe at once, lay out the rest for the commit.

Safe at once is what no running K3s has to be restarted for: a change of certificate contents (containerd
reads them at every pull), of the text of registries.yaml that leaves the loaded configuration equal, and
everything on a node where K3s is not installed or was stopped on purpose.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import (
    files,
    health,
    kubernetes,
    live,
    loaded,
    placing,
    release,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generations import Generations
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import (
    OpenRC,
    ServiceProblem,
    ServiceState,
    Systemd,
    service_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor


class StageRefused(Exception):
    """The wanted state cannot work on this node; nothing has been touched."""


def pending_reasons(paths: NodePaths, desired: Desired, state: ServiceState, node_release: str) -> list[str]:
    """Why the running K3s does not have the wanted state loaded; empty when it has."""
    reasons: list[str] = []
    if desired.predictions and release.predictable(node_release):
        found = loaded.generated(paths)
        if not found.complete:
            reasons.append("K3s has not written containerd's config.toml")
        else:
            reasons.extend(loaded.differences(found, desired.predictions, desired.auth))
    else:
        # Before hosts.toml existed nothing that K3s generates tells which text it has read.
        reasons.extend(_newer_than_start(paths.registries_yaml, paths.service, desired, state))
    reasons.extend(_newer_than_start(paths.drop_in, paths.service, desired, state))
    return reasons


def _newer_than_start(path: str, service: str, desired: Desired, state: ServiceState) -> list[str]:
    wanted = next((item for item in desired.files if item.path == path), None)
    content = files.read(path).content
    if wanted is not None and content != wanted.content:
        return ["%s is to change" % path]
    if wanted is None and placing.is_ours(content):
        return ["%s is to go" % path]
    if wanted is not None and state.started and os.stat(path).st_mtime > state.started + 1:
        return ["%s is newer than the running %s" % (path, service)]
    return []


def template_that_drops_credentials(paths: NodePaths) -> str:
    """The custom containerd template in use that writes no credentials, "" when there is none.

    K3s prefers ``config-v3.toml.tmpl``; a template either extends K3s' base template or has to carry the
    credentials' stanza itself.
    """
    folder = os.path.dirname(paths.containerd_config)
    for name in ("config-v3.toml.tmpl", "config.toml.tmpl"):
        path = os.path.join(folder, name)
        content = files.read(path).content
        if content is not None:
            text = content.decode("utf-8", "replace")
            return "" if 'template "base"' in text or "registry.configs" in text else path
    return ""


def previous_state(paths: NodePaths) -> Desired | None:
    """The wanted state of the node before the last change, None when none is kept.

    On a node that has gone back already it is the one in place, so that a rollback over a fleet which was
    interrupted can be run again: it goes back once, not once more.

    :raises GenerationDamaged: when it cannot be read.
    """
    record = Memory(paths).record()
    number = record["generation"] if record["rolled_back"] else record["previous"]
    if number not in Generations(paths).numbers():
        return None
    desired = Generations(paths).desired(number)
    return replace(desired, settings=dict(desired.settings, rolled_back=True))


def stage(
    paths: NodePaths, desired: Desired, *, in_place: bool, check_mode: bool, adopt: bool = False
) -> dict[str, Any]:
    """Compare, and act as the module's text above says.

    :param in_place: put everything in place, whatever runs; the caller sees to the restart.
    :param adopt: refuse a registries.yaml of someone else's unless it is equal in effect.
    :returns: the module's result without its diff: see RETURN of the module k3s_registries.
    :raises StageRefused: when the node's release or its containerd template cannot do what is wanted.
    :raises FileProblem: when a file cannot be read or written.
    :raises ServiceProblem: when the init system does not answer.
    :raises NodeBusy: when another run is changing this node.
    """
    memory = Memory(paths)
    if check_mode:
        return _stage(paths, memory, desired, in_place, check_mode, adopt)
    with memory.locked():
        return _stage(paths, memory, desired, in_place, check_mode, adopt)


def _stage(
    paths: NodePaths, memory: Memory, desired: Desired, in_place: bool, check_mode: bool, adopt: bool
) -> dict[str, Any]:
    record = memory.record()
    changes = placing.changes(paths, desired, record)
    transaction = memory.transaction()
    state, service = _service(paths)
    result: dict[str, Any] = {
        "changed": bool(changes),
        "restart": False,
        "live": False,
        "reasons": [],
        "files": [{"path": change.path, "action": change.action} for change in changes],
        "service": paths.service,
        "service_state": state.state,
        "release": "",
        "node_name": "",
        "foreign": placing.is_foreign(paths, record),
        "registries": list(desired.registries),
        "generation": record["generation"],
        "health": {},
        "kept": "",
        "after": desired.description,
        "before": record["description"] if not placing.is_edited(paths, record) else _unknown_text(paths, record),
    }
    if state.state != "absent":
        result["release"] = release.installed(paths, keep=not check_mode)
        _refuse_what_cannot_work(paths, desired, result["release"])
        result["warnings"] = release.warnings(desired.shape, desired.settings, result["release"])

    if adopt and result["foreign"]:
        _refuse_what_is_not_equal(paths, desired, state, result["release"])
    if state.alive:
        reasons = []
        if transaction is not None:
            reasons.append("an earlier run ended in the middle (%s)" % transaction["step"])
        reasons.extend(pending_reasons(paths, desired, state, result["release"]))
        hanging = not reasons and _hangs_on_registries_yaml(paths, changes, state)
        if hanging:
            reasons.append("%s runs no containerd with the %s in place" % (paths.service, paths.registries_yaml))
        if reasons:
            result["reasons"] = reasons
            result["restart"] = True
            result["node_name"] = kubernetes.node_name(paths)
            if release.predictable(result["release"]):
                decided = live.plan(paths, desired, record, loaded.generated(paths), result["release"])
                if transaction is None and not hanging:
                    result["live"] = decided.texts is not None
                if decided.doubt:
                    result["reasons"].append("not without a restart: " + decided.doubt)
            result["health"] = _health(paths, state, service, memory, record, transaction)
            if not in_place:
                if not check_mode:
                    memory.write_candidate(desired.text())
                return result

    if check_mode:
        return result
    if changes or (transaction is not None and not state.alive):
        result["kept"] = _put_in_place(paths, memory, desired, record)
    elif _record_is_stale(record, desired, paths) and not desired.absent:
        placing.remember(paths, memory, desired, record["previous"])
    elif desired.absent and os.path.isdir(paths.state_dir) and not result["restart"]:
        result["kept"] = placing.forget(paths, memory)
    if not result["restart"] and not desired.absent:
        memory.drop_candidate()
    return result


def _hangs_on_registries_yaml(paths: NodePaths, changes: Sequence[placing.Change], state: ServiceState) -> bool:
    """Whether K3s was started with a file that someone has broken since it last came up.

    What it generated then still lies there and is as wanted, so only containerd's absence tells. A K3s that cannot read
    the file reads it anew every few seconds: the commit puts it right and sees it come up, without another restart.
    """
    touched = any(change.path == paths.registries_yaml for change in changes)
    return touched and not health.observe(paths, state).proven


def _service(paths: NodePaths) -> tuple[ServiceState, Systemd | OpenRC | None]:
    try:
        service = service_of(paths.service)
    except ServiceProblem:
        # An image being built, or a container without an init system: K3s cannot be running here.
        return ServiceState("absent", 0, 0.0, 0), None
    return service.state(), service


def _put_in_place(paths: NodePaths, memory: Memory, desired: Desired, record: dict[str, Any]) -> str:
    """Returns where :func:`placing.forget` has kept the registries.yaml from before the collection."""
    previous = placing.save_found(paths, memory, desired, record) if not desired.absent else 0
    placing.place(paths, desired, record)
    kept = placing.remember(paths, memory, desired, previous)
    memory.end_transaction()
    return kept


def _record_is_stale(record: dict[str, Any], desired: Desired, paths: NodePaths) -> bool:
    return record["description"] != desired.description or placing.is_edited(paths, record)


def _unknown_text(paths: NodePaths, record: dict[str, Any]) -> str:
    if files.read(paths.registries_yaml).content is None:
        return ""
    text = "# %s was not written by this collection, or edited since; its content may hold secrets and is not shown\n"
    return text % paths.registries_yaml


def _refuse_what_cannot_work(paths: NodePaths, desired: Desired, node_release: str) -> None:
    problems = release.lacking(desired.shape, desired.settings, node_release)
    if problems:
        raise StageRefused("; ".join(problems))
    if desired.auth:
        template = template_that_drops_credentials(paths)
        if template:
            raise StageRefused(
                "%s replaces K3s' containerd configuration and writes no registry credentials: containerd would never "
                'get those for %s. Begin the template with {{ template "base" . }}, or remove it'
                % (template, ", ".join(sorted(desired.auth)))
            )


def _refuse_what_is_not_equal(paths: NodePaths, desired: Desired, state: ServiceState, node_release: str) -> None:
    """Take someone else's registries.yaml over only when K3s makes the same of it.

    :raises StageRefused: with the difference, or why there is no telling.
    """
    file = paths.registries_yaml
    if not (state.alive and desired.predictions and release.predictable(node_release)):
        raise StageRefused(
            "%s was not written by this collection, and whether it is equal in effect cannot be seen: %s has to run, "
            "in a release that writes hosts.toml. Set k3s_registries_adopt: false to replace it" % (file, paths.service)
        )
    if state.started and os.stat(file).st_mtime > state.started + 1:
        raise StageRefused(
            "%s was not written by this collection and is newer than the running %s, which has not read it: restart "
            "that first, or set k3s_registries_adopt: false to replace the file" % (file, paths.service)
        )
    found = loaded.generated(paths)
    differences = loaded.differences(found, desired.predictions, desired.auth)
    if differences:
        shown = Redactor.of_tables(desired.auth.values())
        raise StageRefused(
            "%s was not written by this collection and is not equal in effect to k3s_registries: %s. Bring "
            "k3s_registries in line, or set k3s_registries_adopt: false to replace the file\n%s"
            % (
                file,
                "; ".join(differences),
                "\n".join(shown.lines(loaded.host_diff(found, desired.predictions[0]))),
            )
        )


def _health(
    paths: NodePaths,
    state: ServiceState,
    service: Systemd | OpenRC | None,
    memory: Memory,
    record: dict[str, Any],
    transaction: dict[str, Any] | None,
) -> dict[str, Any]:
    """How the node is before anything is done to it, and whether the pending change itself explains an illness."""
    seen = health.observe(paths, state)
    explained = False
    if not seen.healthy:
        edited = record["registries_sha256"] != "" and placing.is_edited(paths, record)
        unreadable = service is not None and any("server is not ready: yaml" in line for line in service.log(0.0, 20))
        explained = transaction is not None or edited or unreadable
    return {"healthy": seen.healthy, "sentence": seen.sentence(), "explained": explained}
