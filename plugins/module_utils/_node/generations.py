# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generations: complete copies of the managed files, kept so that a node can be put back as it was.

A generation is a folder ``<state_dir>/generations/<number>/`` with ``manifest.json`` and one file per kept
content. It appears under its number by one rename, so one that can be seen is whole. Everything in it is 0600.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from typing import Any, Iterable

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import of_record
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import json_object

from . import files, managed
from .desired import ABSENT, FOUND, Desired, DesiredFile, DesiredProblem, from_text
from .kept_shapes import fits, is_mode, is_path, is_text
from .memory import record_of, stamp
from .paths import NodePaths


def _is_kept_file(entry: Any) -> bool:
    """A file's entry in a manifest: its path, and where its content lies, unless there was no such file."""
    if not fits(entry, {"path": is_path}) or "stored" not in entry:
        return False
    stored = {"stored": lambda name: is_text(name) and name.isdigit(), "mode": is_mode, "sha256": is_text}
    return entry["stored"] is None or fits(entry, stored)


_MANIFEST = {"files": [_is_kept_file], "record": dict, "saved_at": is_text}


class GenerationDamaged(Exception):
    """A generation cannot be put back; the text says which and what is wrong with it."""


class Generations:
    """The kept generations of one node."""

    def __init__(self, paths: NodePaths) -> None:
        self.paths = paths
        self.folder = os.path.join(paths.state_dir, "generations")

    def numbers(self) -> list[int]:
        """The kept numbers, oldest first."""
        return sorted(int(name) for name in files.names_in(self.folder) if name.isdigit())

    def save(
        self, paths: Iterable[str], record: dict[str, Any], *, desired_text: str = "", foreign: bool = False
    ) -> int:
        """Keep what lies at ``paths`` now, "nothing" included, with the record that describes it.

        :param desired_text: the wanted state that it came from, as shipped; "" when it is not known.
        :param foreign: what is kept was not made by the collection.
        :returns: the new generation's number; it stands in the kept record too.
        :raises FileProblem: if it cannot be read or written; nothing has been kept then.
        """
        number = max(self.numbers(), default=0) + 1
        temporary = os.path.join(self.folder, "unfinished" + files.TEMPORARY_SUFFIX)
        files.remove_tree(temporary)
        files.make_directory(os.path.dirname(self.folder), 0o700)
        files.make_directory(self.folder, 0o700)
        files.make_directory(temporary, 0o700)
        entries = []
        for index, path in enumerate(sorted(set(paths))):
            state = files.read(path)
            entry: dict[str, Any] = {"path": path, "stored": None}
            if state.content is not None:
                entry.update(
                    stored=str(index),
                    mode=state.mode,
                    sha256=hashlib.sha256(state.content).hexdigest(),
                )
                files.write(os.path.join(temporary, str(index)), state.content, 0o600, through_link=False)
            entries.append(entry)
        if desired_text:
            path = os.path.join(temporary, "desired.json")
            files.write(path, desired_text.encode("utf-8"), 0o600, through_link=False)
        manifest = {
            "number": number,
            "saved_at": stamp(time.time()),
            "foreign": foreign,
            "files": entries,
            "record": dict(record, generation=number),
        }
        path = os.path.join(temporary, "manifest.json")
        files.write(path, json.dumps(manifest, sort_keys=True).encode("utf-8"), 0o600, through_link=False)
        try:
            os.rename(temporary, os.path.join(self.folder, str(number)))
        except OSError as error:
            raise files.FileProblem(
                "cannot keep generation %d in %s: %s" % (number, self.folder, error.strerror)
            ) from error
        files.sync_directory(self.folder)
        return number

    def manifest(self, number: int) -> dict[str, Any]:
        """What generation ``number`` holds.

        :raises GenerationDamaged: if it is missing or cannot be read.
        """
        path = os.path.join(self.folder, str(number), "manifest.json")
        content = files.read_own(path).content
        try:
            manifest = json_object(content or b"")
            if not fits(manifest, _MANIFEST):
                raise ValueError
        except ValueError:
            raise GenerationDamaged(
                "generation %d in %s is missing or damaged (manifest.json)" % (number, self.folder)
            ) from None
        return dict(manifest, record=record_of(manifest["record"]))

    def desired(self, number: int) -> Desired:
        """The wanted state that generation ``number`` stands for.

        For what was found on the node and not made by the collection it is made of the kept files, without a
        configuration: what K3s makes of them is not known here.

        :raises GenerationDamaged: if a part is missing or not what was kept.
        """
        folder = os.path.join(self.folder, str(number))
        manifest = self.manifest(number)
        text = files.read_own(os.path.join(folder, "desired.json")).content
        if text is not None:
            try:
                return from_text(text.decode("utf-8", "replace")).at(self.paths)
            except DesiredProblem as problem:
                raise GenerationDamaged("generation %d in %s: %s" % (number, self.folder, problem)) from problem
        found = tuple(
            DesiredFile(path, content, mode) for path, content, mode in self._contents(number) if content is not None
        )
        return Desired(
            kind=FOUND if found else ABSENT,
            shipped=found,
            registries_text=None,
            config=None if found else {"mirrors": {}, "configs": {}},
            settings={},
            description="# generation %d, found on the node on %s\n" % (number, manifest["saved_at"]) if found else "",
            certificates=(),
            registries=(),
            on_node=of_record(manifest["record"]["programs"]),
        ).at(self.paths)

    def _contents(self, number: int) -> list[tuple[str, bytes | None, int]]:
        """Path, content (None: no file) and mode of every file of a generation, checked; registries.yaml last."""
        contents: list[tuple[str, bytes | None, int]] = []
        for entry in self.manifest(number)["files"]:
            if entry["stored"] is None:
                contents.append((entry["path"], None, 0))
                continue
            content = files.read_own(os.path.join(self.folder, str(number), entry["stored"])).content
            if content is None or hashlib.sha256(content).hexdigest() != entry["sha256"]:
                raise GenerationDamaged(
                    "generation %d in %s is damaged: the kept copy of %s is not what was saved"
                    % (number, self.folder, entry["path"])
                )
            contents.append((entry["path"], content, entry["mode"]))
        return sorted(contents, key=lambda item: item[0].endswith(".yaml"))

    def knows(self, number: int, path: str) -> bool:
        """Whether generation ``number`` says what lay at ``path``, "nothing" included."""
        with contextlib.suppress(GenerationDamaged):
            return any(entry["path"] == path for entry in self.manifest(number)["files"])
        return False

    def programs(self) -> set[str]:
        """The programs of credential providers that the kept generations have, by their contents' checksums."""
        found: set[str] = set()
        for number in self.numbers():
            with contextlib.suppress(GenerationDamaged):
                found.update(self.manifest(number)["record"]["programs"].values())
        return found

    def intact(self, number: int) -> bool:
        """Whether generation ``number`` is kept and could be restored."""
        try:
            self._contents(number)
            self.desired(number)
        except GenerationDamaged:
            return False
        return True

    def restore(self, number: int, unwanted: Iterable[str] = ()) -> dict[str, Any]:
        """Put every file of generation ``number`` back, or away if there was none, and return its record.

        Everything is read and checked before the first file is touched. registries.yaml and the drop-in go
        last, after the certificates they name; then ``unwanted`` files that the generation does not know go.

        :raises GenerationDamaged: if a content is missing or not what was kept; nothing has been touched then.
        :raises FileProblem: if a file cannot be written.
        """
        manifest = self.manifest(number)
        contents = self._contents(number)
        writes = files.Writes()
        for path, content, mode in contents:
            if content is not None:
                managed.add(writes, path, content, mode)
        writes.finish()
        for path, content, _mode in contents:
            if content is None:
                managed.remove(path)
        for path in set(unwanted) - {entry["path"] for entry in manifest["files"]}:
            managed.remove(path)
        record: dict[str, Any] = manifest["record"]
        return record

    def prune(self, keep: int) -> None:
        """Remove all but the current generation, the ``keep`` before it (one at the least: there has to be a way back),
        and the first one that was not made by the collection.

        That first one is what a removal gives back. Later ones are no different from ours: if something else writes
        registries.yaml again and again, they would keep every password that has ever been rotated out.
        """
        numbers = self.numbers()
        old = numbers[: max(0, len(numbers) - max(1, keep) - 1)]
        first = next((number for number in numbers if self._is_foreign(number)), 0) if old else 0
        for number in old:
            if number != first:
                files.remove_tree(os.path.join(self.folder, str(number)))

    def found(self, path: str) -> bytes | None:
        """The first kept content of ``path`` that the collection did not write, None when there is none."""
        for number in self.numbers():
            if self._is_foreign(number):
                with contextlib.suppress(GenerationDamaged):
                    contents = {kept: content for kept, content, _mode in self._contents(number)}
                    if contents.get(path) is not None:
                        return contents[path]
        return None

    def _is_foreign(self, number: int) -> bool:
        try:
            return bool(self.manifest(number).get("foreign"))
        except GenerationDamaged:
            return False
