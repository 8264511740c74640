# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret leaves the registry's own files: not in output, results, command lines, nor files that stay."""

from __future__ import annotations

import os
import re
import stat
import threading
from pathlib import Path

from tests.integration.secrets_watch import ProcessWatch, Secrets, files_with
from tests.mirror.conftest import arguments
from tests.mirror.play import mirror
from tests.mirror.registries import PASSWORD, USERNAME, LocalRegistry

_PRIVATE = re.compile(r"k3sfleet-mirror-\d")


def test_secrets_are_nowhere_but_in_private_files_that_go(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    secrets = Secrets({"password": PASSWORD, "client key": (target.folder / "client.key").read_text()})
    secrets.add_basic_auth(USERNAME, PASSWORD)
    given = arguments(source, target, ["docker.io/rancher/gone:1", *few])
    modes: set[tuple[str, int]] = set()
    with ProcessWatch(secrets) as watch, _FileWatch(modes):
        run = mirror(tmp_path / "run", given, "--diff", "-vvv")
    assert run.actions() == ["failed"] + ["copied"] * 6, run.why
    assert watch.looks > 10
    assert watch.found == set()
    assert secrets.found_in(run.output) == []
    assert secrets.found_in((tmp_path / "run" / "result.json").read_text()) == []
    (tmp_path / "run" / "play.yml").unlink()
    assert files_with(secrets, [tmp_path / "run"]) == []
    assert ("file", 0o600) in modes, "the files were seen, else nothing is proved"
    assert modes <= {("file", 0o600), ("folder", 0o700)}
    assert [name for name in os.listdir("/dev/shm") if _PRIVATE.match(name)] == []


class _FileWatch:
    """Notes the modes of everything in the mirror's private folders, while they are there."""

    def __init__(self, modes: set[tuple[str, int]]) -> None:
        self._modes = modes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            for name in os.listdir("/dev/shm"):
                if _PRIVATE.match(name):
                    for folder, _folders, files in os.walk(os.path.join("/dev/shm", name)):
                        self._note("folder", folder)
                        for file in files:
                            self._note("file", os.path.join(folder, file))

    def _note(self, kind: str, path: str) -> None:
        try:
            found = os.lstat(path)
        except OSError:
            return
        if not stat.S_ISLNK(found.st_mode):
            self._modes.add((kind, stat.S_IMODE(found.st_mode)))
