# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of ansible-playbook over hosts that are no machines, and what was seen of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

import yaml

CHECKOUT = Path(__file__).resolve().parents[5]
ROLE = {"name": "k3sfleet.registries.k3s_registries"}
CONFIG = {"mirrors": {"docker.io": {"endpoint": ["https://registry.example.com"]}}}
_SETTINGS = "[defaults]\ninternal_poll_interval = 0.01\nshow_custom_stats = true\n"
# A run takes seconds; one that is still there after this hangs.
_HANGS = 600


@dataclass
class Seen:
    """What a run has left behind. ``commits`` are its commits in the order in which they began: host, begin, end;
    ``handed_on`` is what set_stats has, ``renewals`` are when the Lease was renewed."""

    code: int
    output: str
    seed: int
    commits: list[tuple[str, float, float]] = field(default_factory=list)
    handed_on: dict[str, Any] = field(default_factory=dict)
    renewals: list[float] = field(default_factory=list)

    @property
    def order(self) -> list[str]:
        return [host for host, _began, _ended in self.commits]

    def order_of(self, hosts: Sequence[str]) -> list[str]:
        return [host for host in self.order if host in hosts]

    def most_at_once(self, hosts: Sequence[str]) -> int:
        spans = [(began, ended) for host, began, ended in self.commits if host in hosts]
        return max((sum(began <= moment < ended for began, ended in spans) for moment, _ended in spans), default=0)

    def beside(self, host: str) -> set[str]:
        """The hosts whose commits overlapped with that of ``host``."""
        [(since, until)] = [(began, ended) for name, began, ended in self.commits if name == host]
        return {name for name, began, ended in self.commits if name != host and began < until and since < ended}

    def planned(self) -> list[list[str]]:
        """The hosts of each printed plan, in its order."""
        plans: list[list[str]] = []
        for line in self.output.splitlines():
            if line.startswith("Rollout plan:"):
                plans.append([])
            found = re.match(r"  (?:first, as|without|servers,|agents,).*: (.+)$", line)
            if found:
                plans[-1] += found.group(1).split(", ")
        return plans

    def __str__(self) -> str:
        return "ROLLOUT_SEED=%d\n%s" % (self.seed, self.output)


def collection(folder: Path) -> Path:
    """A folder for ansible_collections with this checkout as the collection, but for the calls to the nodes."""
    root = folder / "ansible_collections" / "k3sfleet" / "registries"
    actions = root / "plugins" / "action"
    actions.mkdir(parents=True)
    for name in ("roles", "meta", "galaxy.yml"):
        (root / name).symlink_to(CHECKOUT / name)
    for part in (CHECKOUT / "plugins").iterdir():
        if part.name != "action":
            (root / "plugins" / part.name).symlink_to(part)
    # It works on the controller alone.
    name = "k3s_registries_summary.py"
    (actions / name).symlink_to(CHECKOUT / "plugins" / "action" / name)
    (root / "plugins" / "real_action").symlink_to(CHECKOUT / "plugins" / "action")
    (root / "plugins" / "stub").mkdir()
    (root / "plugins" / "stub" / "stub_node.py").symlink_to(Path(__file__).with_name("stub_node.py"))
    stub = "from ansible_collections.k3sfleet.registries.plugins.stub.stub_node import %s as ActionModule  # noqa\n"
    (actions / "k3s_registries.py").write_text(stub % "Registries", encoding="utf-8")
    (actions / "k3s_rollout.py").write_text(stub % "Rollout", encoding="utf-8")
    (actions / "k3s_rollout_lease.py").write_text(stub % "Lease", encoding="utf-8")
    return folder


@dataclass
class Playbooks:
    """Runs playbooks in ``folder``, with hosts that are late at random."""

    folder: Path
    seed: int
    number: int = 0

    def play(
        self,
        clusters: Mapping[str, Mapping[str, Sequence[str]]],
        *arguments: str,
        forks: int = 5,
        late: float = 0.1,
        keywords: Mapping[str, Any] | None = None,
        tasks: Sequence[Mapping[str, Any]] | None = None,
        variables: Mapping[str, Any] | None = None,
        **scenario: Any,
    ) -> Seen:
        """Run the role over these clusters in one play.

        :param clusters: the name of each with its ``server`` and ``agent``, in the order in which the play has them.
        :param late: up to how many seconds a host is late before each task, and busy with its commit.
        :param keywords: of the play.
        :param variables: of all hosts, in the inventory, where people have them. What Ansible evaluates without a host
            does not see those.
        :param scenario: what else the stub is to do: see there.
        """
        self.number += 1
        folder = self.folder / ("run-%d" % self.number)
        folder.mkdir()
        log = folder / "commits.jsonl"
        told = {"seed": self.seed, "late": late, "log": str(log), **scenario}
        (folder / "scenario.json").write_text(json.dumps(told), encoding="utf-8")
        inventory = _inventory(clusters, {"k3s_registries": CONFIG, **(variables or {})})
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")
        play = {
            "name": "Every cluster",
            "hosts": ":".join(clusters),
            "gather_facts": False,
            **(keywords or {}),
            "tasks": list(tasks or [{"name": "The registries", "ansible.builtin.include_role": ROLE}]),
        }
        (folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        (folder / "ansible.cfg").write_text(_SETTINGS, encoding="utf-8")
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [program, "--forks", str(forks), "--inventory", "inventory.yml", *arguments, "play.yml"]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ROLLOUT_SCENARIO": str(folder / "scenario.json"),
            "COLUMNS": "10000",
        }
        ended = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=_HANGS, check=False,
        )  # fmt: skip
        renewals = [line["at"] for line in _logged(log) if line["event"] == "renewed"]
        handed_on = re.search(r"^\tRUN: (\{.*\})$", ended.stdout, re.MULTILINE)
        return Seen(
            ended.returncode, ended.stdout, self.seed, _commits(log), json.loads(handed_on[1]) if handed_on else {},
            renewals,
        )  # fmt: skip


def _inventory(clusters: Mapping[str, Mapping[str, Sequence[str]]], variables: Mapping[str, Any]) -> dict[str, Any]:
    children: dict[str, Any] = {}
    for name, roles in clusters.items():
        groups = {role: "%s_%s" % (name, role) for role in ("server", "agent")}
        # In the order in which the cluster gives its roles: that is the order in which the play takes its hosts.
        members = {groups[role]: {"hosts": dict.fromkeys(hosts, None)} for role, hosts in roles.items()}
        own = {"k3s_registries_%s_group" % role: group for role, group in groups.items()}
        children[name] = {"children": members, "vars": {**own, "ansible_connection": "local"}}
    return {"all": {"children": children, "vars": dict(variables)}}


def _logged(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def _commits(log: Path) -> list[tuple[str, float, float]]:
    lines = _logged(log)
    ends = {line["host"]: line["at"] for line in lines if line["event"] == "ended"}
    began = [line for line in lines if line["event"] == "began"]
    return [(line["host"], line["at"], ends.get(line["host"], line["at"])) for line in began]
