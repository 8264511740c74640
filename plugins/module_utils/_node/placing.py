# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a node differ from the wanted state, and putting them in place in a safe order."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import Any, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import programs, staging
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import (
    of_record,
    record_of,
)

from . import files, managed
from .desired import Desired
from .generated import read_generated
from .generations import GenerationDamaged, Generations
from .memory import Memory, stamp
from .paths import MARKER, NodePaths

_BEFORE = ".before-k3sfleet"
KEPT = "The registries.yaml from before the collection is kept in %s, which K3s does not read"
"""A warning, with the path that :func:`forget` returns."""


class Change(NamedTuple):
    """One file to change: ``action`` is ``create``, ``update``, ``mode`` or ``remove``."""

    path: str
    action: str


def is_ours(content: bytes | None) -> bool:
    """Whether a file begins with the collection's marker."""
    return content is not None and content.startswith(MARKER.encode("ascii"))


def obsolete(paths: NodePaths, desired: Desired, record: dict[str, Any]) -> list[str]:
    """Files of ours that the wanted state no longer has: registries.yaml first, then what it may name.

    Only what carries the marker, or certificates that the record says we made, are ever listed - also if an earlier
    run had another ``cert_dir`` or another path of registries.yaml.
    """
    wanted = {item.path for item in desired.files}
    if not desired.manages_registries:
        found = [paths.drop_in] if paths.drop_in not in wanted and is_ours(files.read(paths.drop_in).content) else []
        if paths.provider_config not in wanted and staging.is_ours(staging.content(paths)):
            found.append(paths.provider_config)
        if paths.credential_store not in wanted and os.path.lexists(paths.credential_store):
            found.append(paths.credential_store)
        return found
    recorded = [path for path in record["managed"] if path not in wanted]
    known = [paths.registries_yaml, paths.drop_in]
    known += [paths.provider_config] if staging.is_ours(staging.content(paths)) else []
    texts = [*known, *(path for path in recorded if not managed.is_certificate(path))]
    # A removal that died between a link's file and the link leaves one to nothing. K3s does not start with such a
    # drop-in, so that one goes whoever has made it.
    ours = {*recorded, paths.drop_in}
    found = [
        path
        for path in dict.fromkeys(texts)
        if path not in wanted and (is_ours(files.read(path).content) or (path in ours and _leads_nowhere(path)))
    ]
    found.extend(path for path in recorded if managed.is_certificate(path) and os.path.lexists(path))
    return found


def _leads_nowhere(path: str) -> bool:
    return os.path.islink(path) and not os.path.exists(path)


def changes(paths: NodePaths, desired: Desired, record: dict[str, Any]) -> list[Change]:
    """What :func:`place` would do, and :func:`forget` if nothing of ours will be left; empty when all is well.

    :raises FileProblem: if one of the wanted files could not be put in place, or would lie where somebody else could
        exchange it: said here, before anything is touched.
    """
    found = []
    for item in desired.files:
        files.check(item.path, through_link=managed.may_be_linked(item.path))
        state = files.read(item.path)
        if state.content is None:
            found.append(Change(item.path, "create"))
        elif state.content != item.content:
            found.append(Change(item.path, "update"))
        elif state.mode != item.mode or state.uid != os.geteuid():
            found.append(Change(item.path, "mode"))
    found.extend(Change(path, "remove") for path in obsolete(paths, desired, record))
    found.extend(Change(*change) for change in programs.changes(paths.provider_bin_dir, desired.on_node))
    if desired.absent:
        found.extend(_forgotten(paths))
    return found


def is_foreign(paths: NodePaths) -> bool:
    """Whether registries.yaml is there and was not written by the collection."""
    content = files.read(paths.registries_yaml).content
    return content is not None and not is_ours(content)


def is_edited(paths: NodePaths, record: dict[str, Any]) -> bool:
    """Whether registries.yaml is not what the last finished run left."""
    return bool(_digest(paths) != record["registries_sha256"])


def managed_paths(paths: NodePaths, desired: Desired, record: dict[str, Any]) -> list[str]:
    """Every file that a change to ``desired`` may touch: what a generation has to keep."""
    found = {paths.registries_yaml, paths.drop_in, *record["managed"], *(item.path for item in desired.files)}
    return sorted(found | ({paths.provider_config} if staging.is_ours(staging.content(paths)) else set()))


def place(paths: NodePaths, desired: Desired, record: dict[str, Any]) -> None:
    """Put the wanted files in place, each in one step, and remove what is obsolete.

    Order: programs of credential providers, certificates, drop-in, the providers' configuration, registries.yaml, then
    removals; K3s may start at any moment of it and must not find a file that names what is not there.

    :raises FileProblem: if a file cannot be written: for want of space or rights before any is changed.
    """
    Memory(paths).drop_snapshot()
    _note_what_will_be_ours(paths, desired, record)
    if desired.on_node:
        programs.make_folder(paths.provider_bin_dir, os.path.dirname(paths.provider_config))
    programs.place(paths.provider_bin_dir, desired.on_node)
    since = staging.says_the_same_since(paths, desired)
    writes = files.Writes()
    for item in desired.files:
        managed.add(writes, item.path, item.content, item.mode)
    writes.finish()
    if since is not None:
        # What it says is as old as before, and the kubelet has read it or not as before.
        with files.reported("write", paths.provider_config):
            os.utime(paths.provider_config, ns=(since, since))
    for path in obsolete(paths, desired, record):
        managed.remove(path)
    programs.remove_obsolete(paths.provider_bin_dir, desired.on_node)


def restore(paths: NodePaths, number: int, unwanted: list[str]) -> dict[str, Any]:
    """Put generation ``number`` back: see :meth:`Generations.restore`. Programs of credential providers come before the
    configuration that names them, and go after it.

    :raises GenerationDamaged: when a part of it is missing or not what was kept.
    :raises FileProblem: when a file cannot be written.
    """
    generations = Generations(paths)
    wanted = of_record(generations.manifest(number)["record"]["programs"])
    if wanted:
        programs.make_folder(paths.provider_bin_dir, os.path.dirname(paths.provider_config))
    programs.place(paths.provider_bin_dir, wanted)
    record = generations.restore(number, unwanted)
    programs.remove_obsolete(paths.provider_bin_dir, wanted)
    programs.prune(paths.provider_bin_dir, generations.programs())
    return record


def _note_what_will_be_ours(paths: NodePaths, desired: Desired, record: dict[str, Any]) -> None:
    """Write down certificates and keys before they are made: nothing in them says whose they are, and a run that dies
    now must not leave any that the next one does not know."""
    new = [item.path for item in desired.files if item.path not in record["managed"]]
    if any(managed.is_certificate(path) for path in new):
        Memory(paths).write_record(dict(record, managed=[*record["managed"], *new]))


def save_found(paths: NodePaths, memory: Memory, desired: Desired, record: dict[str, Any]) -> int:
    """The generation that holds what is in place before a change, saved now unless it is the recorded one and that
    could be restored: a damaged one would leave a node that fails without a way back.

    :returns: its number.
    """
    generations = Generations(paths)
    edited = is_edited(paths, record)
    unknown = staging.content(paths) is not None and not generations.knows(record["generation"], paths.provider_config)
    if not edited and generations.intact(record["generation"]) and not (unknown and desired.on_node):
        return int(record["generation"])
    memory.make()
    foreign = is_foreign(paths)
    found = dict(
        record,
        registries_sha256=_digest(paths),
        description="" if edited else record["description"],
        certificates=[] if edited else record["certificates"],
        expires={} if edited else record["expires"],
        previous=record["generation"],
    )
    return generations.save(managed_paths(paths, desired, record), found, foreign=foreign)


def forget(paths: NodePaths, memory: Memory) -> str:
    """Remove all that is kept on the node, secrets of old generations too.

    The registries.yaml from before the collection would be lost with it: it is put beside the live one's place first,
    under a name that K3s does not read.

    :returns: its path, "" when there is none.
    """
    kept, content = _to_keep(paths)
    if kept:
        files.write(kept, content, 0o600, through_link=False)
    _take_out_headers(paths)
    memory.forget()
    return kept


def _take_out_headers(paths: NodePaths) -> None:
    """K3s replaces a hosts.toml with credentials at its next start, but a K3s that is stopped may never start again."""
    found = read_generated(paths)
    for directory in found.headers:
        path = os.path.join(paths.certs_d, directory, "hosts.toml")
        files.write(path, found.hosts[directory].encode("utf-8"), 0o644, through_link=False)


def _to_keep(paths: NodePaths) -> tuple[str, bytes]:
    """Where :func:`forget` puts the registries.yaml from before the collection, and its content; "" if there is none
    or it is in its place."""
    content = Generations(paths).found(paths.registries_yaml)
    if content is None or content == files.read(paths.registries_yaml).content:
        return "", b""
    first = kept = paths.registries_yaml + _BEFORE
    number = 1
    while files.read(kept).content not in (None, content):
        number += 1
        kept = "%s.%d" % (first, number)
    return kept, content


def _forgotten(paths: NodePaths) -> list[Change]:
    """What :func:`forget` changes on the node: the kept states go, with their secrets."""
    # An empty one is the lock of this very run.
    if not os.path.isdir(paths.state_dir) or not os.listdir(paths.state_dir):
        return []
    kept, _content = _to_keep(paths)
    created = [Change(kept, "create")] if kept and files.read(kept).content is None else []
    return [*created, Change(paths.state_dir, "remove")]


def remember(paths: NodePaths, memory: Memory, desired: Desired, previous: int) -> str:
    """Record what is in place now and keep it as a generation, whose predecessor is ``previous``; with nothing of
    ours left, forget everything, and return what :func:`forget` does."""
    if desired.absent:
        programs.prune(paths.provider_bin_dir, ())
        return forget(paths, memory)
    generations = Generations(paths)
    with contextlib.suppress(GenerationDamaged):
        if previous and generations.desired(previous).files == desired.files:
            # The same state once more, after an edit by hand was put right: the way back leads to the one before it.
            previous = int(generations.manifest(previous)["record"]["previous"])
    record: dict[str, Any] = {
        "managed": sorted({item.path for item in desired.files} | set(_kept(paths, memory, desired))),
        "registries_sha256": _digest(paths),
        "description": desired.described(),
        "certificates": list(desired.certificates),
        "programs": record_of(desired.on_node),
        "expires": dict(desired.expires),
        "generation": 0,
        "previous": previous,
        "rolled_back": bool(desired.settings.get("rolled_back")),
        "committed_at": stamp(time.time()),
    }
    record["generation"] = generations.save(managed_paths(paths, desired, record), record, desired_text=desired.text())
    memory.write_record(record)
    generations.prune(int(desired.settings.get("keep_generations", 3)))
    programs.prune(paths.provider_bin_dir, generations.programs())
    return ""


def _kept(paths: NodePaths, memory: Memory, desired: Desired) -> list[str]:
    """What an earlier state has put in place and this one leaves there."""
    if desired.manages_registries:
        return []
    return [path for path in memory.record()["managed"] if files.read(path).content is not None]


def _digest(paths: NodePaths) -> str:
    content = files.read(paths.registries_yaml).content
    return hashlib.sha256(content).hexdigest() if content is not None else ""
