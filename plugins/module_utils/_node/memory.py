# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own memory on a node: what is in place, what is staged, which commit is under way.

``<state_dir>/record.json``       what the last finished run put in place
``<state_dir>/candidate.json``    what the next commit will put in place (secret)
``<state_dir>/cordon.json``       which run has cordoned the node, until it is uncordoned: see ``cordon.py``
``<state_dir>/snapshot``          how the node was when it had everything: see ``_snapshot``
``<state_dir>/settings.json``     what the controller has read from K3s' configuration files where the node could not
``<state_dir>/transaction.json``  there exactly while a commit or rollback is under way: a run that finds it
                                  knows that an earlier one died, and which generation was the last good one
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import json
import os
import stat
import time
from typing import Any, Callable, Iterator, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import json_object

from . import files, folders
from .kept_shapes import fits, is_number, is_path, is_text
from .paths import NodePaths

_EMPTY_RECORD: dict[str, Any] = {
    "managed": [],
    "registries_sha256": "",
    "description": "",
    "certificates": [],
    "programs": {},
    "expires": {},
    "generation": 0,
    "previous": 0,
    "rolled_back": False,
    "committed_at": "",
}
_RECORD = {
    "managed": [is_path], "registries_sha256": is_text, "description": is_text, "certificates": [dict],
    "programs": {"*": is_text}, "expires": {"*": is_text}, "generation": is_number, "previous": is_number,
    "rolled_back": bool,
    "committed_at": is_text,
}  # fmt: skip
_TRANSACTION = {"generation": is_number, "step": is_text, "started": is_text}
_FILE_READ = {"digest": is_text, "entries": [lambda entry: isinstance(entry, list) and len(entry) == 2]}

FILE_NAME = "snapshot"

LOCK_WAIT = 600.0
"""Seconds that a run waits for a commit which goes on after its controller died."""


class NodeBusy(Exception):
    """Another run is changing this node."""


class Memory:
    """Reads and writes the files named above. A damaged record counts as none: everything in it can be found
    out again, at the price of one more restart."""

    def __init__(self, paths: NodePaths) -> None:
        self.paths = paths

    def _path(self, name: str) -> str:
        return os.path.join(self.paths.state_dir, name)

    def _read(self, name: str) -> dict[str, Any] | None:
        content = files.read_own(self._path(name)).content
        if content is None:
            return None
        try:
            return json_object(content)
        except ValueError:
            return None

    def _write(self, name: str, value: dict[str, Any]) -> None:
        self.make()
        text = json.dumps(value, sort_keys=True, indent=1)
        files.write(self._path(name), text.encode("utf-8"), 0o600, through_link=False)

    def make(self) -> None:
        """Make the state folder, root-only.

        :raises FileProblem: if it cannot be made, or somebody else could change what lies in it.
        """
        files.make_directory(self.paths.config_dir, 0o755)
        files.make_directory(self.paths.state_dir, 0o700)

    @contextlib.contextmanager
    def locked(self, wait: float = LOCK_WAIT, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """Keep other runs from changing this node while the block runs, and remove what runs that died have left.

        The lock is on the state folder: nobody but root can open that, so nobody else can hold a run up, and the kernel
        gives it back when the process ends in whatever way. A folder made only for that goes again at the end.

        :raises NodeBusy: if another run still has it after ``wait`` seconds.
        :raises FileProblem: if the state folder is somebody else's, or a leftover cannot be removed.
        """
        if not os.path.isdir(self.paths.config_dir):
            # K3s is not installed, and there is nothing two runs could break.
            yield
            return
        deadline = time.monotonic() + wait
        with contextlib.ExitStack() as stack:
            if self._has_a_place():
                while not self._lock(stack):
                    if time.monotonic() >= deadline:
                        raise self._busy(wait)
                    sleep(0.5)
                stack.callback(files.remove_empty_directory, self.paths.state_dir)
            self._remove_leftovers()
            yield

    def _has_a_place(self) -> bool:
        """Whether there is a state folder, made now if it was missing. If there is no room for one, or the file
        system is read-only, no run can change anything either."""
        try:
            self.make()
        except files.FileProblem as problem:
            if isinstance(problem.__cause__, OSError):
                return False
            raise
        return True

    def _lock(self, stack: contextlib.ExitStack) -> bool:
        """Whether the lock could be had; ``stack`` gives it back."""
        path = self.paths.state_dir
        with contextlib.ExitStack() as attempt, files.reported("lock", path):
            folder = attempt.enter_context(folders.opened(path, owned=True, make=0o700))
            if stat.S_IMODE(os.fstat(folder).st_mode) & 0o077:
                os.fchmod(folder, 0o700)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A run that has just ended may have taken the folder away, and another made it anew.
                if not os.path.samestat(os.fstat(folder), os.stat(path)):
                    return False
            except (BlockingIOError, FileNotFoundError):
                return False
            stack.push(attempt.pop_all())
        return True

    def _busy(self, wait: float) -> NodeBusy:
        under_way = self.transaction() or {"step": "staging", "started": "?"}
        return NodeBusy(
            "another run has been changing this node for more than %d s (%s, since %s); "
            "run again when it has ended" % (wait, under_way["step"], under_way["started"])
        )

    def _remove_leftovers(self) -> None:
        """Remove files that were being written, and folders that were being removed, when their run died: they hold
        what the finished ones would, passwords and keys too. Only under the lock."""
        beside = [self.paths.registries_yaml, self.paths.drop_in, self.paths.provider_config]
        beside += self.record()["managed"]
        places = [os.path.dirname(path) for path in beside]
        places.extend(os.path.dirname(os.path.realpath(path)) for path in beside if os.path.islink(path))
        places.extend([self.paths.config_dir, self.paths.state_dir, self._path("generations")])
        for parent in (self.paths.cert_dir, self.paths.certs_d):
            places.extend(os.path.join(parent, name) for name in files.names_in(parent))
        for place in dict.fromkeys(places):
            if any(name.endswith(files.TEMPORARY_SUFFIX) for name in files.names_in(place)):
                files.remove_leftovers(place)
                # A folder that a run died in before its first file was there is not left either.
                if os.path.dirname(place) == self.paths.cert_dir:
                    files.remove_empty_directory(place)

    def record(self) -> dict[str, Any]:
        """What the last finished run put in place, every key present."""
        return record_of(self._read("record.json") or {})

    def write_record(self, record: dict[str, Any]) -> None:
        self.drop_snapshot()
        self._write("record.json", record)

    def candidate_text(self) -> str | None:
        """The staged state as shipped, None when nothing is staged."""
        content = files.read_own(self._path("candidate.json")).content
        return None if content is None else content.decode("utf-8", "replace")

    def write_candidate(self, text: str) -> None:
        self.drop_snapshot()
        self.make()
        files.write(self._path("candidate.json"), text.encode("utf-8"), 0o600, through_link=False)

    def drop_candidate(self) -> None:
        files.remove(self._path("candidate.json"), through_link=False)

    def transaction(self) -> dict[str, Any] | None:
        """The commit that did not end, None when the last one did. A damaged one still counts as one."""
        if files.read_own(self._path("transaction.json")).content is None:
            return None
        found = self._read("transaction.json")
        if found is None or not fits(found, _TRANSACTION):
            return {"generation": 0, "step": "unknown", "started": ""}
        return found

    def write_transaction(self, generation: int, step: str, started: float) -> None:
        self.drop_snapshot()
        self._write("transaction.json", {"generation": generation, "step": step, "started": stamp(started)})

    def end_transaction(self) -> None:
        files.remove(self._path("transaction.json"), through_link=False)

    def cordon_note(self) -> str | None:
        """Who has cordoned the node and since when, None if nobody of ours has. A damaged note still counts as one."""
        if files.read_own(self._path("cordon.json")).content is None:
            return None
        return str((self._read("cordon.json") or {}).get("by") or "unknown")

    def write_cordon_note(self, text: str) -> None:
        self.drop_snapshot()
        self._write("cordon.json", {"by": text})

    def drop_cordon_note(self) -> None:
        files.remove(self._path("cordon.json"), through_link=False)

    def settings_read(self) -> dict[str, Any]:
        """What the controller has read from K3s' configuration files: see ``_identity/config_files.py``."""
        stored = self._read("settings.json") or {}
        return {path: known for path, known in stored.items() if fits(known, _FILE_READ)}

    def write_settings_read(self, value: dict[str, Any]) -> None:
        self.drop_snapshot()
        self._write("settings.json", value)

    def snapshot(self) -> str:
        """The snapshot of the node as it was when it had everything, "" if there is none."""
        return (files.read_own(self._path(FILE_NAME)).content or b"").decode("ascii", "replace")

    def write_snapshot(self, text: str) -> None:
        files.write(self._path(FILE_NAME), text.encode("ascii"), 0o600, through_link=False)

    def drop_snapshot(self) -> None:
        """Before anything is changed, so that none is ever there for a node that is being changed."""
        files.remove(self._path(FILE_NAME), through_link=False)

    def forget(self) -> None:
        """Remove the state folder with all generations: nothing of ours is left on the node, but for the note of a
        cordon that is still to be undone."""
        note = self.cordon_note()
        files.remove_tree(self.paths.state_dir)
        if note is not None:
            self.write_cordon_note(note)


def stamp(moment: float) -> str:
    """A moment as the files of the memory have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def record_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A record with every key present, what is missing or of another type as in an empty one."""
    return {
        key: stored[key] if fits(stored.get(key), _RECORD[key]) else copy.copy(default)
        for key, default in _EMPTY_RECORD.items()
    }
