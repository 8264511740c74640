# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a rehearsal that is killed leave a secret on its node? A node of a fleet, the module as Ansible sends it with
pipelining, killed at every step that leaves the process, and at moments of chance; then everything that the node can
write to is searched."""

from __future__ import annotations

import random
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fleet import certificates, workloads
from tests.fleet.logins.users import Users, new_password
from tests.integration.cluster import SITE
from tests.integration.login_fleet import LoginFleet, login_fleet

if TYPE_CHECKING:
    from collections.abc import Sequence

REHEARSE = "playbooks/rehearse.yml"
IMAGE = "images.test/team/app:1"
MOST_STEPS, CHANCES = 150, 10
_FOLDER = "/opt/rehearsal-steps"
_PYTHON = "/opt/rehearsal-python"
_SENT = "/run/rehearsal-sent"
_STEPS = "/run/rehearsal-steps"
_MARK = "/run/rehearsal-mark"
_CONTROL = "the-control-of-the-search"

# What a node's Python runs first: counts what it is about to do outside its own memory, and ends before the wanted step.
_HOOK = """
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
        os.write(told, ("%%s %%s\\n" %% (name, detail)).encode("utf-8", "replace"))

def hook(event, arguments):
    if not event.startswith(within):
        first = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        step(event, first.splitlines()[0] if first else "")

create = os.memfd_create

def memfd_create(*arguments):
    step("os.memfd_create")
    made = create(*arguments)
    step("the memory is there")
    return made

os.memfd_create = memfd_create
write = os.fdopen

def fdopen(*arguments, **more):
    step("os.fdopen")
    return write(*arguments, **more)

os.fdopen = fdopen
sys.addaudithook(hook)
""" % _STEPS

# Takes down what Ansible sends, which a node does not do; removed before anything is searched.
_RECORDER = """#!/bin/sh
umask 077
cat > %s.$$
exec python3 < %s.$$
""" % (_SENT, _SENT)

_SEARCH = """\
umask 077; cat > /run/canaries; echo '%s' >> /run/canaries
for place in /opt /tmp /var/tmp /dev/shm /var/lib/rancher; do echo '%s' > $place/control; done
find / \\( -fstype proc -o -fstype sysfs -o -fstype cgroup -o -fstype cgroup2 -o -fstype devpts \\) -prune -o \\
    -type f %%s -not -path /run/canaries -exec grep -l -s -F -f /run/canaries {} + | sort
rm /run/canaries; for place in /opt /tmp /var/tmp /dev/shm /var/lib/rancher; do rm $place/control; done
""" % (_CONTROL, _CONTROL)
_NOTHING = sorted(f"{place}/control" for place in ("/opt", "/tmp", "/var/tmp", "/dev/shm", "/var/lib/rancher"))


class Scene:
    """One server with a pod, and a change that brings a password and a client's key which it does not have yet."""

    def __init__(self, fleet: LoginFleet) -> None:
        self.fleet = fleet
        self.cluster = fleet.cluster
        (self.node,) = self.cluster.names
        old_password, self.password = new_password(), new_password()
        town = fleet.town
        self.old = town.registry("old.test", Users(robot=old_password))
        self.new = town.registry("new.test", Users(robot=self.password))
        for registry in (self.old, self.new):
            registry.add(IMAGE.partition("/")[2])
        town.introduce(self.cluster.fleet)
        self.pair = certificates.issue(certificates.authority("rehearsal CA"), "node", client=True)
        secrets = self.cluster.secrets
        secrets.add_canary("the new password", self.password.partition(" ")[0])
        key = self.pair.key_pem.decode()
        secrets.forms.update({line: "the new key" for line in key.splitlines() if line and "-----" not in line})
        self.canaries = [self.password.partition(" ")[0], *(f for f, name in secrets.forms.items() if "new" in name)]
        self.play(SITE, self._config(self.old, {"username": "robot", "password": old_password})).ok()
        workloads.pod(self.cluster.fleet, "app", self.node, IMAGE)
        workloads.until_running(self.cluster.fleet, "app", 90.0)

    def _config(self, registry: Any, auth: Any, **tls: str) -> dict[str, Any]:
        settings = {"auth": auth, "tls": {"ca_src": str(self.fleet.ca), **tls}}
        return {"mirrors": {"images.test": {"endpoint": [registry.url]}}, "configs": {registry.host: settings}}

    def candidate(self) -> dict[str, Any]:
        pair = {"cert_content": self.pair.pem.decode(), "key_content": self.pair.key_pem.decode()}
        return self._config(self.new, {"username": "robot", "password": self.password}, **pair)

    def play(self, playbook: str, registries: Any, **more: Any) -> Any:
        return self.cluster.play(playbook, variables={"k3s_registries": registries, **more})

    def sent(self) -> bytes:
        """What Ansible sends to the node's Python for the rehearsal."""
        self.cluster.sh(self.node, f"cat > {_PYTHON}; chmod 0755 {_PYTHON}", _RECORDER.encode())
        run = self.play(REHEARSE, self.candidate(), ansible_python_interpreter=_PYTHON, ansible_pipelining=True).ok()
        if "1 from another place" not in run.output:
            raise AssertionError(run.output)
        # The last of the two modules: the first one stages in check mode.
        program = self.cluster.sh(self.node, f"cat $(ls -t {_SENT}.* | head -n 1); rm {_SENT}.* {_PYTHON}").encode()
        if b"k3s_rollout" not in program or self.password.encode() not in program:
            raise AssertionError("what Ansible has sent last is no rehearsal")
        return program

    def run(self, program: bytes, kill_at: int, after: float = 0.0) -> int:
        """Have the node's Python run it; its status.

        :param kill_at: the number of the step before which it is killed, 0 for none.
        :param after: seconds until it is killed, 0 for never.
        """
        limit = ["timeout", "--signal=KILL", f"{after:.3f}"] if after else []
        command = [
            "podman", "exec", "--interactive", self.cluster.fleet.container(self.node), *limit, "env",
            f"PYTHONPATH={_FOLDER}", f"REHEARSAL_KILL_AT={kill_at}", "/usr/bin/python3",
        ]  # fmt: skip
        done = subprocess.run(command, input=program, capture_output=True, check=False, timeout=180)
        if not kill_at and not after and b'"verdict": "other_place"' not in done.stdout:
            raise AssertionError((done.stdout + done.stderr).decode("utf-8", "replace")[-3000:])
        return done.returncode

    def left(self, everything: bool) -> list[str]:
        """The files with a secret in them: of all, or of those that are newer than the mark."""
        patterns = "".join(canary + "\n" for canary in dict.fromkeys(self.canaries)).encode()
        command = _SEARCH % ("" if everything else f"-newer {_MARK}")
        found = sorted(self.cluster.sh(self.node, command, patterns).split())
        if not set(_NOTHING) <= set(found):
            raise AssertionError(f"the search does not find what is there: {found}")
        return [path for path in found if path not in _NOTHING]

    def journal(self) -> list[str]:
        said = self.cluster.sh(self.node, "journalctl --quiet --sync; journalctl --quiet --no-pager -o cat")
        return [name for name in self.cluster.secrets.found_in(said) if "new" in name]

    def mark(self) -> None:
        # A file that is made within the same tick of the clock would not be newer.
        self.cluster.sh(self.node, f"touch -d '-2 seconds' {_MARK}")


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
    with tempfile.TemporaryDirectory(prefix="rehearsal-kills-") as folder:
        with login_fleet("kills", Path(folder), 1, 0, "") as fleet:
            scene = Scene(fleet)
            program = scene.sent()
            problems += [f"a rehearsal leaves a secret in {path}" for path in scene.left(everything=True)]
            before = _files(scene)
            scene.cluster.sh(scene.node, f"mkdir {_FOLDER}; cat > {_FOLDER}/sitecustomize.py", _HOOK.encode())
            scene.run(program, 0)
            steps = scene.cluster.read(scene.node, _STEPS).splitlines()
            if not any(step.startswith("os.memfd_create") for step in steps):
                problems.append("the client's key was not taken from memory")
            numbers = chosen(steps, most)
            print(f"{len(steps)} steps, of {len(set(steps))} kinds; killed before {len(numbers)} of them", flush=True)
            dice = random.Random(seed)
            moments = [(number, 0.0) for number in numbers] + [(0, dice.uniform(0.05, 1.5)) for _ in range(CHANCES)]
            killed = 0
            for number, after in moments:
                scene.mark()
                killed += scene.run(program, number, after) in (137, -9)
                where = f"step {number}, {steps[number - 1]}" if number else f"{after:.3f} s"
                problems += [f"killed before {where}: {path}" for path in scene.left(everything=False)]
            problems += [f"after all kills: {path}" for path in scene.left(everything=True)]
            problems += [f"in the journal: {name}" for name in scene.journal()]
            if _files(scene) != before:
                problems.append("the node's own files have changed")
            print(f"{killed} of {len(moments)} runs killed (seed {seed}), {len(problems)} problems")
            if killed < len(numbers) * 0.9:
                problems.append(f"only {killed} runs were killed")
    return problems


def _files(scene: Scene) -> dict[str, Any]:
    """Those of K3s and of the collection, with times and hashes."""
    found: dict[str, Any] = scene.cluster.snapshot()[scene.node]["files"]
    return {path: state for path, state in found.items() if path.startswith(("/etc/rancher", "/var/lib/rancher"))}
