# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node below a folder of its own, with all that staging looks at: units, a systemd that answers for them, a process,
K3s' files and program. Both ways of asking it are real: staging in full, and the command in a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity import identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity, Stated
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import health, kubernetes, stage
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, Unsafe
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot import keeping
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.command import command
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.keeping import Staged
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.what_counts import WhatCounts, what_counts
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._short_way.node_answer import Answer, read

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, wanted

SALT, DIGEST = "5a" * 16, "d1" * 32
PASSWORD = "c4n4ry-Pa55-w0rd"
_SYSTEMCTL = """#!/bin/sh
echo "$*" >>{root}/systemctl.calls
cat {root}/systemctl.says
"""
_UNIT = """[Service]
EnvironmentFile=-{root}/etc/default/k3s
ExecStart=/usr/local/bin/k3s server
"""


_PROBLEMS = (FileProblem, ServiceProblem, stage.StageRefused, Unsafe)


class WholeNode:
    """The node. ``desired`` is what it has."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.processes: list[subprocess.Popen[bytes]] = []
        self.write("bin/systemctl", _SYSTEMCTL.format(root=root)).chmod(0o755)
        monkeypatch.setenv("PATH", "%s:%s" % (root / "bin", os.environ["PATH"]))
        (root / "run/systemd/system").mkdir(parents=True)
        (root / "usr/lib/systemd/system/user@.service.d").mkdir(parents=True)
        self.write("etc/systemd/system/k3s.service", _UNIT.format(root=root))
        self.write("etc/systemd/system/k3s.service.d/10-limits.conf", "[Service]\nLimitCORE=infinity\n")
        self.write("etc/systemd/system/other.service", "[Service]\nExecStart=/bin/other\n")
        self.write("etc/default/k3s", "HTTPS_PROXY=http://proxy.test:3128\n")
        self.write("etc/rancher/k3s/config.yaml", "write-kubeconfig-mode: '0600'\n")
        self.write("etc/rancher/k3s/config.yaml.d/10-own.yaml", "node-label: [a=b]\n")
        self.program = self.write("opt/bin/k3s", "")
        self.install("v1.34.3+k3s1")
        binaries = [str(root / "usr/local/bin/k3s"), str(self.program)]
        monkeypatch.setattr(NodePaths, "binaries", property(lambda paths: binaries))
        self.start()
        self.paths = self.identity().paths
        self.desired = wanted(self.paths, "one", PASSWORD, "CA 1")
        self.k3s = FakeK3s(self.paths)
        self.k3s.knows(self.desired)
        monkeypatch.setattr(stage, "service_of", lambda name: self.k3s)
        monkeypatch.setattr(health, "observe", self.k3s.observe)
        monkeypatch.setattr(health, "containerd_ready", lambda *given: bool(self.k3s.observe(*given).proven))
        monkeypatch.setattr(kubernetes, "node_name", lambda paths: "node")

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def install(self, release: str) -> None:
        self.program.write_text("#!/bin/sh\necho 'k3s version %s (0123abcd)'\n" % release, encoding="utf-8")
        self.program.chmod(0o755)

    def start(self, state: str = "active") -> None:
        """Start K3s anew."""
        self.processes.append(subprocess.Popen(["sleep", "3600"], stdin=subprocess.DEVNULL))
        self.says(MainPID=self.processes[-1].pid, ActiveState=state)

    def says(self, **more: Any) -> None:
        """What systemd says of the service."""
        said = {
            "Id": "k3s.service", "LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active",
            "MainPID": self.processes[-1].pid, "NRestarts": 0, "Environment": "K3S_NODE_NAME=a",
            "EnvironmentFiles": "%s/etc/default/k3s (ignore_errors=yes)" % self.root, **more,
        }  # fmt: skip
        self.write("systemctl.says", "".join("%s=%s\n" % item for item in said.items()))

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def identity(self) -> Identity:
        return identity.find(Stated(role="server"), root=str(self.root))

    def get_everything(self) -> None:
        """Bring the wanted state to the node, as a rollout does, so that K3s has loaded it."""
        self.says(ActiveState="inactive", MainPID=0)
        stage.stage(self.identity(), self.desired, in_place=False, check_mode=False)
        self.k3s.load()
        self.start()
        # The first run after that keeps the release, too.
        stage.stage(self.identity(), self.desired, in_place=False, check_mode=False)

    def staged(self, check_mode: bool = True) -> Staged:
        node = self.identity()
        result = stage.stage(node, self.desired, in_place=False, check_mode=check_mode)
        return Staged(node, self.desired, dict(result, left_alone=False))

    def keep(self, **more: Any) -> bool:
        """Keep a snapshot, without waiting for the next second."""
        more = {"sleep": lambda _seconds: None, "root": str(self.root), **more}
        return keeping.keep("%s %s" % (SALT, DIGEST), self.staged(check_mode=False), self.staged, **more)

    def counts(self) -> WhatCounts:
        return what_counts(self.identity(), self.desired, str(self.root))

    def take_anew(self, counts: WhatCounts) -> None:
        """A snapshot of the node as it is, without asking whether it has everything."""
        head, result, *_rest = Memory(self.paths).snapshot().splitlines()
        seen = keeping._see(counts, lambda _seconds: None)
        digest = keeping.hashlib.sha256(seen.encode("utf-8")).hexdigest()
        text = "%s %s\n%s\n%s" % (head.rpartition(" ")[0], digest, result, counts.lines())
        Memory(self.paths).write_snapshot(text)

    def short_way(self) -> Answer | None:
        """What the node says to the command; None if it has to be asked in full."""
        said = self.shell()
        return read(said.stdout) if said.returncode == 0 else None

    def shell(self) -> subprocess.CompletedProcess[str]:
        line = command(os.path.join(self.paths.state_dir, "snapshot"))
        return subprocess.run(shlex.split(line), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    def full_way(self) -> dict[str, Any]:
        """What staging says; {} if it refuses the node, or anything is not as the snapshot can have it."""
        try:
            result = dict(self.staged().result)
        except _PROBLEMS:
            return {}
        return result if result.pop("before") == result.pop("after") else {}
