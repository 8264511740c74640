# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node keeps for the next run is broken, edited or no file at all.

Half a file, another type in every place of it, a link, a FIFO, a folder.

A run ends as it would without that file, or with one of its own sentences, and the run after it converges.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure, Refused
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import DesiredProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generations import GenerationDamaged
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import previous_state

from tests.conftest import NIGHTLY
from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, wanted

SAID = (DesiredProblem, Failure, FileProblem, GenerationDamaged, Refused)
"""What a module turns into a sentence."""
NO_OBJECT = {
    "empty": b"", "half": b'{"managed": ["/etc/ra', "text": b"password: pass-word-1", "list": b"[1]", "null": b"null",
    "number": b"1e999", "NaN": b'{"generation": NaN}', "deep": b"[" * 200_000, "long number": b"9" * 20_000,
    "binary": b"\xff\xfe\0", "an empty object": b"{}",
}  # fmt: skip
OTHERS: list[Any] = [None, True, -1, "x", [None], {"x": 1}, "/etc/a\0b", ["/\ud800"]]
NAMES = (
    "record.json", "candidate.json", "transaction.json", "settings.json", "generations/2/manifest.json",
    "generations/2/desired.json", "generations/2/0",
)  # fmt: skip


@pytest.fixture
def kept(node: Node, k3s: FakeK3s, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node in the middle of a commit, with three generations, the first one somebody else's; and a copy of that."""
    # Hundreds of runs: no power is cut here.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    found = b"mirrors: {}\n"
    Path(node.paths.registries_yaml).write_bytes(found)
    k3s.known[found] = nothing_wanted()
    states = [wanted(node.paths, name, "pass-word-1", "CA") for name in ("one", "two", "three")]
    k3s.knows(*states)
    node.apply(states[0])
    node.apply(states[1])
    memory = Memory(node.paths)
    memory.write_settings_read({"config.yaml": {"x": 1}})
    node.stage(states[2])
    memory.write_transaction(3, "restart", 1795694400.0)
    for folder in ("etc", "var"):
        shutil.copytree(tmp_path / folder, tmp_path / "kept" / folder)
    return tmp_path / "kept"


def _again(kept: Path, k3s: FakeK3s) -> None:
    for folder in ("etc", "var"):
        shutil.rmtree(kept.parent / folder)
        shutil.copytree(kept / folder, kept.parent / folder)
    k3s.running = True
    k3s.restart()


def _roll_back(node: Node) -> None:
    earlier = previous_state(node.paths)
    if earlier is not None:
        node.apply(earlier)


def _ends(run: Callable[[], Any], what: str) -> None:
    said = ""
    try:
        run()
    except SAID as problem:
        said = str(problem)
    except Exception as problem:
        raise AssertionError("%s: %r" % (what, problem)) from problem
    assert "pass-word" not in said, what


def _runs(node: Node) -> dict[str, Callable[[], Any]]:
    three = wanted(node.paths, "three", "pass-word-1", "CA")
    return {
        "a check": lambda: node.stage(three, check_mode=True),
        "a rollout": lambda: node.apply(three),
        "a commit": node.commit,
        "a rollback": lambda: _roll_back(node),
        "a removal": lambda: node.apply(nothing_wanted()),
    }


def _converges(node: Node, k3s: FakeK3s, what: str) -> None:
    two = wanted(node.paths, "two", "pass-word-1", "CA")
    node.apply(two)
    assert k3s.has_loaded("two"), what
    assert not node.stage(two)["restart"], what
    node.apply(nothing_wanted())
    assert not Path(node.paths.state_dir).exists(), what


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_none(node: Node, k3s: FakeK3s, kept: Path, name: str) -> None:
    for number, (kind, content) in enumerate(NO_OBJECT.items(), NAMES.index(name)):
        _again(kept, k3s)
        (Path(node.paths.state_dir) / name).write_bytes(content)
        runs = _runs(node)
        run = list(runs)[number % len(runs)]
        what = "%s with %s in %s" % (run, kind, name)
        _ends(runs[run], what)
        _converges(node, k3s, what)


def _edited(value: Any) -> Iterator[tuple[str, Any]]:
    """The same with another value in one of its places, or without it."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value[:1]))
    for key, item in items:
        for other in OTHERS:
            changed = copy.copy(value)
            changed[key] = other
            yield "%s = %r" % (key, other), changed
        if isinstance(value, dict):
            yield "no " + key, {name: kept for name, kept in items if name != key}
        if isinstance(item, (dict, list)):
            for what, inner in _edited(item):
                changed = copy.copy(value)
                changed[key] = inner
                yield "%s.%s" % (key, what), changed


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".json")])
def test_another_value_in_every_place(node: Node, k3s: FakeK3s, kept: Path, name: str) -> None:
    path = Path(node.paths.state_dir) / name
    edited = list(enumerate(_edited(json.loads(path.read_bytes()))))
    # Nine changes in each place: one of them each time, another in the next place.
    for number, (change, value) in edited if NIGHTLY else edited[::10]:
        _again(kept, k3s)
        path.write_text(json.dumps(value), encoding="utf-8")
        runs = _runs(node)
        run = list(runs)[number % len(runs)]
        what = "%s with %s in %s" % (run, change, name)
        _ends(runs[run], what)
        _converges(node, k3s, what)


PLANTED: dict[str, Callable[[Path, Path], object]] = {
    "a FIFO": lambda path, _victim: os.mkfifo(path, 0o600),
    "a folder": lambda path, _victim: path.mkdir(),
    "a folder with something in it": lambda path, _victim: (path / "a" / "b").mkdir(parents=True),
    "a link": lambda path, victim: path.symlink_to(victim),
    "a link to nothing": lambda path, victim: path.symlink_to(victim.parent / "nothing"),
    "a link to itself": lambda path, _victim: path.symlink_to(path),
    "a hard link": lambda path, victim: os.link(victim, path),
    "a file for everybody": lambda path, _victim: (path.write_bytes(b"{}"), path.chmod(0o666)),
}


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("name", ["record.json", "candidate.json", "release.json", "generations", "generations/2"])
def test_what_is_no_file_of_ours(node: Node, k3s: FakeK3s, kept: Path, tmp_path: Path, name: str, kind: str) -> None:
    """No run waits for it or writes through it. What stops a run is named, and what does not is no obstacle."""
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    path = Path(node.paths.state_dir) / name
    for run in ("a rollout", "a commit", "a removal"):
        _again(kept, k3s)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        PLANTED[kind](path, victim)
        _ends(_runs(node)[run], "%s with %s for %s" % (run, kind, name))
        assert victim.read_text(encoding="utf-8") == "mine"
        # A folder that root has moved elsewhere is root's to make.
        assert name == "generations" or list(tmp_path.glob("nothing")) == []
