# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power goes, or the disk is full, at every single write of stage and commit.

Whatever the moment: K3s, started again on what it finds, has the old configuration or the new one; no file is half
written; the next run ends with the new one.
"""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import DesiredFile
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem

from tests.conftest import mostly_nightly
from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, wanted

_WRITES = ("rename", "unlink", "mkdir", "rmdir", "fsync", "fchmod")


class Killed(BaseException):
    """The process is gone: nothing of it runs any more, cleaning up included."""


class Faults:
    """Makes the n-th write of the process the last one (``kill``), or makes all from the n-th on fail (``full``)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.count = 0
        self.at = -1
        self.how = ""
        for name in _WRITES:
            self._wrap(name, getattr(os, name))
        real_open = os.open

        def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if flags & os.O_CREAT:
                self._step()
            return real_open(path, flags, *rest, **more)

        monkeypatch.setattr(os, "open", opened)

    def _wrap(self, name: str, real: Callable[..., Any]) -> None:
        def wrapped(*arguments: Any, **more: Any) -> Any:
            if name in ("unlink", "rmdir"):
                # A full disk still lets files go; a process that is gone does not.
                self._step(removes=True)
            else:
                self._step()
            return real(*arguments, **more)

        self.monkeypatch.setattr(os, name, wrapped)

    def _step(self, removes: bool = False) -> None:
        self.count += 1
        if self.at < 0 or self.count <= self.at:
            return
        if self.how == "kill":
            raise Killed
        if not removes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def arm(self, how: str, at: int) -> None:
        self.count, self.at, self.how = 0, at, how

    def disarm(self) -> int:
        count, self.at = self.count, -1
        return count


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch, node: Node) -> Faults:
    return Faults(monkeypatch)


def _attempt(node: Node, k3s: FakeK3s, faults: Faults, how: str, at: int) -> tuple[bool, bool]:
    """One run of two steps with a fault; whether it ended without one, and whether it said that all is well."""
    two = wanted(node.paths, "two", "pass-word-2", "CA 2")
    faults.arm(how, at)
    try:
        node.apply(two)
    except Killed:
        return True, False
    except (FileProblem, Failure):
        return True, False
    finally:
        reached = faults.disarm()
    return reached > at, True


@pytest.mark.parametrize("how", mostly_nightly(["kill", "full"], "kill"))
def test_every_write_may_be_the_last(node: Node, k3s: FakeK3s, faults: Faults, how: str) -> None:
    one, two = wanted(node.paths, "one", "pass-word-1", "CA 1"), wanted(node.paths, "two", "pass-word-2", "CA 2")
    k3s.knows(one, two)
    allowed = {one.files[-1].content, two.files[-1].content}
    at, hit = 0, True
    while hit:
        node.apply(one)
        assert k3s.has_loaded("one")
        hit, well = _attempt(node, k3s, faults, how, at)
        assert node.registries() in allowed, "write %d left a file that is neither" % at
        if how == "kill":
            k3s.restart()  # the node boots again
        assert not k3s.hanging
        if well:
            assert k3s.has_loaded("two")
        node.apply(two)
        assert k3s.has_loaded("two"), "the run after write %d did not converge" % at
        result = node.stage(two)
        assert (result["changed"], result["restart"]) == (False, False)
        leftovers = [
            name for name in node.tree() if name.endswith("-new") or "candidate" in name or "transaction" in name
        ]
        assert not leftovers
        at += 1
    assert at > 30, "the faults were not injected"


def test_a_kill_while_putting_back_is_repaired_by_the_next_run(node: Node, k3s: FakeK3s, faults: Faults) -> None:
    one, two = wanted(node.paths, "one", "pass-word-1", "CA 1"), wanted(node.paths, "two", "pass-word-2", "CA 2")
    k3s.knows(one, two)
    at, hit = 0, True
    while hit:
        k3s.ill = set()
        node.apply(one)
        k3s.ill = {"two"}
        hit, _well = _attempt(node, k3s, faults, "kill", at)
        assert node.registries() in {one.files[-1].content, two.files[-1].content}
        k3s.restart()
        k3s.ill = set()
        node.apply(one)
        assert k3s.has_loaded("one")
        assert not node.stage(one)["restart"]
        at += 3
        hit = hit and at < 400
    assert at > 30


def _secret_files(*folders: Path) -> list[str]:
    return [str(path) for folder in folders for path in folder.rglob("*") if path.is_file() and _holds_secret(path)]


def _holds_secret(path: Path) -> bool:
    content = path.read_bytes()
    return b"pass-word" in content or b"KEY" in content


@pytest.mark.parametrize("linked", mostly_nightly([False, True], True))
@pytest.mark.parametrize("running", mostly_nightly([True, False], True))
@pytest.mark.parametrize("killed", mostly_nightly(["rollout", "removal"], "rollout"))
def test_a_removal_after_a_killed_run_leaves_no_secret(
    node: Node, k3s: FakeK3s, faults: Faults, tmp_path: Path, killed: str, running: bool, linked: bool
) -> None:
    """Whichever run is killed, and at whichever write: what it was writing, what it had written, and what it was about
    to write down goes with the next removal, and what was there before comes back."""
    found = b"mirrors: {}\n"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    registries, before = Path(node.paths.registries_yaml), Path(node.paths.registries_yaml + ".before-k3sfleet")
    one = wanted(node.paths, "one", "pass-word-1", "CA 1")
    two = wanted(node.paths, "two", "pass-word-2", "CA 2")
    key = DesiredFile(node.paths.cert_dir + "/another/client.key", b"KEY", 0o600)
    two = replace(two, files=(key, *two.files))
    k3s.knows(one, two)
    k3s.known[found] = nothing_wanted()
    at, hit = 0, True
    while hit:
        before.unlink(missing_ok=True)
        if linked:
            registries.symlink_to(elsewhere / "real.yaml")
        registries.write_bytes(found)
        k3s.running = running
        node.apply(one)
        if killed == "removal":
            node.apply(two)
        faults.arm("kill", at)
        try:
            node.apply(two if killed == "rollout" else nothing_wanted())
        except Killed:
            hit = True
        finally:
            hit = faults.disarm() > at
        k3s.running = running
        if running:
            k3s.restart()
        node.apply(nothing_wanted())
        assert not _secret_files(Path(node.paths.config_dir), elsewhere), "write %d left a secret" % at
        assert set(node.tree()) == {before.name}, "write %d left something" % at
        assert before.read_bytes() == found
        assert not registries.is_symlink()
        assert list(elsewhere.iterdir()) == []
        at += 1
    assert at > 20, "the faults were not injected"


def test_a_full_disk_is_named(node: Node, k3s: FakeK3s, faults: Faults) -> None:
    one = wanted(node.paths, "one")
    faults.arm("full", 0)
    with pytest.raises(FileProblem, match="No space left on device; free some space"):
        node.stage(one)


def damage_generations(node: Node) -> None:
    for name in node.tree():
        if "generations" in name:
            with open(os.path.join(node.paths.config_dir, name), "w", encoding="utf-8") as handle:
                handle.write("damaged")


def test_a_generation_damaged_during_the_commit_is_named(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    k3s.ill = {"two"}
    node.stage(two)
    restart = k3s.restart

    def damaging_restart() -> None:
        damage_generations(node)
        restart()

    monkeypatch.setattr(k3s, "restart", damaging_restart)
    with pytest.raises(Failure, match=r"Putting generation \d+ back failed too: generation \d+ .* damaged"):
        node.commit()
    # What could not be put back is still a whole configuration, and the next run takes it up.
    assert node.registries() == two.files[-1].content
    k3s.ill = set()
    node.apply(two)
    assert not node.stage(two)["restart"]


def test_a_damaged_candidate_is_refused_before_anything_is_touched(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.stage(one)
    path = os.path.join(node.paths.state_dir, "candidate.json")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write('{"format": 1, "files": ["canary-secret"')
    with pytest.raises(Exception, match="damaged.*run the playbook again") as problem:
        node.commit()
    assert "canary-secret" not in str(problem.value)
    assert node.registries() == b""


def test_a_damaged_generation_does_not_take_the_way_back(node: Node, k3s: FakeK3s) -> None:
    one, two = wanted(node.paths, "one", "pass-word-1", "CA 1"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    before = node.registries()
    damage_generations(node)
    k3s.ill.add("two")
    node.stage(two)
    with pytest.raises(Failure, match="put back as it was and is healthy"):
        node.commit()
    assert node.registries() == before
    assert Path(node.paths.cert_dir, "registry/ca.crt").read_text() == "CA 1"
    assert not node.stage(one)["restart"]
