# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a rehearsal that is killed leave a secret on its node? The module as Ansible sends it with pipelining is killed
before every kind of step that leaves the process, and at moments of chance; then all that it could write to is
searched.

The node is this machine with a root file system of its own: whatever is written there, or to its /dev/shm and /run, is
in one folder, in memory.
"""

from __future__ import annotations

import base64
import os
import random
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.conftest import CHECKOUT, COLLECTIONS
from tests.fleet import certificates
from tests.registry_faults import servers
from tests.registry_faults.servers import HttpServer
from tests.rehearsal import running_k3s
from tests.rehearsal.distant import Distant, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_STEPS, CHANCES = 250, 20
PASSWORD = "canary-password-5d0b7e"
_DATA, _YAML, _PODS = "/var/lib/rancher/k3s", "/etc/rancher/k3s/registries.yaml", "/var/lib/rancher/pods.json"
_STEPS, _HOOK_FOLDER = "/run/rehearsal-steps", "/opt/rehearsal-steps"
_CONTROL = "the-control-of-the-search"
_PLACES = ("upper/etc", "upper/tmp", "upper/var/tmp", "shm", "run")

# Everything but the kernel's own file systems is this machine's, and what is changed is the node's.
_ENTER = """
mount -t overlay -o lowerdir=/,upperdir={node}/upper,workdir={node}/work overlay {node}/system
mount -t proc proc {node}/system/proc
mount --rbind /dev {node}/system/dev
mount --bind {node}/shm {node}/system/dev/shm
mount --bind {node}/run {node}/system/run
exec chroot {node}/system /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root "$@" {python}
"""

# Takes down what Ansible sends, outside the node, and hands it on.
_RECORDER = """#!/bin/sh
umask 077
cat > {sent}/$$
exec unshare --mount --propagation private /bin/sh -e {enter} < {sent}/$$
"""

# What the node's Python runs first: it counts what is about to happen outside its own memory, and ends before the
# wanted step.
_HOOK = (
    """
import os, sys
at = int(os.environ.pop("REHEARSAL_KILL_AT"))
os.environ.pop("PYTHONPATH")
told = None if at else os.open("%s", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
within = ("import", "compile", "exec", "marshal.", "object.", "sys.", "builtins.", "code.", "ctypes.", "cpython.")
count = 0

def step(name, detail=""):
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), 9)
    if not at:
        os.write(told, ("%%s %%s" %% (name, " ".join(detail.split()))).encode("utf-8", "replace") + b"\\n")

def hook(event, arguments):
    if not event.startswith(within):
        # What goes to the system's log is not on this node's file system, and is searched in what is told here.
        words = [item for item in arguments if isinstance(item, str)]
        step(event, " ".join(words) if event == "syslog.syslog" else "".join(words[:1]))

def counted(name, function):
    def call(*arguments, **more):
        step(name)
        result = function(*arguments, **more)
        step("after " + name)
        return result
    return call

# They tell no hook.
os.memfd_create = counted("os.memfd_create", os.memfd_create)
os.fdopen = counted("os.fdopen", os.fdopen)
sys.addaudithook(hook)
"""
    % _STEPS
)


class Node:
    """The node, with a mirror that has its image, and a change that brings a password and a client's key.

    :ivar secrets: what may be nowhere on it.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-kills-")))
        self.node = self.folder / "node"
        self.node.mkdir()
        # Of memory: the upper layer may not be within the lower one, and nothing reaches the disk.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "rehearsal", str(self.node)], check=True)
        stack.callback(subprocess.run, ["umount", str(self.node)], check=True)
        for name in ("upper", "work", "system", "shm", "run"):
            (self.node / name).mkdir()
        # With the modes of this machine's: a folder of the upper layer decides.
        for name in ("upper/tmp", "upper/var/tmp"):
            (self.node / name).mkdir(parents=True)
            (self.node / name).chmod(0o1777)
        pki = self.folder / "pki"
        pki.mkdir()
        authority = certificates.authority("rehearsal CA")
        authority.write(pki / "ca")
        certificates.issue(authority, "registry", ("127.0.0.1",)).write(pki / "server")
        self.pair = certificates.issue(authority, "node", client=True)
        app = Distant(Ledger(), 0.0, lambda _request: ())
        old = stack.enter_context(HttpServer(app))
        # It takes nobody without the new key and the new password.
        context = servers.server_context(pki / "server", pki / "ca.crt")
        new = stack.enter_context(HttpServer(_behind_a_login(app), context))
        self._ca, self._mirror = pki / "ca.crt", f"127.0.0.1:{new.port}"
        self._registry = f"127.0.0.1:{old.port}"
        key = [line for line in self.pair.key_pem.decode().splitlines() if line and "-----" not in line]
        self.secrets = [PASSWORD, _basic(), *key]
        self._make()

    def _make(self) -> None:
        upper = self.node / "upper"
        running_k3s.programs(upper / "usr/local/bin", _PODS)
        for path, text in (
            ("etc/systemd/system/k3s.service", running_k3s.unit("server", _DATA, _YAML)),
            (f"{_DATA}/agent/etc/containerd/config.toml", "version = 3\n"),
            (_PODS, running_k3s.pods_of([f"{self._registry}/team/app:1"])),
            (f"{_HOOK_FOLDER}/sitecustomize.py", _HOOK),
        ):
            place = upper / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        (self.node / "run/systemd/system").mkdir(parents=True)
        python = os.path.realpath(sys.executable)
        (self.folder / "enter").write_text(_ENTER.format(node=self.node, python=python), encoding="utf-8")

    def sent(self) -> bytes:
        """What Ansible sends to the node's Python for the rehearsal: the playbook's last module."""
        sent = self.folder / "sent"
        sent.mkdir(mode=0o700)
        recorder = self.folder / "python"
        running_k3s.executable(recorder, _RECORDER.format(sent=sent, enter=self.folder / "enter"))
        pair = {"cert_content": self.pair.pem.decode(), "key_content": self.pair.key_pem.decode()}
        settings = {
            "auth": {"username": "robot", "password": PASSWORD}, "tls": {"ca_src": str(self._ca), **pair},
        }  # fmt: skip
        registries = {
            "mirrors": {self._registry: {"endpoint": [f"https://{self._mirror}"]}},
            "configs": {self._mirror: settings},
        }
        variables = {
            "ansible_connection": "local", "ansible_become": False, "ansible_pipelining": True,
            "ansible_python_interpreter": str(recorder), "k3s_registries": registries,
        }  # fmt: skip
        inventory = self.folder / "inventory.yml"
        children = {"server": {"hosts": {"node": {}}}}
        inventory.touch(mode=0o600)
        inventory.write_text(yaml.safe_dump({"k3s_cluster": {"children": children, "vars": variables}}), "utf-8")
        output = _played(inventory, self.folder / "ansible")
        if "1 from another place" not in output:
            raise AssertionError(output[-4000:])
        programs = [path.read_bytes() for path in sorted(sent.iterdir(), key=lambda path: path.stat().st_mtime_ns)]
        if PASSWORD.encode() not in programs[-1] or b"k3s_rollout" not in programs[-1]:
            raise AssertionError("what Ansible has sent last is no rehearsal")
        return programs[-1]

    def run(self, program: bytes, kill_at: int, after: float | None = None) -> int:
        """Have the node's Python run it; its status.

        :param kill_at: the number of the step before which it is killed, 0 for none.
        :param after: seconds until it is killed.
        """
        command = [
            "unshare", "--mount", "--propagation", "private", "/bin/sh", "-e", str(self.folder / "enter"),
            f"PYTHONPATH={_HOOK_FOLDER}", f"REHEARSAL_KILL_AT={kill_at}",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            said, _error = process.communicate(program, timeout=after or 300)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _error = process.communicate()
        if not kill_at and after is None and b'"verdict": "other_place"' not in said:
            raise AssertionError(said.decode("utf-8", "replace")[-4000:])
        return process.returncode

    def steps(self) -> list[str]:
        return (self.node / _STEPS.lstrip("/")).read_text(encoding="utf-8").splitlines()

    def left(self) -> list[str]:
        """The files of the node with a secret in them, and whether the search finds what is there."""
        controls = [self.node / place / "control" for place in _PLACES]
        for control in controls:
            control.write_text(_CONTROL, encoding="utf-8")
        wanted = [text.encode() for text in (*self.secrets, _CONTROL)]
        found = [path for path in self.files() if any(text in path.read_bytes() for text in wanted)]
        for control in controls:
            control.unlink()
        if not set(controls) <= set(found):
            raise AssertionError("the search does not find what is there")
        return [str(path.relative_to(self.node)) for path in found if path not in controls]

    def files(self) -> Iterator[Path]:
        return (path for path in self.node.rglob("*") if path.is_file() and not path.is_symlink())

    def own(self) -> dict[str, Any]:
        """What K3s and the collection have, with times and contents."""
        tops = (self.node / "upper/etc/rancher", self.node / "upper/var/lib/rancher")
        paths = [path for top in tops for path in sorted(top.rglob("*"))]
        return {str(p): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in paths}


def _basic() -> str:
    return "Basic " + base64.b64encode(f"robot:{PASSWORD}".encode()).decode()


def _behind_a_login(app: servers.App) -> servers.App:
    def answer(request: servers.Request) -> servers.Reply:
        if request.headers.get("authorization") == _basic():
            return app(request)
        return servers.json_reply({}, 401, **{"WWW-Authenticate": 'Basic realm="rehearsal"'})

    return answer


def _played(inventory: Path, home: Path) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "playbooks/rehearse.yml"],
        cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={**kept, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(home),
             "ANSIBLE_LOCAL_TEMP": str(home / "tmp")},
        timeout=300,
    )  # fmt: skip
    return done.stdout.decode("utf-8", "replace")


def chosen(steps: Sequence[str], most: int) -> list[int]:
    """The numbers of the steps to be killed at: the first of each kind, evenly fewer if these are too many."""
    first: dict[str, int] = {}
    for number, step in enumerate(steps, 1):
        first.setdefault(step, number)
    numbers = list(first.values())
    return numbers if len(numbers) <= most else [numbers[i * len(numbers) // most] for i in range(most)]


def run(most: int = MOST_STEPS, seed: int = 0) -> list[str]:
    """Kills; returns what is not as it should be."""
    problems: list[str] = []
    with ExitStack() as stack:
        node = Node(stack)
        before = node.own()
        program = node.sent()
        problems += [f"a rehearsal leaves a secret in {path}" for path in node.left()]
        node.run(program, 0)
        steps = node.steps()
        if not any(step.startswith("syslog.syslog") for step in steps):
            problems.append("what goes to the system's log was not seen")
        if not any(step.startswith("os.memfd_create") for step in steps):
            problems.append("the client's key was not taken from memory")
        numbers = chosen(steps, most)
        print(f"{len(steps)} steps, of {len(set(steps))} kinds; killed before {len(numbers)} of them", flush=True)
        dice = random.Random(seed)
        moments: list[tuple[int, float | None]] = [(number, None) for number in numbers]
        moments += [(0, dice.uniform(0.02, 2.0)) for _number in range(CHANCES)]
        known: set[str] = set()
        killed = 0
        for number, after in moments:
            killed += node.run(program, number, after) == -9
            where = f"before step {number}, {steps[number - 1]}" if after is None else f"after {after:.3f} s"
            new = [path for path in node.left() if path not in known]
            problems += [f"killed {where}: a secret in {path}" for path in new]
            known.update(new)
        print(f"{killed} of {len(moments)} runs were killed (seed {seed}); {len(list(node.files()))} files searched")
        if killed < len(numbers) * 0.9:
            problems.append(f"only {killed} runs were killed")
        if node.own() != before:
            problems.append("the node's own files have changed")
    return problems
