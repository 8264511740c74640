# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node whose K3s is a table: the module's own code on a folder, without Ansible."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Sequence

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload import archive as archives
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload import containerd, importing, part, work
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.containerd import Image
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload import catalogue, parcels
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.catalogue import Stored, described

BLOCK = 8


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (archives, part, catalogue):
        monkeypatch.setattr(module, "BLOCK", BLOCK)


@dataclass
class Clock:
    """Time that passes only when somebody waits."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeNode:
    """One node: its folders are real, what it is and its K3s are not."""

    folder: Path
    clock: Clock
    state: str = "running"
    release: str = "v1.34.3+k3s1"
    cut_after: int = -1
    damage_next: int = 0
    imports: bool = True
    calls: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    images: dict[str, Image] = field(default_factory=dict)
    known_to_k3s: dict[str, int] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    archives: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def images_dir(self) -> Path:
        return self.folder / "agent" / "images"

    @property
    def identity(self) -> Any:
        return SimpleNamespace(
            paths=node_paths(data_dir=str(self.folder)), state=self.state, alive=self.state == "running"
        )

    def has(self, stored: Sequence[Stored]) -> None:
        self.paths = parcels.paths_of(stored)
        self.archives = {item.archive.file: item.archive.images for item in stored}

    def ask(self, operation: str, **more: Any) -> dict[str, Any]:
        self.calls.append(operation)
        said = work.OPERATIONS[operation](self.identity, json.loads(json.dumps({"operation": operation, **more})))
        self.k3s_looks()
        return dict(json.loads(json.dumps(said)))

    def put(self, pieces: Sequence[parcels.Piece]) -> str:
        if self.cut_after == 0:
            raise ConnectionError("the line is dead")
        self.cut_after -= 1
        path = self.folder / "parcel"
        with path.open("wb") as out:
            parcels.write(out, pieces, self.paths)
        if self.damage_next:
            self.damage_next -= 1
            content = bytearray(path.read_bytes())
            content[0] ^= 1
            path.write_bytes(content)
        return str(path)

    def tell(self, line: str) -> None:
        self.told.append(line)

    def k3s_looks(self) -> None:
        """A K3s that watches: what is new in its folder is imported, what is known only if it was gone."""
        if self.state != "running" or not importing.watches(self.release):
            return
        there = {file.name: file.stat().st_size for file in self.images_dir.glob("*.tar*")}
        self.known_to_k3s = {name: size for name, size in self.known_to_k3s.items() if name in there}
        for name, size in there.items():
            if name not in self.known_to_k3s and self.imports:
                self.known_to_k3s[name] = size
                self.imported(self.archives.get(name, ()))

    def imported(self, names: Sequence[str]) -> None:
        for name in names:
            self.images[name] = Image(name, "sha256:" + name.encode().hex()[:64].ljust(64, "0"), True)

    def files(self) -> set[str]:
        return {file.name for file in self.images_dir.iterdir()} if self.images_dir.exists() else set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, small_blocks: None) -> FakeNode:
    found = FakeNode(tmp_path / "node", clock)
    found.folder.mkdir()

    def by_hand(_paths: Any, path: str, names: Sequence[str], _timeout: float) -> None:
        assert os.path.exists(path)
        found.calls.append("ctr import")
        found.imported(names)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if seconds > 2:
            # K3s looks two seconds after an event.
            found.k3s_looks()

    def wait(wanted: Any, images: Any, seconds: float, **_more: Any) -> Any:
        found.k3s_looks()
        return real_wait(wanted, images, seconds, clock, clock.sleep)

    real_wait = importing.wait
    monkeypatch.setattr(work, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(importing, "wait", wait)
    monkeypatch.setattr(containerd, "images", lambda _paths: dict(found.images))
    monkeypatch.setattr(containerd, "used", lambda _paths, _known: set())
    monkeypatch.setattr(containerd, "forget", lambda _paths, names: [found.images.pop(name) for name in names])
    monkeypatch.setattr(containerd, "bring_in", by_hand)
    monkeypatch.setattr(work, "installed", lambda _paths, keep: found.release)
    return found


@pytest.fixture
def stored(tmp_path: Path, small_blocks: None) -> list[Stored]:
    """Forty archives on the controller."""
    folder = tmp_path / "controller"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    found = []
    for number in range(40):
        path = folder / ("%d.tar" % number)
        path.write_bytes(b"image %d " % number * 3)
        name = "docker.io/rancher/part-%d:1" % number
        archive = described(
            str(path), lambda digest, number=number: archives.file_name("part-%d" % number, digest, ".tar"), [name]
        )
        found.append(Stored(archive, str(path)))
    return found
