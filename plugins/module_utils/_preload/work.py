# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller asks of a node, and the answers: one call of the module each."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.installed_release import installed

from . import bring, containerd, importing, remove
from .archive import Archive, ArchiveProblem, archives_of
from .look import NameTaken, look
from .part import WrongContent
from .places import Ledger, Places, make, places_of
from .relay_problems import CannotServe, RelayProblem

PROBLEMS = (
    ArchiveProblem, FileProblem, NameTaken, bring.NoRoom, containerd.ContainerdProblem, CannotServe,
)  # fmt: skip
"""What ends a call with a sentence; nothing is left in K3s' folder that is not complete."""


def look_at(node: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    """What is there of the wanted archives, and whether there is room for the rest. Writes nothing.

    :returns: ``state`` of K3s; ``found`` with ``file``, ``there`` (``placed``, ``theirs``, ``missing``) and ``have``;
        ``not_imported``, the files of which an image is not in containerd or not pinned; ``brought``, the files that
        earlier runs have brought and that are not wanted now.
    """
    places = places_of(node.paths)
    ledger = Ledger(places)
    wanted = archives_of(request["archives"])
    found = look(places, ledger, wanted)
    missing = [item.archive for item in found if not item.path]
    if missing:
        bring.check_room(places, missing, node.paths.agent_dir)
    not_imported = [item.archive for item in found if item.path]
    if node.alive:
        not_imported = importing.wait(not_imported, lambda: containerd.images(node.paths), 0.0)
    names = {archive.file for archive in wanted}
    return {
        "state": node.state,
        "images_dir": places.images,
        "found": [
            {
                "file": item.archive.file,
                "there": "missing" if not item.path else "theirs" if item.theirs else "placed",
                "have": min(item.have, item.archive.size),
            }
            for item in found
        ],
        "not_imported": [archive.file for archive in not_imported] if node.alive else [],
        "brought": sorted(set(ledger.files) - names),
    }


def verify(node: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    """How much of each archive has arrived and is right; what cannot be right is cut off."""
    places = places_of(node.paths)
    return {"have": bring.verify(places, archives_of(request["archives"]))}


def receive(node: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    """Take a parcel in; with ``finish`` in the request, do what :func:`finish` does after it.

    :returns: ``have`` by digest. If something came damaged, ``again`` says why, and ``have`` what is right.
    """
    places = places_of(node.paths)
    make(places)
    archives = {archive.sha256: archive for archive in archives_of(request["archives"])}
    pieces = [bring.Piece(str(sha256), int(offset), int(length)) for sha256, offset, length in request["pieces"]]
    try:
        said: dict[str, Any] = {"have": bring.receive(places, archives, pieces, str(request["parcel"]))}
    except WrongContent as wrong:
        return {"have": bring.verify(places, archives.values()), "again": str(wrong)}
    if request.get("finish"):
        said.update(finish(node, request["finish"]))
    return said


def finish(node: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    """Bring complete archives into K3s' folder, and see to their import if K3s runs.

    :returns: ``placed``, the files that came in with this call; ``waiting``, those that are not imported yet. If one
        was damaged, ``again`` says why; it has to come anew.
    """
    places = places_of(node.paths)
    make(places)
    ledger = Ledger(places)
    archives = archives_of(request["archives"])
    names = set(request.get("again") or ())
    if names:
        bring.take_out(places, [archive for archive in archives if archive.file in names])
        time.sleep(importing.AFTER_REMOVAL)
    try:
        placed = bring.place(places, ledger, archives, lambda: _names_in_containerd(node))
    except WrongContent as wrong:
        return {"placed": [], "waiting": [], "again": str(wrong)}
    bring.clear(places, archives)
    waiting: list[Archive] = []
    if node.alive:
        waiting = _imported(node, places, archives, request)
    return {
        "placed": [archive.file for archive in placed], "waiting": [archive.file for archive in waiting],
    }  # fmt: skip


def _imported(node: Identity, places: Places, archives: Sequence[Archive], request: Mapping[str, Any]) -> list[Archive]:
    """See to the import; returns what is not imported yet."""
    seconds = float(request["seconds"])
    if not importing.watches(installed(node.paths, keep=False)):
        lacking = importing.wait(archives, lambda: containerd.images(node.paths), 0.0)
        found = {item.archive.file: item.path for item in look(places, Ledger(places), lacking)}
        importing.by_hand(node.paths, lambda archive: found[archive.file], lacking, float(request["import_timeout"]))
        seconds = 0.0
    return importing.wait(archives, lambda: containerd.images(node.paths), seconds)


def _names_in_containerd(node: Identity) -> list[str] | None:
    """What was there before the first archive came, None if nobody can tell. Without a containerd that has ever run,
    nothing was."""
    if node.state in ("not_installed", "not_set_up"):
        return []
    try:
        return list(containerd.images(node.paths)) if node.alive else None
    except containerd.ContainerdProblem:
        return None


def removal(node: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    """Remove what was brought and nothing uses, or only say what would be (``check``).

    :returns: ``archives`` and ``images`` that go, and ``kept``, sentences about what stays.
    :raises ContainerdProblem: if K3s is stopped, so that nobody can tell what containers use.
    """
    places = places_of(node.paths)
    ledger = Ledger(places)
    selected = [str(file) for file in request.get("files") or ()]
    if not ledger.files or (selected and not set(selected) & set(ledger.files)):
        return {"archives": [], "images": [], "kept": []}
    known: dict[str, containerd.Image] = {}
    in_use: set[str] = set()
    if node.alive:
        known = containerd.images(node.paths)
        in_use = containerd.used(node.paths, known)
    elif node.state == "stopped":
        raise containerd.ContainerdProblem(
            "K3s is stopped, so nobody can tell which images its containers use. Start it and run this again; nothing "
            "has been removed"
        )
    planned = remove.plan(places, ledger, selected, known, in_use)
    if not request.get("check"):
        # The names first: what is left of them if this ends in between is found again by the archives' entries.
        containerd.forget(node.paths, planned.names)
        remove.remove_archives(places, ledger, planned)
    return {
        "archives": [os.path.basename(path) for path in planned.archives], "images": planned.names,
        "kept": planned.kept,
    }  # fmt: skip


def relay(node: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    """Become the relay of a site, with what this node has of the archives.

    :returns: ``port``, and ``files``, what it serves.
    :raises CannotServe: if the port is taken.
    """
    # Imported here: hardly any call needs TLS.
    from . import relay_server

    places = places_of(node.paths)
    found = look(places, Ledger(places), archives_of(request["archives"]))
    offer = relay_server.Offer(
        {item.archive.sha256: item.path for item in found if item.path}, frozenset(map(str, request["tokens"]))
    )
    context = relay_server.context_of(str(request["certificate"]), str(request["secret"]))
    server = relay_server.listening(int(request["port"]), context, offer)
    port = server.server_address[1]
    relay_server.start(server, str(request["run"]), float(request["seconds"]))
    return {"port": port, "files": [item.archive.file for item in found if item.path]}


def end_relay(_node: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    """End the relay of a run."""
    from . import relay_server

    relay_server.stop(str(request["run"]))
    return {}


def fetch(node: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    """Take archives from the relay of the site, for some seconds.

    :returns: ``have`` by digest. If something came damaged, ``again`` says why; if the relay cannot be used, ``gone``
        does.
    """
    # Imported here: hardly any call needs TLS.
    from . import relay_client

    places = places_of(node.paths)
    make(places)
    archives = archives_of(request["archives"])
    serving = relay_client.relay_of(request)
    token, seconds, limit = str(request["secret"]), float(request["seconds"]), int(request["limit"])
    try:
        return {"have": relay_client.fetch(serving, token, places, archives, seconds, limit)}
    except WrongContent as wrong:
        return {"have": bring.verify(places, archives), "again": str(wrong)}
    except RelayProblem as problem:
        return {"have": bring.verify(places, archives), "gone": str(problem)}


OPERATIONS: dict[str, Callable[[Identity, Mapping[str, Any]], dict[str, Any]]] = {
    "look": look_at, "verify": verify, "receive": receive, "finish": finish, "remove": removal,
    "relay": relay, "end_relay": end_relay, "fetch": fetch,
}  # fmt: skip
