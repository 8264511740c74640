# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/awx.yml against the stand-in of the API: made, made again, rotated, reduced, removed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from tests.awx import api
from tests.fleet.podman import CHECKOUT
from tests.tools.tool_venv import awx_collection

PASSWORD = "canary-password-{{ not_a_template }}-4f1c"
KEY = "-----BEGIN PRIVATE KEY-----\ncanary+key+line+5d0a\n-----END PRIVATE KEY-----\n"
REGISTRIES: list[dict[str, Any]] = [
    {"name": "main", "username": "robot", "password": PASSWORD, "ca": "-----BEGIN CERTIFICATE-----\nx\n",
     "client_certificate": "-----BEGIN CERTIFICATE-----\ny\n", "client_key": KEY},
    {"name": "other", "token": "canary-token-77aa"},
]  # fmt: skip
SETTINGS: dict[str, Any] = {
    "k3s_registries_awx_project_url": "https://git.example.com/fleet.git",
    "k3s_registries_awx_execution_environment": "registry.example.com/k3sfleet-ee:1",
    "k3s_registries_awx_forks": 50,
    "k3s_registries_awx_report_file": "/srv/reports/registries.html",
    "k3s_registries_awx_notifications": [
        {"name": "Ops by mail"},
        {"name": "Fleet chat", "events": ["started", "success", "error"], "type": "webhook",
         "configuration": {"url": "https://chat.example.com/hook", "headers": {"X-Token": "canary-hook-91be"}}},
    ],
}  # fmt: skip


@pytest.fixture
def awx() -> Iterator[api.Api]:
    with api.Api() as server:
        # One that somebody else has created.
        server.store.create("notification_templates", {"name": "Ops by mail", "organization": 1})
        yield server


def play(awx: api.Api, folder: Path, registries: list[dict[str, Any]] | None = None, **more: Any) -> int:
    """Run the playbook; returns how many tasks changed something."""
    variables = folder / "variables.yml"
    marked = yaml.safe_dump({**SETTINGS, **more, "k3s_registries_awx_registries": registries or REGISTRIES})
    # As an operator marks a password with braces, or as a lookup returns it.
    variables.write_text(re.sub(r"password: (?=[^ ])", "password: !unsafe ", marked), encoding="utf-8")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": "%s:%s" % (CHECKOUT / ".ansible" / "collections", awx_collection()),
        "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "CONTROLLER_HOST": awx.url, "CONTROLLER_OAUTH_TOKEN": api.TOKEN, "ANSIBLE_NOCOLOR": "1",
    }  # fmt: skip
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "--extra-vars", "@%s" % variables,
        "playbooks/awx.yml",
    ]  # fmt: skip
    outcome = subprocess.run(
        command, cwd=CHECKOUT, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, timeout=900,
    )  # fmt: skip
    output = outcome.stdout.decode("utf-8", "replace")
    assert outcome.returncode == 0, output[-6000:]
    assert "canary" not in output
    found = re.search(r"localhost +: ok=\d+ +changed=(\d+)", output)
    assert found, output[-2000:]
    return int(found.group(1))


def names(awx: api.Api, kind: str) -> list[str]:
    return sorted(str(item["name"]) for item in awx.store.objects[kind].values())


def one(awx: api.Api, kind: str, name: str) -> tuple[int, dict[str, Any]]:
    (found,) = [pair for pair in awx.store.objects[kind].items() if pair[1].get("name") == name]
    return found


def test_everything_is_made(awx: api.Api, tmp_path: Path) -> None:
    assert play(awx, tmp_path) > 0
    everything_is_there(awx)


@pytest.mark.nightly
def test_a_second_run_changes_nothing(awx: api.Api, tmp_path: Path) -> None:
    assert play(awx, tmp_path) > 0
    awx.requests.clear()
    assert play(awx, tmp_path) == 0
    assert awx.writes() == []


@pytest.mark.nightly
def test_rotated_and_back_to_nothing(awx: api.Api, tmp_path: Path) -> None:
    assert play(awx, tmp_path) > 0
    before = json.dumps(awx.store.objects, sort_keys=True)
    rotated = [dict(REGISTRIES[0], password="canary-rotated"), REGISTRIES[1]]
    play(awx, tmp_path, rotated)
    assert json.dumps(awx.store.objects, sort_keys=True) == before, "a secret changed without the switch"
    assert play(awx, tmp_path, rotated, k3s_registries_awx_update_secrets=True) > 0
    assert one(awx, "credentials", "K3s registries - registry main")[1]["inputs"]["password"] == "canary-rotated"

    play(awx, tmp_path, [rotated[0], {"name": "other", "state": "absent"}], k3s_registries_awx_verify_schedule="")
    assert names(awx, "credential_types") == names(awx, "credentials") == ["K3s registries - registry main"]
    assert awx.store.objects["schedules"] == {}

    assert play(awx, tmp_path, k3s_registries_awx_state="absent") > 0
    left = {kind: names(awx, kind) for kind, objects in awx.store.objects.items() if objects}
    left.pop("workflow_approval_templates", None)  # AWX removes those with their node, the stand-in keeps them
    assert left == {"organizations": ["Default"], "notification_templates": ["Ops by mail"]}
    awx.requests.clear()
    assert play(awx, tmp_path, k3s_registries_awx_state="absent") == 0
    assert awx.writes() == []


def everything_is_there(awx: api.Api) -> None:
    credential = one(awx, "credentials", "K3s registries - registry main")[1]
    assert credential["inputs"]["password"] == PASSWORD
    assert credential["inputs"]["client_key"] == KEY
    assert set(one(awx, "credentials", "K3s registries - registry other")[1]["inputs"]) == {"token"}
    injectors = one(awx, "credential_types", "K3s registries - registry main")[1]["injectors"]
    assert injectors["extra_vars"]["k3s_registry_main_password"] == "{{ password }}"
    assert injectors["extra_vars"]["k3s_registry_main_client_key_file"] == "{{ tower.filename.client_key }}"
    assert injectors["file"]["template.client_key"] == "{{ client_key }}"
    assert all(name.startswith("k3s_registry_main_") for name in injectors["extra_vars"])

    expected = [
        "Apply", "Check", "Diagnose", "Lint", "Mirror images", "Rehearse", "Remove", "Report", "Rollback",
        "Upgrade check", "Verify",
    ]  # fmt: skip
    assert names(awx, "job_templates") == ["K3s registries - " + name for name in expected]
    for number, template in awx.store.objects["job_templates"].items():
        assert len(awx.store.links[(number, "credentials")]) == 2
        assert template["job_slice_count"] == 1
        assert template["allow_simultaneous"] is False
        assert template["forks"] == 50
        assert notified(awx, number) == {
            "started": ["Fleet chat"], "success": ["Fleet chat"], "error": ["Ops by mail", "Fleet chat"],
        }  # fmt: skip
    (workflow,) = awx.store.objects["workflow_job_templates"]
    assert notified(awx, workflow)["approvals"] == ["Ops by mail"]
    hook = one(awx, "notification_templates", "Fleet chat")[1]
    assert (hook["notification_type"], hook["notification_configuration"]["url"]) == (
        "webhook", "https://chat.example.com/hook",
    )  # fmt: skip
    given = {name: template["extra_vars"] for _number, template in awx.store.objects["job_templates"].items()
             for name in [template["name"].rpartition(" - ")[2]]}  # fmt: skip
    assert json.loads(given.pop("Report"))["k3s_registries_report_file"] == "/srv/reports/registries.html"
    assert {said for said in given.values() if said not in ("", "{}")} == set()
    asked = awx.store.surveys[one(awx, "job_templates", "K3s registries - Remove")[0]]["spec"]
    assert "k3s_registries_agent_batch" in {item["variable"] for item in asked}
    check = one(awx, "job_templates", "K3s registries - Check")[1]
    assert (check["job_type"], check["diff_mode"], check["playbook"]) == ("check", True, "playbooks/apply.yml")
    number, apply = one(awx, "job_templates", "K3s registries - Apply")
    asked = {item["variable"] for item in awx.store.surveys[number]["spec"]}
    assert asked == {
        "k3s_registries_agent_batch",
        "k3s_registries_batch_pause",
        "k3s_registries_stop_after",
        "k3s_registries_on_failure",
    }
    assert apply["ask_limit_on_launch"] is True
    asked = awx.store.surveys[one(awx, "job_templates", "K3s registries - Upgrade check")[0]]["spec"]
    assert [item["variable"] for item in asked] == ["k3s_registries_target_release"]
    rehearse = one(awx, "job_templates", "K3s registries - Rehearse")[1]
    assert (rehearse["job_type"], rehearse["survey_enabled"]) == ("run", False)
    assert workflow_order(awx) == ["check", "rehearse", "approve", "apply", "verify"]
    (approval,) = awx.store.objects["workflow_approval_templates"].values()
    assert "k3s_registries_rehearsal_summary" in approval["description"]
    (schedule,) = awx.store.objects["schedules"].values()
    assert schedule["unified_job_template"] == one(awx, "job_templates", "K3s registries - Verify")[0]


def notified(awx: api.Api, number: int) -> dict[str, list[str]]:
    """Events to the notification templates that tell of them."""
    known = awx.store.objects["notification_templates"]
    prefix = "notification_templates_"
    return {
        what[len(prefix) :]: [known[one]["name"] for one in linked]
        for (owner, what), linked in awx.store.links.items()
        if owner == number and what.startswith(prefix) and linked
    }


def workflow_order(awx: api.Api) -> list[str]:
    nodes = awx.store.objects["workflow_job_template_nodes"]
    after = {number: awx.store.links.get((number, "success_nodes"), []) for number in nodes}
    (number,) = set(nodes) - {one for many in after.values() for one in many}
    order = [nodes[number]["identifier"]]
    while after[number]:
        (number,) = after[number]
        order.append(nodes[number]["identifier"])
    return order


def test_the_example_project_has_what_the_job_templates_run() -> None:
    project = CHECKOUT / "examples" / "awx-project"
    text = (CHECKOUT / "roles/k3s_registries_awx/vars/main.yml").read_text(encoding="utf-8")
    variables = yaml.safe_load(text.replace("!unsafe ", ""))
    for template in variables["_k3s_registries_awx_job_templates"]:
        example = project / template["playbook"]
        if not example.exists():
            # Only as long as the collection itself has no such playbook.
            assert not (CHECKOUT / template["playbook"]).exists(), template["playbook"]
            continue
        (play_,) = yaml.safe_load(example.read_text(encoding="utf-8"))
        name = play_["ansible.builtin.import_playbook"]
        assert name.startswith("k3sfleet.registries.")
        assert (CHECKOUT / "playbooks" / (name.rpartition(".")[2] + ".yml")).exists()
