# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that has not changed says so, and what it says is what staging says; every change is seen."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot import keeping
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.keeping import Staged
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.what_counts import CannotTell, what_counts

from tests.unit.plugins.module_utils._snapshot import whole_node
from tests.unit.plugins.module_utils._snapshot.whole_node import DIGEST, PASSWORD, SALT, WholeNode


def test_a_node_that_has_everything_says_what_staging_says(node: WholeNode) -> None:
    assert node.short_way() is None
    assert node.keep()
    said = node.short_way()
    assert said is not None
    assert (said.salt, said.digest) == (SALT, DIGEST)
    assert said.result == node.full_way()
    assert said.result["release"] == "v1.34.3+k3s1"


def test_staging_that_finds_nothing_leaves_the_snapshot_good(node: WholeNode) -> None:
    assert node.keep()
    node.staged(check_mode=False)
    assert node.short_way() is not None


def test_the_snapshot_is_for_root_only_and_holds_no_secret(node: WholeNode) -> None:
    node.keep()
    path = Path(node.paths.state_dir, "snapshot")
    assert path.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in path.read_text(encoding="ascii")
    assert PASSWORD not in node.shell().stdout
    # A checksum of the files would let one try passwords against what the command prints.
    assert path.read_text(encoding="ascii").split()[3] not in node.shell().stdout


Mutation = Callable[[Path], object]


def _links(path: Path) -> None:
    copy = path.with_name("a copy of " + path.name)
    shutil.copy2(path, copy)
    path.unlink()
    path.symlink_to(copy)


#: One for each thing that may happen to a file.
_EDITS: dict[str, Mutation] = {
    "edit": lambda path: path.write_bytes(path.read_bytes() + b"#"),
    "same size": lambda path: path.write_bytes(b"x" * path.stat().st_size),
    "chmod": lambda path: path.chmod(path.stat().st_mode ^ 0o004),
    "chown": lambda path: os.chown(path, 12345, -1),
    "group": lambda path: os.chown(path, -1, 12345),
    "touch": lambda path: os.utime(path, (1, 1)),
    "link": _links,
    "delete": lambda path: path.unlink(),
    "folder": lambda path: (path.unlink(), path.mkdir()),
}


def _restored(path: Path, content: bytes, status: os.stat_result) -> None:
    copy = path.with_name("a copy of " + path.name)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif os.path.lexists(path):
        path.unlink()
    if copy.exists():
        copy.unlink()
    path.write_bytes(content)
    path.chmod(status.st_mode & 0o7777)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_every_file_that_counts_is_compared_in_every_way(node: WholeNode) -> None:
    assert node.keep()
    counts = node.counts()
    files = [path for path in counts.entries if path.startswith(str(node.root))]
    assert len(files) > 10
    unseen = []
    for path in map(Path, files):
        content, status = path.read_bytes(), path.stat()
        for name, edit in _EDITS.items():
            if name in ("chown", "group") and os.geteuid():
                continue
            if name in ("edit", "same size") and str(path) not in counts.contents:
                # K3s' program: its size and time tell that it is another one.
                edit = _EDITS["touch"]
            node.take_anew(counts)
            assert node.short_way() is not None, path
            edit(path)
            if node.short_way() is not None:
                unseen.append((name, str(path)))
            _restored(path, content, status)
    assert unseen == []


def test_everything_that_was_absent_is_missed_when_it_is_there(node: WholeNode) -> None:
    assert node.keep()
    counts = node.counts()
    absent = [Path(path) for path in counts.absent if path.startswith(str(node.root))]
    assert len(absent) > 5
    for path in absent:
        node.take_anew(counts)
        assert node.short_way() is not None
        path.write_text("x", encoding="utf-8")
        assert node.short_way() is None, path
        path.unlink()
        path.symlink_to("/nowhere/at/all")
        assert node.short_way() is None, path
        path.unlink()


def test_every_folder_that_counts_is_compared(node: WholeNode) -> None:
    assert node.keep()
    counts = node.counts()
    folders = [Path(path) for path in counts.folders if path.startswith(str(node.root))]
    for path in folders:
        node.take_anew(counts)
        mode = path.stat().st_mode
        path.chmod(mode | 0o022)
        assert node.short_way() is None, path
        path.chmod(mode & 0o7777)
    for path in map(Path, counts.listed):
        for name in ("new", ".new", "old.k3sfleet-new"):
            node.take_anew(counts)
            (path / name).write_text("x", encoding="utf-8")
            assert node.short_way() is None, path
            (path / name).unlink()


def _hosts_toml(node: WholeNode) -> Path:
    return next(Path(node.paths.certs_d).glob("*/hosts.toml"))


def _by_hand(node: WholeNode) -> None:
    path = _hosts_toml(node)
    path.write_text(path.read_text().replace("one", "two"), encoding="utf-8")


def _other_program(node: WholeNode) -> None:
    # Its size is another one: no time has passed since the snapshot, as it does outside of these tests.
    node.install("v1.33.10+k3s1")


#: What happens to nodes, and nobody has edited a file of the list above.
_EVENTS: dict[str, Callable[[WholeNode], object]] = {
    "restart": lambda node: node.start(),
    "crash and automatic restart": lambda node: node.says(NRestarts=1),
    "stopped": lambda node: node.says(ActiveState="inactive", MainPID=0),
    "failed": lambda node: node.says(ActiveState="failed", MainPID=0),
    "restart under way": lambda node: node.says(ActiveState="deactivating", Job=7),
    "process gone": lambda node: node.stop(),
    "disabled": lambda node: node.says(UnitFileState="disabled"),
    "another environment": lambda node: node.says(Environment="K3S_DATA_DIR=/srv/k3s"),
    "another environment file": lambda node: node.says(EnvironmentFiles="/etc/other (ignore_errors=no)"),
    "systemd does not answer": lambda node: node.write("bin/systemctl", "#!/bin/sh\nexit 1\n"),
    "another release": _other_program,
    "certs.d by hand": _by_hand,
    "config.toml by hand": lambda node: Path(node.paths.containerd_config).write_text("{}", encoding="utf-8"),
    "another registry below certs.d": lambda node: node.write(
        "var/lib/rancher/k3s/agent/etc/containerd/certs.d/quay.io/hosts.toml", "server = 'https://x'\n"
    ),
    "a template": lambda node: node.write(
        "var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl", '{{ template "base" . }}\n'
    ),
    "config.yaml": lambda node: node.write("etc/rancher/k3s/config.yaml", "private-registry: /srv/registries.yaml\n"),
    "a drop-in of K3s": lambda node: node.write("etc/rancher/k3s/config.yaml.d/99-x.yaml", "data-dir: /srv\n"),
    "a drop-in of the unit": lambda node: node.write(
        "usr/lib/systemd/system/k3s.service.d/50-x.conf", "[Service]\nExecStart=\nExecStart=/usr/local/bin/k3s agent\n"
    ),
    "another unit": lambda node: node.write("etc/systemd/system/k3s-agent.service", "[Service]\nExecStart=k3s agent\n"),
    "a unit in a folder that was not there": lambda node: node.write(
        "usr/local/lib/systemd/system/k3s-agent.service", "[Service]\nExecStart=k3s agent\n"
    ),
    "a program that comes before": lambda node: node.write("usr/local/bin/k3s", "#!/bin/sh\n").chmod(0o755),
    "providers": lambda node: node.write("var/lib/rancher/credentialprovider/config.yaml", "x"),
    "a transaction": lambda node: Memory(node.paths).write_transaction(1, "restarting k3s", 0.0),
    "a transaction of an old version": lambda node: Path(node.paths.state_dir, "transaction.json").write_text("{}"),
    "a candidate": lambda node: Memory(node.paths).write_candidate(node.desired.text()),
    "a candidate of an old version": lambda node: Path(node.paths.state_dir, "candidate.json").write_text("{}"),
    "the record": lambda node: Memory(node.paths).write_record({}),
    "no record": lambda node: Path(node.paths.state_dir, "record.json").unlink(),
    "everything forgotten": lambda node: Memory(node.paths).forget(),
}


@pytest.mark.parametrize("event", _EVENTS)
def test_whatever_happens_to_a_node_is_seen(node: WholeNode, event: str) -> None:
    assert node.keep()
    assert node.short_way() is not None
    _EVENTS[event](node)
    assert node.short_way() is None


def test_a_snapshot_of_another_hand_is_no_snapshot(node: WholeNode) -> None:
    assert node.keep()
    path = Path(node.paths.state_dir, "snapshot")
    text = path.read_text(encoding="ascii")
    for damaged in (text.replace("k3sfleet-snapshot-1", "k3sfleet-snapshot-2"), text[:-40], "", text.upper()):
        path.write_text(damaged, encoding="ascii")
        assert node.short_way() is None
    path.write_text(text, encoding="ascii")
    assert node.short_way() is not None
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert node.short_way() is None


@pytest.mark.parametrize("tool", ["stat", "sha256sum", "find", "grep", "systemctl", "sort"])
def test_a_tool_that_is_missing_or_fails_is_a_doubt(node: WholeNode, tool: str) -> None:
    assert node.keep()
    node.write("bin/" + tool, "#!/bin/sh\nexit 1\n").chmod(0o755)
    assert node.short_way() is None


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
def test_every_shell_sees_the_same(node: WholeNode, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = shutil.which(shell.split()[0])
    if program is None:
        pytest.skip("%s is not installed here" % shell)
    for tool in ("stat", "sha256sum", "find", "grep", "sort", "cat") if "busybox" in shell else ():
        (node.root / "bin" / tool).symlink_to(program)
    # Taken by the node's own shell, which may be another one than the controller's user has.
    assert node.keep()
    plain = whole_node.command
    monkeypatch.setattr(whole_node, "command", lambda path: plain(path).replace("/bin/sh", shell, 1))
    assert node.short_way() is not None
    _by_hand(node)
    assert node.short_way() is None


def test_nothing_is_kept_of_a_node_that_changes_meanwhile(node: WholeNode) -> None:
    def edited() -> Staged:
        _by_hand(node)
        return node.staged()

    name = "%s %s" % (SALT, DIGEST)
    assert not keeping.keep(name, node.staged(), edited, lambda _seconds: None, str(node.root))
    assert node.short_way() is None


def test_nothing_is_kept_of_a_node_that_lacks_something(node: WholeNode) -> None:
    _by_hand(node)
    assert not node.keep()


def test_nothing_is_kept_of_a_node_that_cannot_be_seen_by_the_command(node: WholeNode) -> None:
    odd = node.root / "etc/rancher/k3s/config.yaml.d/a*b.yaml"
    odd.write_text("node-label: [c=d]\n", encoding="utf-8")
    assert not node.keep()
    odd.unlink()
    assert node.keep()
    node.write("var/lib/rancher/credentialprovider/bin/.k3sfleet/x", "a program")
    assert not node.keep()


def test_nothing_is_kept_without_systemd(node: WholeNode) -> None:
    staged = node.staged()
    (node.root / "run/systemd/system").rmdir()
    with pytest.raises(CannotTell):
        what_counts(staged.node, staged.desired, str(node.root))


def test_a_snapshot_is_taken_in_a_later_second_than_the_last_change(node: WholeNode) -> None:
    """Times are compared in seconds: a change in the second of the snapshot would have the time that was kept."""
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(seconds)

    path = _hosts_toml(node)
    path.write_bytes(path.read_bytes())
    assert node.keep(sleep=sleep)
    newest = max(int(os.lstat(entry).st_ctime) for entry in node.counts().entries)
    assert newest < int(Path(node.paths.state_dir, "snapshot").stat().st_ctime)
    os.utime(path, ns=(1, path.stat().st_mtime_ns))
    assert node.short_way() is None, "only the time of the change tells"
