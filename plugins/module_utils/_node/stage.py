# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage: find out what a node needs, do at once what is safe at once, lay out the rest for the commit.

Safe at once is what no running K3s has to be restarted for: a change of certificate contents (containerd
reads them at every pull), of the text of registries.yaml that leaves the loaded configuration equal, and
everything on a node on which K3s is not installed or was stopped on purpose.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import staging
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity

from . import expectation, files, installed_release, placing
from .desired import SETTINGS, Desired
from .drop_in import drop_in_entries
from .generated import read_generated
from .generations import GenerationDamaged, Generations
from .memory import Memory
from .paths import NodePaths
from .service import OpenRC, ServiceState, Systemd, service_of
from .templates import read_templates

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import Prediction


WAITING = "the credentials for %s are in force without a restart, and K3s reads them at its next start"


class StageRefused(Exception):
    """The wanted state cannot work on this node; nothing has been touched."""


def pending_reasons(node: Identity, desired: Desired, node_release: str) -> list[str]:
    """Why the running K3s does not have the wanted state loaded; empty when it has."""
    reasons: list[str] = []
    paths, started = node.paths, node.service.started
    read = read_generated(paths)
    found = expectation.in_force(node, desired, node_release, read)
    if desired.manages_registries and not expectation.as_usual(node, desired, node_release, found):
        # Imported here, as below what an unchanged node, which is most nodes of most runs, does without.
        from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import explained
        from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import compare

        wanted = expectation.prediction(node, desired, node_release, found)
        if not wanted.certain:
            # Nothing that K3s has generated tells which text it has read.
            reasons.extend(_newer_than_start(paths.registries_yaml, paths.service, desired, started))
        elif not found.complete:
            reasons.append("K3s has not written containerd's config.toml")
        else:
            reasons.extend(explained.sentences(compare(found, wanted)))
            if found.headers and desired.settings.get("settle"):
                reasons.extend(_waiting(found, wanted))
            if found.auth is None and wanted.auth:
                # A template of the user's own writes the credentials: what containerd has of them cannot be told.
                reasons.extend(_newer_than_start(paths.registries_yaml, paths.service, desired, started))
    if desired.settings.get("settle") and found is not read:
        reasons.append(WAITING % "images of stored registries")
    reasons.extend(_newer_than_start(paths.drop_in, paths.service, desired, started))
    reasons.extend(staging.reasons(paths, desired, started))
    return reasons


def _waiting(found: Generated, wanted: Prediction) -> list[str]:
    """What is in force without a restart, and is read by K3s at its next start."""
    from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.state import in_force
    from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible

    hosts = in_force(found, wanted.hosts, wanted.auth).hosts
    return [WAITING % ", ".join(visible(redact(host)) for host in hosts)] if hosts else []


def _newer_than_start(path: str, service: str, desired: Desired, started: float) -> list[str]:
    wanted = next((item for item in desired.files if item.path == path), None)
    content = files.read(path).content
    if wanted is not None and content != wanted.content:
        return ["%s will be changed" % path]
    if wanted is None and placing.is_ours(content):
        return ["%s will be removed" % path]
    if wanted is not None and started and os.stat(path).st_mtime > started + 1:
        return ["%s is newer than the running %s" % (path, service)]
    return []


def _ours_is_loaded(node: Identity, record: Mapping[str, Any], release: str) -> bool:
    """Whether K3s has what it made of the state that the record describes, although another file lies there now."""
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import compare

    try:
        ours = Generations(node.paths).desired(record["generation"])
    except GenerationDamaged:
        return False
    found = read_generated(node.paths)
    wanted = expectation.prediction(node, ours, release, found)
    found = expectation.in_force(node, ours, release, found)
    return wanted.certain and found.complete and not compare(found, wanted)


def previous_state(paths: NodePaths, live: bool = False, settle: bool = False) -> Desired | None:
    """The wanted state of the node before the last change, None when none is kept.

    How it comes into force (``live``, ``settle``) is for this run to say, whatever the run said that brought it here.

    On a node that has gone back already it is the one in place, so that a rollback over a fleet which was
    interrupted can be run again: it goes back once, not once more.

    :raises GenerationDamaged: if it cannot be read.
    """
    record = Memory(paths).record()
    number = record["generation"] if record["rolled_back"] else record["previous"]
    if number not in Generations(paths).numbers():
        return None
    desired = Generations(paths).desired(number)
    return replace(desired, settings=dict(desired.settings, rolled_back=True, live=live, settle=settle))


def stage(node: Identity, desired: Desired, *, in_place: bool, check_mode: bool, adopt: bool = False) -> dict[str, Any]:
    """Compare, and act as the module's text above says.

    :param node: what the node is, without a contradiction.
    :param in_place: put everything in place, whatever runs; the caller sees to the restart.
    :param adopt: refuse a registries.yaml of someone else's unless it is equal in effect.
    :returns: the module's result without its diff: see RETURN of the module k3s_registries.
    :raises StageRefused: if the node's release, its settings or its containerd template cannot do what is wanted.
    :raises FileProblem: if a file cannot be read or written.
    :raises ServiceProblem: if the init system does not answer.
    :raises NodeBusy: if another run is changing this node.
    """
    memory = Memory(node.paths)
    desired = _without_what_is_not_ours(node.paths, desired).at(node.paths)
    if check_mode:
        return _stage(node, memory, desired, in_place, check_mode, adopt)
    with memory.locked():
        return _stage(node, memory, desired, in_place, check_mode, adopt)


def _without_what_is_not_ours(paths: NodePaths, desired: Desired) -> Desired:
    """A removal leaves somebody else's registries.yaml where it is, and what K3s makes of that is not known here."""
    if desired.absent and placing.is_foreign(paths):
        return replace(desired, config=None)
    return desired


def _stage(
    node: Identity, memory: Memory, desired: Desired, in_place: bool, check_mode: bool, adopt: bool
) -> dict[str, Any]:
    paths, state = node.paths, node.service
    record = memory.record()
    changes = placing.changes(paths, desired, record)
    transaction = memory.transaction()
    result: dict[str, Any] = {
        "changed": bool(changes),
        "restart": False,
        "live": False,
        "reasons": [],
        "reach": {},
        "files": [{"path": change.path, "action": change.action} for change in changes],
        "node_role": paths.node_role,
        "node_state": node.state,
        "service": paths.service,
        "service_state": state.state,
        "embedded_mirror": expectation.server_address(node, desired),
        "release": "",
        "node_name": "",
        "architecture": "",
        "foreign": placing.is_foreign(paths),
        "registries": list(desired.registries),
        "generation": record["generation"],
        "health": {},
        "kept": "",
        "after": desired.described(),
        "before": record["description"] if not placing.is_edited(paths, record) else _unknown_text(paths, record),
        "warnings": [],
    }
    if node.state != "not_installed":
        result["release"] = installed_release.installed(paths, keep=not check_mode)
        _refuse_what_cannot_work(node, desired, result["release"])
        result["warnings"] += installed_release.warnings(desired.config, desired.settings, result["release"])
    refused = staging.refusals(node, desired, result["release"])
    if refused:
        raise StageRefused("; ".join(refused))
    result["warnings"] += _left(node, desired)

    if adopt and result["foreign"] and desired.manages_registries:
        _refuse_what_is_not_equal(node, desired, result["release"])
    if state.alive:
        reasons: list[str] = []
        if transaction is not None:
            reasons.append("an earlier run ended in the middle (%s)" % transaction["step"])
        reasons.extend(pending_reasons(node, desired, result["release"]))
        if changes and desired.absent and result["foreign"] and _ours_is_loaded(node, record, result["release"]):
            reasons.append("%s still runs with the configuration that is removed" % paths.service)
        hanging = not reasons and _hangs_on_registries_yaml(paths, changes, state)
        if hanging:
            reasons.append("%s runs no containerd with the %s in place" % (paths.service, paths.registries_yaml))
        if not reasons and not in_place:
            reasons.extend(_news_of_the_store(paths, desired))
            result["live"] = bool(reasons)
        if reasons:
            result.update(reasons=reasons, restart=True, health=_health(paths, state, memory, record, transaction))
            result["node_name"], result["architecture"] = _node_name(paths), os.uname().machine
            if desired.manages_registries and desired.settings.get("live") and not result["live"]:
                _decide_live(node, desired, record, result, certain=transaction is None and not hanging)
            if not in_place:
                if not check_mode:
                    memory.write_candidate(desired.text())
                return result

    if memory.cordon_note() is not None and not result["restart"]:
        # Imported here: hardly any node was left in the middle of its restart.
        from . import cordon

        lifted, said = cordon.lift_leftover(paths, memory, state.alive, check_mode)
        result["changed"] = result["changed"] or lifted
        result["warnings"] += [said] if said else []
    if check_mode:
        return result
    if changes or (transaction is not None and not state.alive):
        result["kept"] = _put_in_place(paths, memory, desired, record)
    elif _record_is_stale(record, desired, paths) and not desired.absent:
        placing.remember(paths, memory, desired, record["previous"])
    if not result["restart"] and not desired.absent:
        memory.drop_candidate()
    return result


def _news_of_the_store(paths: NodePaths, desired: Desired) -> list[str]:
    """What comes into force without a restart, but not unseen: it is committed, so that canaries prove it."""
    if not desired.settings.get("credential_store"):
        return []
    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import staging as store

    return store.news(paths, desired)


def _node_name(paths: NodePaths) -> str:
    from . import kubernetes

    return kubernetes.node_name(paths)


def _decide_live(
    node: Identity, desired: Desired, record: dict[str, Any], result: dict[str, Any], certain: bool
) -> None:
    """Enter whether the change comes into force without a restart, or why not."""
    from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.doubts import NOT_LIVE

    from . import live

    decided = live.plan(node, desired, record, read_generated(node.paths), result["release"])
    result["live"] = certain and decided.texts is not None
    if decided.doubt:
        result["reasons"].append(NOT_LIVE + decided.doubt)
    if result["live"] and decided.credentials.headers:
        # The registries have not been asked yet, nor a server, which knows of pods with secrets of their own.
        result["reach"] = decided.credentials.reach._asdict()


def _left(node: Identity, desired: Desired) -> list[str]:
    """What is left as it is although somebody may expect otherwise, as sentences."""
    sentences = []
    if node.state == "not_set_up":
        sentences.append(
            "%s is not set up on this node: no service that runs it was ever enabled or started. The files are put in "
            "place for when it is" % {"k3s": "K3s", "rke2": "RKE2"}[node.paths.distribution]
        )
    if desired.kind == SETTINGS and placing.is_ours(files.read(node.paths.registries_yaml).content):
        sentences.append(
            "%s was written by the collection and is left as it is, since k3s_registries is empty; "
            "k3s_registries_state: absent would remove it" % node.paths.registries_yaml
        )
    return sentences


def _hangs_on_registries_yaml(paths: NodePaths, changes: Sequence[placing.Change], state: ServiceState) -> bool:
    """Whether K3s was started with a file that someone has broken since it last came up.

    What it generated then still lies there and is as wanted, so only containerd's absence tells. A K3s that cannot read
    the file reads it anew every few seconds: the commit puts it right and sees it come up, without another restart.
    """
    if not any(change.path == paths.registries_yaml for change in changes):
        return False
    from . import health

    return not health.containerd_ready(paths, state)


def _put_in_place(paths: NodePaths, memory: Memory, desired: Desired, record: dict[str, Any]) -> str:
    """Returns where :func:`placing.forget` has kept the registries.yaml from before the collection."""
    previous = placing.save_found(paths, memory, desired, record) if not desired.absent else 0
    placing.place(paths, desired, record)
    kept = placing.remember(paths, memory, desired, previous)
    memory.end_transaction()
    return kept


def _record_is_stale(record: dict[str, Any], desired: Desired, paths: NodePaths) -> bool:
    return record["description"] != desired.described() or placing.is_edited(paths, record)


def _unknown_text(paths: NodePaths, record: dict[str, Any]) -> str:
    if files.read(paths.registries_yaml).content is None:
        return ""
    text = "# %s was not written by this collection, or edited since; its content may hold secrets and is not shown\n"
    return text % paths.registries_yaml


def _refuse_what_cannot_work(node: Identity, desired: Desired, node_release: str) -> None:
    problems = installed_release.lacking(desired.config, desired.settings, node_release)
    if problems:
        raise StageRefused("; ".join(problems))
    after = expectation.settings_after(node, desired)
    for key, value in drop_in_entries(desired.settings, node.paths.node_role) if not desired.absent else ():
        counts = after.flag(key) if isinstance(value, bool) else after.value(key)
        if counts != value:
            raise StageRefused(
                "%s sets %s to %s, which counts more than %s. Remove it there, or set %s to the same in the inventory"
                % (
                    {"unit": "the command line of " + node.paths.service}.get(after.source(key), after.source(key)),
                    key, json.dumps(counts), node.paths.drop_in, _VARIABLES[key],
                )
            )  # fmt: skip
    templates = read_templates(node.paths) if desired.auth else []
    if templates and not templates[0].writes_auth:
        raise StageRefused(
            "%s replaces K3s' containerd configuration and writes no registry credentials: containerd would never "
            'get those for %s. Begin the template with {{ template "base" . }}, or remove it'
            % (templates[0].path, ", ".join(sorted(desired.auth)))
        )


_VARIABLES = {
    "disable-default-registry-endpoint": "k3s_registries_disable_default_endpoint",
    "embedded-registry": "k3s_registries_embedded_registry",
    "system-default-registry": "k3s_registries_system_default_registry",
}


def _refuse_what_is_not_equal(node: Identity, desired: Desired, node_release: str) -> None:
    """Take someone else's registries.yaml over only when K3s makes the same of it.

    :raises StageRefused: with the difference, or why there is no telling.
    """
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import explained
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import compare
    from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor

    file, state = node.paths.registries_yaml, node.service
    found = read_generated(node.paths)
    wanted = expectation.prediction(node, desired, node_release, found)
    if not (state.alive and wanted.certain):
        raise StageRefused(
            "%s was not written by this collection, and whether it is equal in effect cannot be seen: %s has to run, "
            "in a release that writes hosts.toml. Set k3s_registries_adopt: false to replace it"
            % (file, node.paths.service)
        )
    if state.started and os.stat(file).st_mtime > state.started + 1:
        raise StageRefused(
            "%s was not written by this collection and is newer than the running %s, which has not read it: restart "
            "that first, or set k3s_registries_adopt: false to replace the file" % (file, node.paths.service)
        )
    differences = compare(found, wanted)
    if differences:
        shown = Redactor.of_tables(desired.auth.values())
        raise StageRefused(
            "%s was not written by this collection and is not equal in effect to k3s_registries: %s. Bring "
            "k3s_registries in line, or set k3s_registries_adopt: false to replace the file\n%s"
            % (
                file,
                "; ".join(explained.sentences(differences)),
                "\n".join(shown.lines(explained.diff_lines(differences))),
            )
        )


def _health(
    paths: NodePaths,
    state: ServiceState,
    memory: Memory,
    record: dict[str, Any],
    transaction: dict[str, Any] | None,
) -> dict[str, Any]:
    """How the node is before anything is done to it, and whether the pending change itself explains an illness."""
    from . import health

    seen = health.observe(paths, state)
    explained = False
    member = ""
    if not seen.healthy:
        edited = record["registries_sha256"] != "" and placing.is_edited(paths, record)
        service: Systemd | OpenRC = service_of(paths.service)
        unreadable = any("server is not ready: yaml" in line for line in service.log(0.0, 20))
        explained = transaction is not None or edited or unreadable
        if paths.node_role == "server" and unreadable:
            # Imported here, as for every other node this is not asked.
            from . import etcd

            member = etcd.own_name(paths)
    return {"healthy": seen.healthy, "sentence": seen.sentence(), "explained": explained, "member": member}
