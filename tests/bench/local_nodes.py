# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of nodes that are this machine, for Ansible's local connection: each with a K3s that runs, as far as it is
read.

A node is a mount namespace with another /run, in which there is its unit, and with its other folders where the
documented options say: at the same place on every node. The server and the first agent have files of their own, and all
other agents see those of the first: an unchanged run only reads them, and what it costs to read them is what is asked
for, not what it costs to bring them there. Everything that Ansible runs on a node, a module or a command, is run in
there by its ``ansible_shell_executable``, so that a ping takes the same way as all else. The namespaces go away with
this process.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Sequence

import yaml

from tests.bench.ansible_run import Run, ansible
from tests.fleet import certificates
from tests.fleet.process import FleetError
from tests.rehearsal import running_k3s

SITE = "playbooks/site.yml"
FORKS = 20
_FIRST = ("node-0000", "node-0001")
"""Those with files."""
_PATIENCE = 3
"""Runs until one changes nothing."""

_SYSTEMCTL = """#!/bin/sh
case "$*" in
    show*k3s.service*) cat /run/k3s-show ;;
    *) exit 1 ;;
esac
"""
_SHOWN = (
    "Id=k3s.service\nLoadState=loaded\nUnitFileState=enabled\nActiveState={state}\nJob=0\nMainPID={pid}\nNRestarts=0\n"
    "Environment=\nEnvironmentFiles=\n"
)
_SHELL = '#!/bin/sh\nexec nsenter --mount=/proc/{pid}/fd/{descriptor} /bin/sh "$@"\n'
# Lower layers only: nothing of this machine is written to.
_ENTER = """\
mount --bind {folder}/{name} {folder}/here
mount -t overlay -o ro,lowerdir={folder}/bin:/usr/local/bin overlay /usr/local/bin
mount --bind {folder}/here/run /run
echo ready
read -r _end || exit 0
"""


class LocalNodes:
    """The first ``count`` of node-0000, node-0001, ..., one server and agents, with their registries applied."""

    def __init__(self, count: int) -> None:
        self.names = ["node-%04d" % number for number in range(count)]
        self._stack = ExitStack()

    def __enter__(self) -> LocalNodes:
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="k3sfleet-nodes-")))
        (self.folder / "here").mkdir()
        for name in _FIRST:
            self._make(name)
        running_k3s.programs(self.folder / "bin", "/dev/null")
        running_k3s.executable(self.folder / "bin/systemctl", _SYSTEMCTL)
        self._certificates()
        self._enter_all()
        self._apply()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def ping(self, count: int, **options: Any) -> Run:
        """``ansible -m ping`` of the first ``count`` nodes."""
        return self._run("ansible", count, ["all", "-m", "ansible.builtin.ping"], **options)

    def site(self, count: int, **options: Any) -> Run:
        """``site.yml`` over the first ``count`` nodes, on which it has nothing to do.

        :raises FleetError: if it has something to do.
        """
        run = self._run("ansible-playbook", count, [SITE], **options)
        if set(run.changed.values()) != {0} or len(run.changed) != count:
            raise FleetError("site.yml was to change nothing on %d local nodes:\n%s" % (count, run.output[-3000:]))
        return run

    def _run(self, program: str, count: int, arguments: Sequence[str], **options: Any) -> Run:
        given = ["--forks", str(FORKS), "--inventory", str(self._inventory(count)), *arguments]
        return ansible(program, given, **options)

    def _make(self, name: str) -> None:
        folder = self.folder / name
        (folder / "etc").mkdir(parents=True)
        (folder / "data").mkdir()
        unit = folder / "run/systemd/system/k3s.service"
        unit.parent.mkdir(parents=True)
        role = "server" if name == self.names[0] else "agent"
        here = self.folder / "here"
        unit.write_text(running_k3s.unit(role, str(here / "data"), str(here / "etc/registries.yaml")))
        self._show(name, "inactive", 0)

    def _show(self, name: str, state: str, pid: int) -> None:
        (self.folder / name / "run/k3s-show").write_text(_SHOWN.format(state=state, pid=pid))

    def _enter_all(self) -> None:
        """Make the namespaces. They last as long as somebody has them open, which is this process."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, soft + len(self.names)), hard))
        for name in self.names:
            (self.folder / name).mkdir(exist_ok=True)
            files = name if name in _FIRST else _FIRST[1]
            descriptor = self._namespace(_ENTER.format(folder=self.folder, name=files))
            self._stack.callback(os.close, descriptor)
            shell = _SHELL.format(pid=os.getpid(), descriptor=descriptor)
            running_k3s.executable(self.folder / name / "sh", shell)

    def _namespace(self, script: str) -> int:
        """One that a script has set up: its descriptor. This machine's unmounts reach it, and its own mounts stay in
        it."""
        maker = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "slave", "/bin/sh", "-ec", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert maker.stdout is not None
        try:
            if maker.stdout.readline() != "ready\n":
                raise FleetError("mount namespaces for local nodes need root on Linux: %s" % maker.communicate()[1])
            return os.open("/proc/%d/ns/mnt" % maker.pid, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            maker.communicate()

    def _certificates(self) -> None:
        ca = certificates.authority("bench CA")
        ca.write(self.folder / "ca")
        certificates.issue(ca, "node", client=True).write(self.folder / "client")

    def _inventory(self, count: int) -> Path:
        path = self.folder / ("inventory-%d.yml" % count)
        if path.exists():
            return path
        pki = {"ca_src": "ca.crt", "cert_src": "client.crt", "key_src": "client.key"}
        registry = "registry.example.com:5000"
        variables: dict[str, Any] = {
            "ansible_connection": "local", "ansible_become": False, "ansible_pipelining": True,
            "ansible_python_interpreter": sys.executable,
            "ansible_shell_executable": str(self.folder) + "/{{ inventory_hostname }}/sh",
            "k3s_registries_config_dir": str(self.folder / "here/etc"),
            "k3s_registries": {
                "mirrors": {"docker.io": {"endpoint": ["https://" + registry]}},
                "configs": {registry: {
                    "auth": {"username": "robot", "password": "a password of the bench"},
                    "tls": {key: str(self.folder / name) for key, name in pki.items()},
                }},
            },
        }  # fmt: skip
        groups = {"server": self.names[:1], "agent": self.names[1:count]}
        children: dict[str, Any] = {group: {"hosts": {name: {} for name in hosts}} for group, hosts in groups.items()}
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump({"k3s_cluster": {"children": children, "vars": variables}}), encoding="utf-8")
        return path

    def _apply(self) -> None:
        """Bring the registries to the nodes while no K3s runs, start it, and run until nothing is left to do."""
        self._run("ansible-playbook", len(_FIRST), [SITE])
        for name in _FIRST:
            self._start(name)
        # Twice, as an unchanged run, too, may leave something for the next one.
        for _number in range(2):
            self._settle()

    def _start(self, name: str) -> None:
        """What K3s generates at its start, and that it runs."""
        here, program = self.folder / "here", Path(__file__).with_name("generated.py")
        script = 'exec "$0" "$@"'
        subprocess.run(
            [str(self.folder / name / "sh"), "-c", script, sys.executable, str(program),
             str(here / "etc/registries.yaml"), str(here / "data")],
            check=True, capture_output=True,
        )  # fmt: skip
        self._show(name, "active", 1)

    def _settle(self) -> None:
        for _number in range(_PATIENCE):
            run = self._run("ansible-playbook", len(_FIRST), [SITE])
            if set(run.changed.values()) == {0}:
                return
        raise FleetError("site.yml still changes local nodes after %d runs:\n%s" % (_PATIENCE, run.output[-3000:]))
