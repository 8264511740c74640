# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node: gets the configuration with every fault, pulls, and is asked by the collection's modules what it saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tests.fleet import nodes
from tests.fleet.certificates import Issued, write_private
from tests.fleet.podman import CHECKOUT
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet, Node
from tests.registry_faults.cases import CASES, NODE_FOLDER, REGISTRIES, SERVERS

PULL_SECONDS = 40
"""containerd gives up dialling after 30 s; a registry that says nothing holds a pull for as long as it likes."""
AT_ONCE = 14
PROBE_SECONDS = 8.0


class FaultyNode:
    """An agent of the fleet, with its K3s configured for all the cases."""

    def __init__(self, fleet: Fleet, node: Node, config: dict[str, Any]) -> None:
        self._fleet = fleet
        self._node = node
        self._config = config
        self.since = ""

    def run(self, command: str, stdin: bytes | None = None) -> str:
        """Runs a shell command as root."""
        done = nodes.execute(self._fleet, self._node.name, ["sh", "-c", command], stdin=stdin)
        return str(done.stdout)

    def configure(self, issued: dict[str, Issued], registries: str, servers: str) -> None:
        """Names, certificates and registries.yaml in place, K3s restarted, and then what is broken by hand.

        :param registries: the address of the registries' container.
        :param servers: the address of this machine in the fleet's network.
        """
        upper = set(SERVERS.values())
        lines = [
            f"{servers if case.port in upper else registries} {case.mirror_host.partition(':')[0]}"
            for case in CASES
            if not case.host
        ]
        assert set(REGISTRIES.values()).isdisjoint(upper)
        self.run("grep -v faults.test /etc/hosts > /tmp/hosts; cat - >> /tmp/hosts; cat /tmp/hosts > /etc/hosts",
                 ("\n".join(lines) + "\n").encode())  # fmt: skip
        folder = self._fleet.folder / "faults-node"
        for name in ("ca", "other-ca", "client", "stranger"):
            issued[name].write(folder / name)
        (folder / "removed.crt").write_bytes((folder / "ca.crt").read_bytes())
        (folder / "garbage.crt").write_text("this is no certificate\n", encoding="utf-8")
        self.run(f"mkdir -p -m 0700 {NODE_FOLDER}")
        for file in folder.iterdir():
            self.run(f"umask 077; cat > {NODE_FOLDER}/{file.name}", file.read_bytes())
            file.unlink()
        folder.rmdir()
        path = f"{self._fleet.config_dir}/registries.yaml"
        self.run(f"umask 077; cat > {path}", yaml.safe_dump(self._config).encode())
        self.run(f"systemctl restart {self._fleet.service(self._node)}")
        self._wait()
        certs_d = f"{self._fleet.data_dir}/agent/etc/containerd/certs.d"
        broken = f"{certs_d}/hosts-toml.example.com/hosts.toml"
        self.run(f"printf 'skip_verify = yes please\\n' >> {broken}; rm {NODE_FOLDER}/removed.crt")

    def _wait(self, patience: float = 60.0) -> None:
        deadline = time.monotonic() + patience
        while True:
            done = nodes.execute(self._fleet, self._node.name, ["k3s", "crictl", "info"], check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise FleetError(f"{self._node.name}: containerd does not answer {patience:.0f} s after the restart")
            time.sleep(0.5)

    def pull_all(self) -> dict[str, bool]:
        """Pulls every case's image, each under its own deadline; returns which pulls went well."""
        self.since = self.run("date -u +%Y-%m-%dT%H:%M:%S.%NZ").strip()
        # containerd 1.6 does not say whose hosts.toml it could not read, so that pull is made alone. Then the slow ones
        # first, so that nobody waits for them in the end.
        alone = [case for case in CASES if case.cause == "hosts_toml_invalid"]
        images = [
            case.full_image for case in sorted(CASES, key=lambda case: case.cause != "timeout") if case not in alone
        ]
        one = f"if timeout -k 5 {PULL_SECONDS} k3s crictl pull $0 >/dev/null 2>&1; then echo $0; fi"
        said = self.run(f"xargs -n 1 sh -c '{one}'", "\n".join(case.full_image for case in alone).encode())
        said += self.run(f"xargs -n 1 -P {AT_ONCE} sh -c '{one}'", "\n".join(images).encode())
        pulled = set(said.split())
        return {case.name: case.full_image in pulled for case in CASES}

    def ask_modules(self, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """What k3s_registry_probe and k3s_pull_diagnosis return, run by Ansible as users run them."""
        answers = folder / "answers.json"
        images = [case.full_image for case in CASES]
        tasks = [
            {
                "k3sfleet.registries.k3s_registry_probe": {
                    "images": images,
                    "all_endpoints": False,
                    "timeout": PROBE_SECONDS,
                },
                "register": "probe",
            },
            {
                "k3sfleet.registries.k3s_pull_diagnosis": {"since": self.since, "config": "{{ faults_config }}"},
                "register": "diagnosis",
            },
            {"k3sfleet.registries.k3s_pull_diagnosis": {"since": self.since}, "register": "without_config"},
            {
                "ansible.builtin.copy": {
                    "content": "{{ {'probe': probe, 'with': diagnosis, 'without': without_config} | to_json }}",
                    "dest": str(answers),
                    "mode": "0600",
                },
                "delegate_to": "localhost",
                "become": False,
                "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            },
        ]
        play = [{"hosts": self._node.name, "gather_facts": False, "tasks": tasks}]
        (folder / "play.yml").write_text(yaml.safe_dump(play, sort_keys=False), encoding="utf-8")
        write_private(folder / "variables.yml", yaml.safe_dump({"faults_config": self._config}).encode())
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "--inventory", str(self._fleet.folder / "inventory.yml"),
            "--extra-vars", f"@{folder / 'variables.yml'}",
            str(folder / "play.yml"),
        ]  # fmt: skip
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible" / "collections")}
        done = subprocess.run(
            command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=180
        )
        if done.returncode:
            raise FleetError(f"ansible-playbook failed:\n{done.stdout}\n{done.stderr}")
        content: dict[str, Any] = json.loads(answers.read_text(encoding="utf-8"))
        return content["probe"], {"with": content["with"]["pulls"], "without": content["without"]["pulls"]}
