# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks that look: a node takes one line, also one that cannot be reached, which stops nothing."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_fleet import Done, run

from tests import results
from tests.conftest import mostly_nightly

FLEET = {"server": ["server-1"], "agent": ["agent-1", "agent-2"]}
GONE = {
    "ansible_connection": "{{ 'ssh' if inventory_hostname == 'agent-2' else 'local' }}",
    "ansible_host": "127.0.0.1",
    "ansible_port": 1,
    "k3s_registries_verify_not_installed": "allow",
}


def lines_of(done: Done, host: str) -> list[str]:
    """The lines that Ansible prints for a host once nodes are asked; one more for the first, whose task is the last."""
    return re.findall(r"^(\w+): \[%s\]" % host, done.output.partition("Ask each node")[2], re.M)


def test_verify(tmp_path: Path) -> None:
    path = tmp_path / "new" / "verify.json"
    done = run(tmp_path, "verify", FLEET, variables={**GONE, "k3s_registries_verify_file": "new/verify.json"})
    assert done.status != 0
    assert (lines_of(done, "agent-1"), lines_of(done, "agent-2")) == (["ok"], ["fatal"])
    assert "1 of 3 nodes failed: agent-2" in done.output
    assert re.search(r"^agent-2 +FAILED +unreachable ", done.output, re.M), done.output
    assert "unreachable=1" not in done.output
    assert done.output.count("FAILED agent-2\n  unreachable: ") == 1
    assert "The result of every node is in %s\n" % path in done.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = results.valid(path)
    hosts = document["hosts"]
    assert (document["kind"], {name: host["passes"] for name, host in hosts.items()}) == (
        "verify", {"agent-1": True, "agent-2": False, "server-1": True},
    )  # fmt: skip
    assert {name: (host["condition"], host["group"]) for name, host in hosts.items()} == {
        "agent-1": ("idle", "agent"), "agent-2": ("unreachable", "agent"), "server-1": ("idle", "server"),
    }  # fmt: skip
    assert [failure["code"] for failure in hosts["agent-2"]["failures"]] == ["unreachable"]
    assert '"info": {' not in done.output, "what Ansible prints of a failure has nothing of the file"


def test_report(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = run(tmp_path, "report", FLEET, variables={**GONE, "k3s_registries_report_file": str(page)})
    assert done.status == 0, done.output
    assert (lines_of(done, "agent-1"), lines_of(done, "agent-2")) == (["ok"], ["ok"])
    hosts = results.valid(page.with_suffix(".json"))["hosts"]
    assert {name: host["condition"] for name, host in hosts.items()} == {
        "agent-1": "idle", "agent-2": "unreachable", "server-1": "idle",
    }  # fmt: skip
    assert hosts["agent-2"]["unreachable"]


def test_diagnose(tmp_path: Path) -> None:
    path = tmp_path / "diagnose.json"
    wanted = {"k3s_registries_diagnose_file": str(path), "k3s_registries_diagnose_mode": "0640"}
    done = run(tmp_path, "diagnose", FLEET, variables={**GONE, **wanted})
    assert done.status != 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    document = results.valid(path)
    assert (document["kind"], {name: host["condition"] for name, host in document["hosts"].items()}) == (
        "diagnose", {"agent-1": "idle", "agent-2": "unreachable", "server-1": "idle"},
    )  # fmt: skip
    assert (lines_of(done, "agent-1"), lines_of(done, "agent-2")) == (["ok"], ["ok"])
    assert "agent-2 could not be examined: " in done.output


@pytest.mark.parametrize("playbook", mostly_nightly(["verify", "report", "diagnose"], "verify"))
def test_the_first_node_may_be_the_one_that_is_gone(tmp_path: Path, playbook: str) -> None:
    """Once for all nodes does not mean: on the first one, or not at all."""
    gone = {**GONE, "ansible_connection": "{{ 'ssh' if inventory_hostname == 'server-1' else 'local' }}"}
    files = {"k3s_registries_%s_file" % name: str(tmp_path / (name + ".json")) for name in ("verify", "diagnose")}
    page = {"k3s_registries_report_file": str(tmp_path / "report.html")}
    done = run(tmp_path, playbook, FLEET, variables={**gone, **files, **page})
    assert playbook != "verify" or "1 of 3 nodes failed: server-1" in done.output
    hosts = results.valid(tmp_path / (playbook + ".json"))["hosts"]
    assert {name for name, host in hosts.items() if host["unreachable"]} == {"server-1"}
    assert set(hosts) == {"server-1", "agent-1", "agent-2"}


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("play", "passes"),
    [
        ({"serial": 1}, {"server-1": True, "agent-1": True, "agent-2": False}),
        # Ansible ends the play after a batch of which no host is left.
        ({"serial": 1, "order": "reverse_inventory"}, {"server-1": False, "agent-1": False, "agent-2": False}),
        ({"strategy": "free"}, {"server-1": True, "agent-1": True, "agent-2": False}),
        ({"hosts": "server-1,agent-2"}, {"server-1": True, "agent-2": False}),
    ],
)
def test_whatever_the_play_the_file_has_all_of_its_hosts(
    tmp_path: Path, play: dict[str, Any], passes: dict[str, bool]
) -> None:
    role = {"name": "k3sfleet.registries.k3s_registries", "tasks_from": "verify.yml"}
    plays = [{"hosts": "server,agent", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": role}], **play}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    path = tmp_path / "verify.json"
    run(tmp_path, "play.yml", FLEET, variables={**GONE, "k3s_registries_verify_file": str(path)})
    assert {name: host["passes"] for name, host in results.valid(path)["hosts"].items()} == passes
