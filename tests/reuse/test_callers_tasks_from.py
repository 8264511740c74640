# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's entry points, called with tasks_from from a play of somebody else's, with and without batches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.cluster import Run
from tests.reuse.members import Members
from tests.reuse.project import Project

pytestmark = pytest.mark.nightly
_PLAY = """\
- name: Somebody else's play
  hosts: server:agent
  gather_facts: false
%s  tasks:
    - name: The registries
      ansible.builtin.%s:
        name: k3sfleet.registries.k3s_registries
        tasks_from: %s
"""
_BATCHES = "  serial: 1\n"
_CALLS = [
    pytest.param("", "import_role", id="import_role"),
    pytest.param(_BATCHES, "include_role", id="include_role-serial"),
]
_MIRROR = "applied.test"
_MISSING = "docker.io/rancher/no-such-image:1"


@pytest.fixture(scope="module")
def before(project: Project, east: Members) -> dict[str, set[str]]:
    """Every node has applied.test; returned is what it had before, which is something."""
    if not all(east.configured().values()):
        project.play(_PLAY % ("", "include_role", "main"), east.inventory(east.with_mirror("before.test"))).ok()
    found = east.loaded()
    _call(project, east, "", "include_role", "main").ok()
    return found


def _call(project: Project, east: Members, batches: str, how: str, tasks_from: str, **more: Any) -> Run:
    return project.play(_PLAY % (batches, how, tasks_from), east.inventory({**east.with_mirror(_MIRROR), **more}))


@pytest.mark.parametrize(("batches", "how"), _CALLS)
@pytest.mark.usefixtures("before")
def test_verify_passes_and_touches_nothing(project: Project, east: Members, batches: str, how: str) -> None:
    run = _call(project, east, batches, how, "verify").ok()
    east.must_be_untouched(run, east.everywhere("docker.io", _MIRROR))
    rows = [line.split()[0] for line in run.output.splitlines() if line.startswith("east-") and " ok " in line]
    assert set(rows) == set(east.named())


@pytest.mark.usefixtures("before")
def test_verify_fails_the_node_that_somebody_has_edited(project: Project, east: Members) -> None:
    [agent] = east.named("agent")
    file = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d/%s/hosts.toml" % _MIRROR
    east.sh(agent, "cp -p %s /var/tmp/kept && echo '# somebody' >> %s" % (file, file))
    run = _call(project, east, "", "include_role", "verify.yml").refused()
    east.sh(agent, "mv /var/tmp/kept %s" % file)
    assert run.failed == [agent]


@pytest.mark.parametrize(("batches", "how"), _CALLS)
@pytest.mark.usefixtures("before")
def test_diagnose_names_a_failing_pull(project: Project, east: Members, batches: str, how: str) -> None:
    [agent] = east.named("agent")
    east.sh(agent, "if k3s crictl pull %s; then exit 1; fi" % _MISSING)
    run = _call(project, east, batches, how, "diagnose", k3s_registries_diagnose_since="5m").ok()
    assert _MISSING in run.output
    assert "not_found" in run.output
    east.must_be_untouched(run, east.everywhere("docker.io", _MIRROR))


@pytest.mark.parametrize(("batches", "how"), _CALLS)
@pytest.mark.usefixtures("before")
def test_report_has_every_node(project: Project, east: Members, batches: str, how: str) -> None:
    page = project.folder / "report.html"
    page.unlink(missing_ok=True)
    run = _call(project, east, batches, how, "report", k3s_registries_report_file=str(page)).ok()
    hosts = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["hosts"]
    assert {name: seen["info"]["state"] for name, seen in hosts.items()} == dict.fromkeys(east.named(), "loaded")
    east.must_be_untouched(run, east.everywhere("docker.io", _MIRROR))


@pytest.mark.parametrize("tasks_from", ["main", "rollback", "remove"])
@pytest.mark.usefixtures("before")
def test_a_wrong_variable_is_named_before_anything_is_touched(project: Project, east: Members, tasks_from: str) -> None:
    run = _call(project, east, "", "import_role", tasks_from, k3s_registries_on_failure="sometimes").refused()
    assert "value of k3s_registries_on_failure must be one of: rollback, keep, got: sometimes" in run.output
    east.must_be_untouched(run, east.everywhere("docker.io", _MIRROR))


def test_rollback_and_remove(project: Project, east: Members, before: dict[str, set[str]]) -> None:
    run = _call(project, east, _BATCHES, "import_role", "rollback").ok()
    assert east.loaded() == before
    east.must_have_restarted_in_order(run.began)
    east.must_have_had_the_lease(run)

    run = _call(project, east, "", "include_role", "remove").ok()
    assert east.configured() == east.everywhere()
    assert east.loaded() == east.everywhere()
    east.must_have_restarted_in_order(run.began)
    east.must_have_had_the_lease(run)
