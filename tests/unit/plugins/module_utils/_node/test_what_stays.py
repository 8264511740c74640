# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays on a node when it should not, and what has to: leftovers, links, generations, files at former paths."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired, DesiredFile
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import TEMPORARY_SUFFIX, FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generations import Generations
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory, NodeBusy
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, wanted
from tests.unit.plugins.module_utils._node.strangers import Strangers

SECRET = b"canary-secret"


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> Strangers:
    return Strangers(monkeypatch)


def with_key(paths: NodePaths, name: str, key: str = "canary-secret") -> Desired:
    """A wanted state that ships a key."""
    state = wanted(paths, name, key, "CA " + name)
    file = DesiredFile(paths.cert_dir + "/registry/client.key", key.encode(), 0o600)
    return replace(state, shipped=(file, *state.shipped)).at(paths)


def secrets_in(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and SECRET in path.read_bytes()]


def leave_behind(node: Node) -> list[Path]:
    """Everything that a run which is killed while it writes or removes can leave."""
    paths = node.paths
    left = [
        Path(paths.registries_yaml + TEMPORARY_SUFFIX),
        Path(paths.registries_yaml + ".before-k3sfleet" + TEMPORARY_SUFFIX),
        Path(paths.drop_in + TEMPORARY_SUFFIX),
        Path(paths.cert_dir, "registry/client.key" + TEMPORARY_SUFFIX),
        Path(paths.cert_dir, "another/client.key" + TEMPORARY_SUFFIX),
        Path(paths.state_dir, "candidate.json" + TEMPORARY_SUFFIX),
        Path(paths.state_dir, "generations/unfinished" + TEMPORARY_SUFFIX, "0"),
        Path(paths.state_dir, "generations/1" + TEMPORARY_SUFFIX, "manifest.json"),
        Path(paths.state_dir + TEMPORARY_SUFFIX, "record.json"),
        Path(paths.certs_d, "docker.io/hosts.toml" + TEMPORARY_SUFFIX),
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET)
    return left


@pytest.mark.parametrize("run", ["absent", "unchanged", "other", "rollout"])
@pytest.mark.parametrize("running", [True, False])
def test_what_a_killed_run_was_writing_is_removed_by_the_next(
    node: Node, k3s: FakeK3s, tmp_path: Path, run: str, running: bool
) -> None:
    one, two = wanted(node.paths, "one", certificate="CA 1"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    if run == "rollout":
        node.stage(two)
    k3s.running = running
    left = leave_behind(node)
    if run == "rollout":
        node.commit()
    else:
        node.stage({"absent": nothing_wanted(), "unchanged": one, "other": two}[run])
    assert not [path for path in left if path.exists()]
    assert not secrets_in(tmp_path)
    assert not Path(node.paths.cert_dir, "another").exists()


def test_check_mode_removes_no_leftovers(node: Node, k3s: FakeK3s) -> None:
    left = leave_behind(node)
    node.stage(wanted(node.paths, "one"), check_mode=True)
    assert all(path.exists() for path in left)


def test_the_leftovers_beside_a_links_target_go_too(node: Node, k3s: FakeK3s, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Path(node.paths.registries_yaml).symlink_to(elsewhere / "real.yaml")
    (elsewhere / ("real.yaml" + TEMPORARY_SUFFIX)).write_bytes(SECRET)
    node.stage(nothing_wanted())
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("found", [b"", b"mirrors: {}\n"])
@pytest.mark.parametrize("running", [True, False])
def test_nothing_of_ours_stays_behind_a_linked_file(
    node: Node, k3s: FakeK3s, tmp_path: Path, found: bytes, running: bool
) -> None:
    target = tmp_path / "elsewhere/real.yaml"
    target.parent.mkdir()
    if found:
        target.write_bytes(found)
    k3s.known[b"mirrors: {}\n"] = nothing_wanted()
    registries = Path(node.paths.registries_yaml)
    registries.symlink_to(target)
    one = with_key(node.paths, "one")
    k3s.knows(one)
    node.apply(one)
    assert registries.is_symlink()
    assert target.read_bytes() == one.files[-1].content
    k3s.running = running
    node.apply(nothing_wanted())
    assert not secrets_in(Path(node.paths.config_dir)) + secrets_in(target.parent)
    assert not target.exists()
    assert not registries.is_symlink()
    kept = Path(node.paths.registries_yaml + ".before-k3sfleet")
    assert (kept.read_bytes() if kept.exists() else b"") == found


def test_a_failed_rollout_leaves_nothing_behind_a_link_to_nothing(node: Node, k3s: FakeK3s, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere/real.yaml"
    target.parent.mkdir()
    Path(node.paths.registries_yaml).symlink_to(target)
    one = with_key(node.paths, "one")
    k3s.knows(one)
    k3s.ill = {"one"}
    node.stage(one)
    with pytest.raises(Failure, match="put back as it was"):
        node.commit()
    assert not target.exists()


def test_a_drop_in_that_leads_to_nothing_goes(node: Node, k3s: FakeK3s) -> None:
    """K3s does not start with one."""
    drop_in = Path(node.paths.drop_in)
    drop_in.parent.mkdir()
    drop_in.symlink_to("nothing.yaml")
    node.stage(nothing_wanted())
    assert not drop_in.is_symlink()


def test_a_linked_certificate_is_refused_before_anything_is_touched(node: Node, k3s: FakeK3s, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    key = Path(node.paths.cert_dir, "registry/client.key")
    key.parent.mkdir(parents=True)
    key.symlink_to(victim)
    with pytest.raises(FileProblem, match="client.key: it is a symbolic link"):
        node.stage(with_key(node.paths, "one"))
    assert victim.read_text() == "precious"
    assert set(node.tree()) == {"registry-certs/registry/client.key"}


@pytest.mark.parametrize("check_mode", [True, False])
def test_certificates_below_a_folder_that_others_may_write_are_refused_while_staging(
    node: Node, k3s: FakeK3s, tmp_path: Path, check_mode: bool
) -> None:
    world = tmp_path / "world"
    world.mkdir()
    world.chmod(0o777)
    paths = replace(node.paths, cert_dir=str(world / "certs"))
    open_node = Node(paths, k3s)
    with pytest.raises(FileProblem, match="others than its owner may write"):
        open_node.stage(with_key(paths, "one"), check_mode=check_mode)
    assert node.tree() == {}
    assert list(world.iterdir()) == []


def test_a_state_folder_of_somebody_elses_is_not_believed(
    node: Node, k3s: FakeK3s, tmp_path: Path, strangers: Strangers
) -> None:
    """Whoever writes its generations decides which files root puts where."""
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.apply(one)
    strangers.give(Path(node.paths.state_dir))
    for desired in (one, nothing_wanted()):
        for check_mode in (True, False):
            with pytest.raises(FileProblem, match="belongs to user"):
                node.stage(desired, check_mode=check_mode)
    with pytest.raises(FileProblem, match="belongs to user"):
        node.commit()
    assert node.registries() == one.files[-1].content


def test_a_state_folder_that_others_can_read_is_closed(node: Node, k3s: FakeK3s) -> None:
    Path(node.paths.state_dir).mkdir(mode=0o755)
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.apply(one)
    assert os.stat(node.paths.state_dir).st_mode & 0o777 == 0o700


def test_nobody_but_root_can_hold_a_run_up(node: Node, k3s: FakeK3s) -> None:
    """Anybody may open /etc/rancher/k3s, and who has opened a folder may lock it."""
    descriptor = os.open(node.paths.config_dir, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with Memory(node.paths).locked(wait=0.0):
            pass
    finally:
        os.close(descriptor)


def test_two_runs_wait_for_each_other_even_when_the_first_removes_everything(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.apply(one)
    first, second, third = (Memory(node.paths) for _number in range(3))
    with first.locked():
        with pytest.raises(NodeBusy), second.locked(wait=0.0):
            pass
        first.forget()
    with second.locked(wait=0.0), pytest.raises(NodeBusy), third.locked(wait=0.0):
        pass
    assert not os.path.exists(node.paths.state_dir)


def test_an_untouched_node_stays_untouched(node: Node, k3s: FakeK3s) -> None:
    node.stage(nothing_wanted())
    assert os.listdir(node.paths.config_dir) == []


def generations_of(node: Node) -> list[int]:
    return Generations(node.paths).numbers()


def test_passwords_that_somebody_rotates_do_not_pile_up(node: Node, k3s: FakeK3s, tmp_path: Path) -> None:
    one = wanted(node.paths, "one")
    k3s.knows(one)
    registries = Path(node.paths.registries_yaml)
    for number in range(30):
        text = b"configs: {} # canary-secret-%d.\n" % number
        k3s.known[text] = nothing_wanted()
        registries.write_bytes(text)
        k3s.restart()
        node.apply(one)
    kept = b"".join(content for _mode, content in node.tree().values())
    found = [number for number in range(30) if b"canary-secret-%d." % number in kept]
    assert found[0] == 0, "the first is what a removal gives back"
    assert len(found) <= 1 + 3
    assert len(generations_of(node)) <= 1 + 4
    node.apply(nothing_wanted())
    assert {name: content for name, (_mode, content) in node.tree().items()} == {
        "registries.yaml.before-k3sfleet": b"configs: {} # canary-secret-0.\n"
    }


@pytest.mark.parametrize("keep", [-1, 0, 1])
def test_one_earlier_state_is_kept_whatever_was_asked_for(node: Node, k3s: FakeK3s, keep: int) -> None:
    settings = {"keep_generations": keep}
    states = [replace(wanted(node.paths, name), settings=settings) for name in ("one", "two", "three")]
    k3s.knows(*states)
    for state in states:
        node.apply(state)
    assert len(generations_of(node)) == 2
    k3s.ill = {"one"}
    node.stage(states[0])
    with pytest.raises(Failure, match="put back as it was and is healthy"):
        node.commit()
    assert node.registries() == states[2].files[-1].content


def test_folders_that_a_rollback_makes_are_roots_alone(node: Node, k3s: FakeK3s) -> None:
    one, two = with_key(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    k3s.ill = {"two"}
    node.stage(two)
    before = os.umask(0)
    try:
        with pytest.raises(Failure, match="put back as it was"):
            node.commit()
    finally:
        os.umask(before)
    assert Path(node.paths.cert_dir, "registry/client.key").read_bytes() == SECRET
    for folder in (node.paths.cert_dir, node.paths.cert_dir + "/registry"):
        assert os.stat(folder).st_mode & 0o777 == 0o700


def test_a_rollback_leaves_no_empty_folders(node: Node, k3s: FakeK3s) -> None:
    one = with_key(node.paths, "one")
    k3s.knows(one)
    k3s.ill = {"one"}
    node.stage(one)
    with pytest.raises(Failure, match="put back as it was"):
        node.commit()
    assert not os.path.exists(node.paths.cert_dir)


@pytest.mark.parametrize("then", ["other", "absent"])
def test_files_at_former_paths_go(node: Node, k3s: FakeK3s, tmp_path: Path, then: str) -> None:
    """The folder of the certificates, or registries.yaml itself, was elsewhere in an earlier run."""
    former = replace(
        node.paths, cert_dir=str(tmp_path / "former/certs"), registries_yaml=str(tmp_path / "former/registries.yaml")
    )
    before = with_key(former, "one")
    k3s.running = False
    Node(former, k3s).stage(before)
    assert len(secrets_in(tmp_path / "former")) == 2
    node.stage(wanted(node.paths, "two") if then == "other" else nothing_wanted())
    assert not [path for path in (tmp_path / "former").rglob("*") if path.is_file()]
