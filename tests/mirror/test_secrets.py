# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret leaves the registry's own files: not in output, results, command lines, nor files that stay."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from pathlib import Path

from tests.integration.secrets_watch import ProcessWatch, Secrets, files_with
from tests.mirror.conftest import arguments
from tests.mirror.play import mirror
from tests.mirror.registries import PASSWORD, USERNAME, LocalRegistry

_PRIVATE = re.compile(r"k3sfleet-mirror-")
_PLACES = ("/dev/shm", tempfile.gettempdir())


def test_secrets_are_in_no_file_while_it_runs_nor_afterwards(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    secrets = Secrets({"password": PASSWORD, "client key": (target.folder / "client.key").read_text()})
    secrets.add_basic_auth(USERNAME, PASSWORD)
    given = arguments(source, target, ["docker.io/rancher/gone:1", *few])
    with ProcessWatch(secrets) as watch, _FileWatch() as files:
        run = mirror(tmp_path / "run", given, "--diff", "-vvv")
    assert run.actions() == ["failed"] + ["copied"] * 6, run.why
    assert watch.looks > 10
    assert watch.found == set()
    assert secrets.found_in(run.output) == []
    assert secrets.found_in((tmp_path / "run" / "result.json").read_text()) == []
    (tmp_path / "run" / "play.yml").unlink()
    assert files_with(secrets, [tmp_path / "run"]) == []
    assert files.looks > 50
    assert files.found == set()


class _FileWatch:
    """Notes whatever the mirror puts into the folders for temporary files, while it is there."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _FileWatch:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.looks += 1
            for place in _PLACES:
                self.found.update(name for name in os.listdir(place) if _PRIVATE.match(name))
