# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX prepares it for ansible-runner: private data directory, inventory, environment, extra variables."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Sequence

import yaml

from tests.fleet.podman import CHECKOUT
from tests.fleet.state import Fleet
from tests.integration.secrets_watch import Secrets
from tests.tools.tool_venv import tools

# A survey's answers, and the values a person types into a job template's extra variables field as JSON text.
AS_TEXT = {
    "k3s_registries_agent_batch": "25%",
    "k3s_registries_restart_timeout": "300",
    "k3s_registries_max_failures": "0",
    "k3s_registries_force": "false",
    "k3s_registries_disable_default_endpoint": "true",
    "k3s_registries_keep_generations": "3",
    "k3s_registries_on_failure": "rollback",
}


class Job:
    """One job with a private data directory of its own.

    ``hosts`` is the part of the inventory that AWX gives to it: a slice, or everything.
    """

    def __init__(
        self, fleet: Fleet, folder: Path, number: int, variables: dict[str, Any], hosts: Sequence[str] = ()
    ) -> None:
        self.fleet, self.folder, self.number = fleet, folder / ("job-%d" % number), number
        for name in ("env", "inventory", "project"):
            (self.folder / name).mkdir(parents=True, mode=0o700)
        for name in ("site", "rollback", "remove"):
            play = [{"name": name, "ansible.builtin.import_playbook": "k3sfleet.registries." + name}]
            (self.folder / "project" / (name + ".yml")).write_text(yaml.safe_dump(play), encoding="utf-8")
        given = {"awx_job_id": number, "tower_job_id": number, "awx_job_launch_type": "manual",
                 "awx_job_template_name": "Apply", "awx_user_name": "admin", **variables}  # fmt: skip
        self._write("env/extravars", yaml.safe_dump(given))
        self._write("env/envvars", json.dumps(self._environment()))
        self._write("env/settings", json.dumps({"fact_cache_type": "jsonfile", "idle_timeout": 120}))
        self._write("inventory/hosts.json", json.dumps(_cut(fleet, hosts)))

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        return {
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible" / "collections"),
            "AWX_PRIVATE_DATA_DIR": str(self.folder),
            "JOB_ID": str(self.number),
            "INVENTORY_ID": "1",
            "MAX_EVENT_RES": "700000",
        }

    def start(self, playbook: str = "site.yml", limit: str = "") -> subprocess.Popen[bytes]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        environment["PATH"] = "%s:%s" % (tools(), environment["PATH"])
        drive = str(Path(__file__).with_name("drive.py"))
        command = [str(tools() / "python"), drive, str(self.folder), playbook, str(self.number), limit]
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def run(self, playbook: str = "site.yml", limit: str = "") -> str:
        """Run it to its end; returns AWX' word for how it ended."""
        return ended(self.start(playbook, limit))

    def cancel(self) -> None:
        (self.folder / "cancel").touch()

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts" / str(self.number)

    def events(self) -> list[dict[str, Any]]:
        files = self.artifacts.glob("job_events/*-*.json")
        found = [json.loads(path.read_text(encoding="utf-8")) for path in files if "partial" not in path.name]
        return sorted(found, key=lambda event: event["counter"])

    def text(self) -> str:
        path = self.artifacts / "stdout"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def changed(self) -> dict[str, int]:
        (stats,) = [event["event_data"] for event in self.events() if event["event"] == "playbook_on_stats"]
        return {host: stats["changed"].get(host, 0) for host in stats["processed"]}

    def must_have_kept(self, secrets: Secrets) -> None:
        """No secret in any event, in the output, or in what else the job leaves for AWX to collect."""
        files = [path for path in self.artifacts.rglob("*") if path.is_file()]
        assert any(path.parent.name == "job_events" for path in files), "no events: nothing was searched"
        given = (self.folder / "env" / "extravars").read_text(encoding="utf-8")
        assert secrets.found_in(given), "the search does not even find what the job was given"
        for path in files:
            leaked = secrets.found_in(path.read_text(encoding="utf-8", errors="replace").replace("\\n", "\n"))
            assert not leaked, "%s: %s" % (path.name, leaked)


def ended(process: subprocess.Popen[bytes]) -> str:
    out, _unused = process.communicate(timeout=280)
    return out.decode().strip()


def wait_for(what: Callable[[], bool], seconds: float = 90.0) -> None:
    """:raises AssertionError: when it does not come true in time."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen within %d s" % seconds
        time.sleep(0.1)


def slices(fleet: Fleet, count: int) -> list[list[str]]:
    """AWX deals the hosts, in the order of their names, to the slices in turn."""
    names = sorted(node.name for node in fleet.nodes)
    return [names[number::count] for number in range(count)]


def _cut(fleet: Fleet, hosts: Sequence[str]) -> dict[str, Any]:
    inventory: dict[str, Any] = yaml.safe_load((fleet.folder / "inventory.yml").read_text(encoding="utf-8"))
    for group in inventory["k3s_cluster"]["children"].values():
        group["hosts"] = {name: value for name, value in group["hosts"].items() if not hosts or name in hosts}
    return inventory
