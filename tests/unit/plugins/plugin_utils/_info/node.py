# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node in a temporary folder, asked and understood as the module and its action plugin do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity import identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.units import Found, Unit
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import MARKER, node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.placing import place, remember
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceState
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation import observe as observing
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import new_key, seal, unseal
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.given import read
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._info.info import Observation, info
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.prepare import Settings, prepare
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError

from tests.unit.plugins.plugin_utils._certificates.authority import NOW

STARTED = 1_000_000_000.0


class Node:
    """``start()`` does what K3s does at its start: it generates what the rules say."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, role: str = "agent") -> None:
        self.paths = node_paths(
            node_role=role, config_dir=str(root / "etc/rancher/k3s"), data_dir=str(root / "var/lib/rancher/k3s"),
            provider_config=str(root / "var/lib/rancher/credentialprovider/config.yaml"),
            provider_bin_dir=str(root / "var/lib/rancher/credentialprovider/bin"),
        )  # fmt: skip
        self.root = str(root)
        self.role = role
        self.command: list[str] = ["/usr/local/bin/k3s", role]
        self.environment: list[tuple[str, dict[str, str]]] = []
        self.state = ServiceState("absent", 0, 0.0, 0)
        self.default_endpoint = True
        self.embedded = ""
        self.binary = root / "k3s"
        self.rancher = ""
        self.release = ""
        monkeypatch.setattr(type(self.paths), "binary", property(lambda paths: str(self.binary)))
        monkeypatch.setattr(identity, "find_units", lambda root: Found(self._units(), self.rancher))
        monkeypatch.setattr(observing.installed_release, "installed", lambda paths, keep: self.release)
        os.makedirs(self.paths.config_dir)

    def _units(self) -> list[Unit]:
        if self.state.state == "absent":
            return []
        active = {"running": "active", "stopped": "inactive"}.get(self.state.state, "")
        name = self.paths.service
        return [
            Unit(
                name, "k3s", self.role, True, self.state, active, tuple(self.command), tuple(self.environment),
                name + ".service",
            )
        ]  # fmt: skip

    def identity(self) -> identity.Identity:
        return identity.find(identity.Stated(), self.root)

    def write(self, text: str | bytes, path: str = "", age: float = -100.0) -> None:
        """A file as somebody has written it, ``age`` seconds after K3s' start (before it where negative)."""
        target = Path(path or self.paths.registries_yaml)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        target.chmod(0o600)
        os.utime(target, (STARTED + age, STARTED + age))

    def apply(self, config: dict[str, Any]) -> None:
        """The collection puts a configuration in place."""
        desired = prepare(read(config), Settings(), self.paths, lambda path: b"", NOW).desired
        assert desired is not None
        memory = Memory(self.paths)
        desired = desired.at(self.paths)
        place(self.paths, desired, memory.record())
        remember(self.paths, memory, desired, 0)
        os.utime(self.paths.registries_yaml, (STARTED - 100, STARTED - 100))

    def start(self) -> None:
        self.install()
        self.state = ServiceState("running", 1, STARTED, 0)
        path = Path(self.paths.registries_yaml)
        try:
            config = decode(path.read_bytes() if path.exists() else b"")
        except DecodeError:
            return
        stem = self.paths.agent_dir + "/client-k3s-controller"
        tls = {
            "ca_file": self.paths.agent_dir + "/server-ca.crt",
            "cert_file": stem + ".crt",
            "key_file": stem + ".key",
        }
        for host, text in hosts_toml(config, self.default_endpoint, self.embedded, embedded_mirror_tls=tls).items():
            self.write(text, "%s/%s/hosts.toml" % (self.paths.certs_d, host), 5)
        lines = ["version = 3"]
        for name, table in auth_tables(config).items():
            lines.append("[plugins.'io.containerd.cri.v1.images'.registry.configs.'%s'.auth]" % name)
            lines += ['  %s = "%s"' % (key, value) for key, value in table.items() if value]
        self.write("\n".join(lines) + "\n", self.paths.containerd_config, 5)

    def stop(self) -> None:
        self.state = ServiceState("stopped", 0, 0.0, 0)

    def install(self) -> None:
        self.binary.touch()
        self.release = "v1.34.3+k3s1"

    def info(self) -> dict[str, Any]:
        """As the action plugin does it, with the second question where one is needed."""
        seen = self.ask()
        files, pairs = seen.unseen()
        if files or pairs:
            seen = self.ask(certificates=files, pairs=pairs)
        return info(seen, NOW)

    def ask(self, **more: Any) -> Observation:
        key = new_key()
        return Observation(unseal(seal(observing.observe(self.identity(), **more), key), key))


def managed(text: str) -> str:
    """A registries.yaml that says it is the collection's."""
    return MARKER + "\n" + text


def codes(found: dict[str, Any]) -> set[str]:
    return {problem["code"] for problem in found["problems"]}
