# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own memory on a node: what is in place, what is staged, which commit is under way.

``<state_dir>/record.json``       what the last finished run put in place
``<state_dir>/candidate.json``    what the next commit will put in place (secret)
``<state_dir>/settings.json``     what the controller has read from K3s' configuration files where the node could not
``<state_dir>/transaction.json``  there exactly while a commit or rollback is under way: a run that finds it
                                  knows that an earlier one died, and which generation was the last good one
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from typing import Any, Callable, Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

_EMPTY_RECORD: dict[str, Any] = {
    "managed": [],
    "registries_sha256": "",
    "description": "",
    "certificates": [],
    "generation": 0,
    "previous": 0,
    "rolled_back": False,
    "committed_at": "",
}


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
        content = files.read(self._path(name)).content
        if content is None:
            return None
        try:
            value = json.loads(content.decode("utf-8"))
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def _write(self, name: str, value: dict[str, Any]) -> None:
        self.make()
        files.write(self._path(name), json.dumps(value, sort_keys=True, indent=1).encode("utf-8"), 0o600)

    def make(self) -> None:
        """Make the state folder, root-only."""
        files.make_directory(self.paths.config_dir, 0o755)
        files.make_directory(self.paths.state_dir, 0o700)

    @contextlib.contextmanager
    def locked(self, wait: float = LOCK_WAIT, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """Keep other runs from changing this node while the block runs.

        The lock is on the configuration folder itself, so there is no file to leave behind, and the kernel gives it
        back when the process ends in whatever way.

        :raises NodeBusy: when another run still has it after ``wait`` seconds.
        """
        try:
            descriptor = os.open(self.paths.config_dir, os.O_RDONLY)
        except OSError:
            # No folder yet: K3s is not installed, and there is nothing two runs could break.
            yield
            return
        try:
            deadline = time.monotonic() + wait
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() >= deadline:
                        under_way = self.transaction() or {"step": "staging", "started": "?"}
                        raise NodeBusy(
                            "another run has been changing this node for more than %d s (%s, since %s); "
                            "run again when it has ended" % (wait, under_way["step"], under_way["started"])
                        ) from None
                    sleep(0.5)
            yield
        finally:
            os.close(descriptor)

    def record(self) -> dict[str, Any]:
        """What the last finished run put in place, every key present."""
        stored = self._read("record.json") or {}
        return {key: stored.get(key, default) for key, default in _EMPTY_RECORD.items()}

    def write_record(self, record: dict[str, Any]) -> None:
        self._write("record.json", record)

    def candidate_text(self) -> str | None:
        """The staged state as shipped, None when nothing is staged."""
        content = files.read(self._path("candidate.json")).content
        return None if content is None else content.decode("utf-8", "replace")

    def write_candidate(self, text: str) -> None:
        self.make()
        files.write(self._path("candidate.json"), text.encode("utf-8"), 0o600)

    def drop_candidate(self) -> None:
        files.remove(self._path("candidate.json"))

    def transaction(self) -> dict[str, Any] | None:
        """The commit that did not end, None when the last one did. A damaged one still counts as one."""
        if files.read(self._path("transaction.json")).content is None:
            return None
        return self._read("transaction.json") or {"generation": 0, "step": "unknown", "started": ""}

    def write_transaction(self, generation: int, step: str, started: str) -> None:
        self._write("transaction.json", {"generation": generation, "step": step, "started": started})

    def end_transaction(self) -> None:
        files.remove(self._path("transaction.json"))

    def settings_read(self) -> dict[str, Any]:
        """What the controller has read from K3s' configuration files: see ``_identity/config_files.py``."""
        return self._read("settings.json") or {}

    def write_settings_read(self, value: dict[str, Any]) -> None:
        self._write("settings.json", value)

    def forget(self) -> None:
        """Remove the state folder with all generations: nothing of ours is left on the node."""
        files.remove_tree(self.paths.state_dir)
