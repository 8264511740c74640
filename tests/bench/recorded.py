# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller does with the results of a thousand nodes, fed with recorded ones: no node is asked anything.

The playbooks begin with the task that comes after all questions, with the variables that these would have registered.
Plan, progress and summary are lines that a run's processes make of its ledger.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterator

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.bench.ansible_run import Run, ansible
from tests.report import samples

# isort: split
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import plan, summary, time_left
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.batches import Batches
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import ENDED, Host
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Run as Rollout
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import verdict

_PLAYBOOKS = {
    "verify: the table": ("verify.yml", "Show nodes by endpoints"),
    "diagnose: pulls by cause": ("diagnose.yml", "Show the failing pulls by cause"),
    "report: page and JSON": ("report.yml", "Write the report on the controller"),
}
"""Playbook, and its first task after the questions."""


def timed(count: int) -> Iterator[tuple[str, float]]:
    """What the controller does, and the seconds that it takes."""
    yield "rollout: plan, progress, summary", rollout_lines(count)[1]
    with TemporaryDirectory(prefix="k3sfleet-recorded-") as folder:
        inventory = write_inventory(Path(folder), count)
        for name, (playbook, task) in _PLAYBOOKS.items():
            run = ansible(
                "ansible-playbook",
                ["--inventory", str(inventory), "--start-at-task", task, "playbooks/" + playbook],
                notes=True,
            )
            yield name, seconds_of_tasks(run, task)


def seconds_of_tasks(run: Run, first: str) -> float:
    """Of all tasks that ran.

    :raises LookupError: if ``first`` has not run, or if a node was asked anything.
    """
    tasks = [note for note in run.notes if "task" in note]
    if not any(note["task"].endswith(first) for note in tasks) or any("remote" in note for note in run.notes):
        raise LookupError("%r was to be the first task, and none to ask a node:\n%s" % (first, run.output[-2000:]))
    return float(sum(note["seconds"] for note in tasks))


def write_inventory(folder: Path, count: int) -> Path:
    """Nodes of which each has been asked everything, about a fifth of them with some trouble.

    A program that prints them: Ansible reads megabytes from one in half the time that it takes for a file, which it
    copies piece by piece.
    """
    hosts = samples.document(count)["hosts"]
    groups: dict[str, Any] = {group: {"hosts": []} for group in ("server", "agent")}
    known = {}
    for name, host in hosts.items():
        groups[host["group"]]["hosts"].append(name)
        known[name] = {"_k3s_registries_examined": no_template(examined(name, host))}
    variables = {"ansible_connection": "local", "k3s_registries_report_file": str(folder / "report.html")}
    cluster = {"k3s_cluster": {"children": list(groups), "vars": variables}}
    printed = folder / "inventory.json"
    printed.write_text(json.dumps({**cluster, **groups, "_meta": {"hostvars": known}}), encoding="utf-8")
    path = folder / "inventory"
    path.write_text("#!/bin/sh\ncat '%s'\n" % printed, encoding="utf-8")
    path.chmod(0o700)
    return path


def no_template(value: Any) -> Any:
    """``value`` for an inventory, in which a text with braces, such as a log's line, would be a template."""
    if isinstance(value, dict):
        return {key: no_template(item) for key, item in value.items()}
    if isinstance(value, list):
        return [no_template(item) for item in value]
    return {"__ansible_unsafe": value} if isinstance(value, str) and "{" in value else value


def examined(name: str, host: dict[str, Any]) -> dict[str, Any]:
    """A host of a report's document as the results that it is made of."""
    if host["unreachable"]:
        info: dict[str, Any] = {"unreachable": True, "msg": host["unreachable"]}
    else:
        info = {"info": host["info"]}
    probe = {"endpoints": host["endpoints"], "providers": host.get("providers", [])}
    for error in host["errors"]:
        failed = {"failed": True, "msg": error["message"]}
        if error["module"] == "k3s_registries_info":
            info = failed
        else:
            probe = failed
    answers: dict[str, Any] = {
        "info": info, "probe": probe, "canary": {}, "applied": {}, "diagnosis": {"pulls": host["pulls"]},
        "rehearsal": {"rehearsal": host["rehearsal"]} if host.get("rehearsal") else {},
    }  # fmt: skip
    return {**answers, "verdict": verdict(name, info, probe, {}, True)}


def rollout_lines(count: int) -> tuple[list[str], float]:
    """The lines of a rollout that restarts every node, and the seconds that making them takes."""
    names = samples.names(count)
    groups = {role: [name for name in names if name.startswith("server") == (role == "server")] for role in _ROLES}
    reason = "docker.io is to be pulled through https://registry.example.com:5000"
    run = Rollout(
        hosts={name: Host(role=role, reasons=[reason], changed=True) for role in _ROLES for name in groups[role]},
        arrived=dict.fromkeys(names, "running"), staged=list(names), order=list(names),
    )  # fmt: skip
    began = time.perf_counter()
    batches = Batches((max(1, count // 10),))
    lines = plan.plan_lines(run, batches.words(count), time_left.plan_lines(run, batches, count, 0.0))
    for name in plan.order(run):
        run.hosts[name].progress, run.hosts[name].restarted = ENDED, True
        lines.append(plan.progress_line(run, name, {"seconds": 4.2, "step": "done", "restarted": True}))
    lines += summary.lines(run, "server/agent", {"ansible_play_hosts": names, "groups": groups})
    return lines, time.perf_counter() - began


_ROLES = ("server", "agent")
