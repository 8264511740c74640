# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet that the integration tests share, the runs of ansible-playbook on it, and what a node tells afterwards.

Every run is watched: no test of this folder passes when a secret appears in what Ansible prints, at any verbosity, in
the arguments or environment of any process, or is left behind on the controller.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Mapping, Sequence

import yaml

from tests.fleet import access_log, events, nodes
from tests.fleet.podman import CHECKOUT
from tests.fleet.state import Fleet
from tests.integration.secrets_watch import ProcessWatch, Secrets, files_with

SITE = "playbooks/site.yml"
REMOVE = "playbooks/remove.yml"
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.M)


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook.

    :ivar recap: host to (changed, unreachable, failed).
    :ivar mebibytes: the most memory that ansible-playbook, or any process that it has started here, has had.
    """

    code: int
    output: str
    began: float
    seconds: float
    recap: dict[str, tuple[int, int, int]]
    mebibytes: float = 0.0

    @classmethod
    def of(cls, code: int, output: str, began: float, mebibytes: float = 0.0) -> Run:
        """A run that has ended just now."""
        recap = {host: (int(changed), int(gone), int(failed)) for host, changed, gone, failed in _RECAP.findall(output)}
        return cls(code, output, began, time.time() - began, recap, mebibytes)

    @property
    def changed(self) -> dict[str, int]:
        return {host: counts[0] for host, counts in self.recap.items()}

    @property
    def failed(self) -> list[str]:
        return sorted(host for host, counts in self.recap.items() if counts[1] or counts[2])

    def ok(self) -> Run:
        assert self.code == 0, self.output
        return self

    def refused(self) -> Run:
        assert self.code != 0, self.output
        return self


class Cluster:
    """A fleet with everything that the tests ask of it.

    ``variables`` are what a test's inventory gives to every node; a test that wants others passes its own.
    """

    def __init__(self, fleet: Fleet, folder: Path, variables: Mapping[str, Any], secrets: Secrets) -> None:
        self.fleet = fleet
        self.folder = folder
        self.variables = dict(variables)
        self.secrets = secrets
        self.home = folder / "home"
        self.temporary = folder / "tmp"
        self.home.mkdir()
        self.temporary.mkdir()

    @property
    def names(self) -> list[str]:
        return [node.name for node in self.fleet.nodes]

    @property
    def agents(self) -> list[str]:
        return [node.name for node in self.fleet.nodes if node.role == "agent"]

    def play(
        self,
        playbook: str = SITE,
        *arguments: str,
        variables: Mapping[str, Any] | None = None,
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a playbook.

        :param variables: for all nodes, beside and above the cluster's own.
        :param hosts: variables of single nodes.
        :param groups: the inventory's, in place of those that are true; every node stays in it.
        """
        command = self.command(playbook, *arguments, variables=variables, hosts=hosts, groups=groups)
        began = time.time()
        with ProcessWatch(self.secrets) as watch, TemporaryFile() as said:
            process = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.environment(environment or {}),
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
            code, mebibytes = _ended(process, 280)
            said.seek(0)
            run = Run.of(code, said.read().decode("utf-8", "replace"), began, mebibytes)
        self._must_have_kept_the_secrets(run.output, watch)
        return run

    def command(
        self,
        playbook: str,
        *arguments: str,
        variables: Mapping[str, Any] | None = None,
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> list[str]:
        """The command line of :meth:`play`; the variables are in the inventory that it names."""
        inventory = self.folder / "variables.yml"
        content = {
            "vars": {**self.variables, **(variables or {})},
            "hosts": {k: dict(v) for k, v in (hosts or {}).items()},
        }
        inventory.write_text(yaml.safe_dump({"k3s_cluster": content}), encoding="utf-8")
        inventory.chmod(0o600)
        return [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "--inventory", str(self.fleet.folder / "inventory.yml" if groups is None else self._regrouped(groups)),
            "--inventory", str(inventory),
            *arguments,
            playbook,
        ]  # fmt: skip

    def _regrouped(self, groups: Mapping[str, Sequence[str]]) -> Path:
        """The fleet's inventory with other groups."""
        content = yaml.safe_load((self.fleet.folder / "inventory.yml").read_text(encoding="utf-8"))["k3s_cluster"]
        content["children"] = {name: {"hosts": dict.fromkeys(hosts)} for name, hosts in groups.items()}
        content["hosts"] = {node.name: {"ansible_host": node.address} for node in self.fleet.nodes}
        path = self.folder / "regrouped.yml"
        path.write_text(yaml.safe_dump({"k3s_cluster": content}), encoding="utf-8")
        return path

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        return {
            **kept,
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "ANSIBLE_LOCAL_TEMP": str(self.temporary),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible" / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "vault-password"),
            **more,
        }

    def _must_have_kept_the_secrets(self, output: str, watch: ProcessWatch) -> None:
        leaked = self.secrets.found_in(output)
        assert not leaked, "in the output: %s\n%s" % (leaked, "\n".join(self.secrets.lines_in(output)))
        assert watch.looks, "no process was looked at"
        assert not watch.found, sorted(watch.found)
        assert files_with(self.secrets, [self.home, self.temporary]) == []

    def sh(self, node: str, command: str, stdin: bytes | None = None) -> str:
        """What a shell command says, run as root on the node, past SSH."""
        return str(nodes.execute(self.fleet, node, ["sh", "-ec", command], stdin=stdin).stdout)

    def everywhere(self, command: str, stdin: bytes | None = None) -> dict[str, str]:
        with ThreadPoolExecutor(4) as pool:
            said = pool.map(lambda name: self.sh(name, command, stdin), self.names)
        return dict(zip(self.names, said))

    def service(self, node: str) -> str:
        return self.fleet.service(self.fleet.node(node))

    def snapshot(self) -> dict[str, Any]:
        """Everything by which a node would show that somebody was there: each file below /etc/rancher and of K3s'
        containerd configuration with inode, times and hash; the running K3s; the commands that sudo was asked for."""
        found = self.everywhere("exec python3 -", stdin=_SNAPSHOT.encode())
        return {name: json.loads(text) for name, text in found.items()}

    def commands(self, since: float) -> dict[str, int]:
        """How many commands Ansible has run as root on each node."""
        command = "journalctl --quiet --no-pager -o cat -t sudo --since=@%.6f" % since
        return {name: text.count("COMMAND=") for name, text in self.everywhere(command).items()}

    def restarts(self, since: float) -> dict[str, int]:
        report = events.report(self.fleet, since)
        return {name: len(node["absences"]) for name, node in report["nodes"].items()}

    def overlaps(self, since: float) -> list[set[str]]:
        """Pairs of nodes that were away at once."""
        return [set(pair["nodes"]) for pair in events.report(self.fleet, since)["overlapping"]]

    def requests(self, since: float) -> list[dict[str, Any]]:
        return access_log.entries(self.fleet, since)

    def read(self, node: str, path: str) -> str:
        return self.sh(node, "cat '%s'" % path)

    def exists(self, node: str, path: str) -> bool:
        return self.sh(node, "test -e '%s' && echo yes || echo no" % path).strip() == "yes"


def without(image: str) -> str:
    """A shell command that removes an image if the node has it."""
    return "if k3s crictl inspecti %s >/dev/null 2>&1; then k3s crictl rmi %s >/dev/null; fi" % (image, image)


def _ended(process: subprocess.Popen[bytes], patience: float) -> tuple[int, float]:
    """Its exit status, and the most memory (MiB) that it or a process below it has had, when it has ended by itself."""
    killer = threading.Timer(patience, process.kill)
    killer.start()
    try:
        _pid, status, usage = os.wait4(process.pid, 0)
    finally:
        killer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 1024


_SNAPSHOT = """
import hashlib, json, os, subprocess
found = {}
for top in ("/etc/rancher", "/var/lib/rancher/k3s/agent/etc", "/home", "/root", "/tmp"):
    for folder, folders, names in os.walk(top):
        for name in [""] + names:
            path = os.path.join(folder, name)
            state = os.lstat(path)
            digest = ""
            if name and os.path.isfile(path):
                with open(path, "rb") as handle:
                    digest = hashlib.sha256(handle.read()).hexdigest()
            found[path] = [oct(state.st_mode), state.st_uid, state.st_gid, state.st_ino, state.st_mtime_ns, digest]
units = subprocess.run(
    ["systemctl", "show", "--property=Id,MainPID,ActiveState,NRestarts,ExecMainStartTimestampMonotonic",
     "k3s.service", "k3s-agent.service"], stdout=subprocess.PIPE, check=True).stdout.decode()
log = subprocess.run(["journalctl", "--quiet", "--no-pager", "-o", "cat", "-t", "sudo", "-t", "sshd"],
    stdout=subprocess.PIPE, check=True).stdout.decode()
print(json.dumps({"files": found, "units": units, "logins": log.count("COMMAND=") + log.count("Accepted ")}))
"""
