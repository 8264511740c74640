# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the variables ends a run before the first node is asked, with the variable's name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from local_fleet import Done, run

from tests.conftest import mostly_nightly

FLEET = {"server": ["server-1"], "agent": ["agent-1"]}
MIRROR = {"mirrors": {"docker.io": {"endpoint": ["https://registry.example.com:5000"]}}}
STAGE = "Stage the configuration on all nodes"
FIRST_TASK = {
    "site": STAGE, "remove": STAGE, "rollback": STAGE,
    "verify": "Ask each node", "report": "Ask each node", "diagnose": "Ask each node",
}  # fmt: skip


def refused(folder: Path, playbook: str, **variables: Any) -> Done:
    """A run with these role variables, which must end before the first task that asks a node."""
    named = {"k3s_registries" + (key and "_" + key): value for key, value in variables.items()}
    done = run(folder, playbook, FLEET, "-e", "k3s_registries_report_file=%s/report.html" % folder, variables=named)
    assert done.status != 0, done.output
    assert FIRST_TASK[playbook] not in done.output
    assert sorted(path.name for path in folder.iterdir()) == ["inventory.yml"]
    return done


@pytest.mark.parametrize(
    ("config", "said"),
    mostly_nightly([
        ({"mirrors": None, "configs": None}, "(mirrors: null; configs: null)"),
        ({"mirrors": {}, "configs": {"registry.example.com": None}}, "configs: nothing but empty entries"),
        ({}, "k3s_registries is empty"),
    ], ({}, "k3s_registries is empty")),
)  # fmt: skip
def test_a_configuration_with_nothing_in_it(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    done = refused(tmp_path, "site", **{"": config})
    assert said in done.output
    assert "state: absent" in done.output
    assert "Nothing has been touched" in done.output


def test_variables_may_be_made_by_filters(tmp_path: Path) -> None:
    mirrors = "{{ dict(['r.example.com'] | product([{'endpoint': ['https://a.example.com'], 'rewrites': {}}])) }}"
    done = refused(tmp_path, "site", **{"": {"mirrors": mirrors}})
    assert "K3R101" in done.output
    assert 'mirrors."r.example.com".rewrites' in done.output.replace('\\"', '"')


@pytest.mark.nightly
def test_settings_do_not_make_up_for_it(tmp_path: Path) -> None:
    done = refused(tmp_path, "site", **{"": {"mirrors": None, "configs": None}, "embedded_registry": True})
    assert "k3s_registries has nothing in it" in done.output


def test_every_value_that_cannot_work_is_named_at_once(tmp_path: Path) -> None:
    wrong = {
        "system_default_registry": "https://r/", "restart_timeout": 0, "max_failures": -1, "keep_generations": 0,
        "canary_timeout": -5, "probe_timeout": 0,
    }  # fmt: skip
    done = refused(tmp_path, "site", **{"": MIRROR, **wrong})
    for name, value in wrong.items():
        assert "k3s_registries_%s is %s: " % (name, repr(value) if isinstance(value, str) else value) in done.output


def test_credential_providers_that_the_kubelet_would_refuse(tmp_path: Path) -> None:
    provider = {"name": "own", "path": "/usr/bin/own", "match_images": ["https://r"], "default_cache_duration": "12"}
    done = refused(tmp_path, "site", credential_providers=[{**provider, "env": {"TOKEN": "c4n4ry"}}])
    said = " ".join(done.output.split())
    assert "k3s_registries_credential_providers: own: match_images https://r: it begins with a scheme" in said
    assert "own: default_cache_duration: '12' is no duration" in said.replace("\\'", "'").replace("''", "'")
    assert "c4n4ry" not in done.output


@pytest.mark.parametrize(
    ("playbook", "name", "value"),
    mostly_nightly([
        ("verify", "probe_timeout", 0),
        ("report", "report_since", "yesterday"),
        ("diagnose", "diagnose_since", "yesterday"),
        ("remove", "restart_timeout", 0),
        ("rollback", "max_failures", -1),
    ], ("verify", "probe_timeout", 0)),
)  # fmt: skip
def test_the_other_playbooks_check_too(tmp_path: Path, playbook: str, name: str, value: Any) -> None:
    assert "k3s_registries_" + name in refused(tmp_path, playbook, **{"": MIRROR, name: value}).output


@pytest.mark.parametrize("playbook", mostly_nightly(sorted(FIRST_TASK), "site"))
def test_a_wrong_type_in_the_variables_of_one_host_stops_all(tmp_path: Path, playbook: str) -> None:
    (tmp_path / "host_vars").mkdir()
    wrong = {"k3s_registries_restart_timeout": "soon", "k3s_registries_on_failure": "panic"}
    (tmp_path / "host_vars" / "agent-1.yml").write_text(json.dumps(wrong))
    done = run(tmp_path, playbook, FLEET, variables={"k3s_registries": MIRROR})
    assert done.status != 0
    assert re.search(
        r"fatal: \[agent-1\].*k3s_registries_restart_timeout.*k3s_registries_on_failure", done.output, re.S
    )
    assert FIRST_TASK[playbook] not in done.output
    assert "fatal: [server-1]" not in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["host_vars", "inventory.yml"]


def test_remove_needs_no_configuration(tmp_path: Path) -> None:
    done = run(tmp_path, "remove", FLEET, variables={"k3s_registries": {"mirrors": None, "configs": None}})
    assert done.status == 0, done.output


@pytest.mark.parametrize("playbook", mostly_nightly(["site", "verify"], "site"))
def test_a_text_is_taken_and_read_strictly(tmp_path: Path, playbook: str) -> None:
    """Where a filter or the argument spec would have dropped a key, or dumped the configuration."""
    text = "mirrors:\n  docker.io:\n    endpoints: [https://a.b]\nconfigs:\n  a.b:\n    auth: {token: c4n4ry}\n"
    done = run(tmp_path, playbook, {"server": ["a"]}, variables={"k3s_registries": text})
    assert done.status != 0
    if playbook == "site":
        # ansible-core 2.16 prints a message as JSON, later ones as text.
        said = done.output.replace('\\"', '"').replace("\\n", "\n")
        assert 'K3R101 error line 3, column 5: mirrors."docker.io".endpoints' in said
        assert "|     endpoints: [********]\n" in said
        assert "|     ^~~~~~~~~" in said
        assert "K3R106 error line 6, column 12" in said
    assert "c4n4ry" not in done.output


@pytest.mark.nightly
def test_neither_a_mapping_nor_text(tmp_path: Path) -> None:
    done = run(tmp_path, "site", {"server": ["a"]}, variables={"k3s_registries": ["mirrors"]})
    assert done.status != 0
    assert "k3s_registries is a list: give the content of registries.yaml" in done.output
