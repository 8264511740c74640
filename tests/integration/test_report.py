# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook `report` on real nodes: what it finds, that it changes none of them, and that no secret gets into it."""

from __future__ import annotations

import copy
import stat
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests import results
from tests.fleet.inventory import CANARY
from tests.integration.cluster import Cluster, Run
from tests.integration.test_first_run import _of_k3s

REPORT = "playbooks/report.yml"
HOSTS_TOML = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d/docker.io/hosts.toml"
TEMPLATE = "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl"
MISSING = "docker.io/library/missing:1"
NOWHERE = "nowhere.k3sfleet.test:5000"


@dataclass(frozen=True)
class Report:
    """One run of the playbook and what it has written; ``html`` without the marks where names may be broken."""

    run: Run
    page: Path
    html: str
    document: dict[str, Any]

    def host(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document["hosts"][name]
        return found


def write(cluster: Cluster, name: str, *images: str, since: str = "24h", **more: Any) -> Report:
    """Run the playbook; no secret of the cluster is in its files then."""
    page = cluster.folder / "reports" / (name + ".html")
    variables = {
        "k3s_registries_report_file": str(page),
        "k3s_registries_report_images": [CANARY, *images],
        "k3s_registries_report_since": since,
    }
    run = cluster.play(REPORT, variables=variables, **more).ok()
    text, data = (path.read_text(encoding="utf-8") for path in (page, page.with_suffix(".json")))
    assert cluster.secrets.found_in(text + data) == []
    return Report(run, page, text.replace("<wbr>", ""), results.valid(page.with_suffix(".json")))


@dataclass(frozen=True)
class Calm:
    """The fleet as it ought to be, and its report."""

    before: dict[str, Any]
    report: Report
    after: dict[str, Any]


@pytest.fixture(scope="module")
def calm(configured: Cluster) -> Calm:
    before = configured.snapshot()
    # The pulls that other tests have made fail are in the log too.
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    report = write(configured, "calm", NOWHERE + "/team/app:1", since=now)
    return Calm(before, report, configured.snapshot())


def test_each_node_tells_what_it_has_and_what_it_can_reach(configured: Cluster, calm: Calm) -> None:
    """All is well but for one of the images, whose registry does not exist."""
    assert "All 3 nodes need attention" in calm.report.run.output
    assert f"Name unknown at {NOWHERE}" in calm.report.html
    assert set(calm.report.document["hosts"]) == set(configured.names)
    for name in configured.names:
        host = calm.report.host(name)
        assert host["group"] == configured.fleet.node(name).role
        assert (host["unreachable"], host["errors"], host["pulls"]) == ("", [], [])
        assert host["info"]["state"] == "loaded"
        mirrors = [entry for entry in host["endpoints"] if entry["kind"] == "mirror"]
        assert {entry["cause"] for entry in mirrors} == {"ok"}
        assert {entry["image"] for entry in mirrors} == {"", CANARY}
        lost = {entry["cause"] for entry in host["endpoints"] if entry["registry"] == NOWHERE}
        assert lost == {"dns_failure"}


def test_no_node_is_changed(calm: Calm) -> None:
    assert _of_k3s(calm.after) == _of_k3s(calm.before)


def test_the_files_are_for_their_owner(calm: Calm) -> None:
    for path in (calm.report.page, calm.report.page.with_suffix(".json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture(scope="module")
def troubled(configured: Cluster, calm: Calm) -> Iterator[Report]:
    """One agent whose generated files somebody has edited and which cannot pull an image, and one out of reach."""
    drifted, gone = configured.agents
    configured.sh(drifted, f"sed -i /capabilities/d {HOSTS_TOML}; ! k3s crictl pull {MISSING} 2>&1")
    yield write(configured, "troubled", hosts={gone: {"ansible_port": 1}})
    configured.play().ok()


def test_drift_is_named_with_its_difference(configured: Cluster, troubled: Report) -> None:
    info = troubled.host(configured.agents[0])["info"]
    assert info["state"] == "drifted"
    assert [(item["file"], item["kind"]) for item in info["differences"]] == [(HOSTS_TOML, "differs")]
    assert "Drifted" in troubled.html
    assert "capabilities = [" in troubled.html


def test_a_failing_pull_is_named_with_its_cause_and_fix(configured: Cluster, troubled: Report) -> None:
    # Those that other tests have made fail are in the log too.
    [pull] = [pull for pull in troubled.host(configured.agents[0])["pulls"] if pull["image"] == MISSING]
    assert pull["cause"] == "not_found"
    assert "Image missing" in troubled.html
    assert pull["endpoint"] == "%s:%d" % (configured.fleet.registry.host, configured.fleet.registry.port)


def test_a_node_out_of_reach_is_in_the_report_and_stops_nothing(configured: Cluster, troubled: Report) -> None:
    gone = troubled.host(configured.agents[1])
    assert gone["info"] is None
    assert gone["unreachable"]
    assert "Unreachable" in troubled.html
    assert troubled.host("server-1")["info"]["state"] == "loaded"


@pytest.mark.nightly
def test_without_the_first_node_there_is_a_report_too(configured: Cluster, troubled: Report) -> None:
    """Once per play does not mean: on the first node, or not at all."""
    first = configured.names[0]
    report = write(configured, "headless", hosts={first: {"ansible_port": 1}})
    assert report.host(first)["unreachable"]
    assert all(report.host(name)["info"] for name in configured.agents)


@pytest.mark.nightly
def test_where_no_module_can_run_there_is_a_report_too(configured: Cluster, troubled: Report) -> None:
    powerless = {name: {"ansible_become_exe": "/bin/false"} for name in configured.names}
    report = write(configured, "helpless", hosts=powerless)
    assert "All 3 nodes need attention" in report.run.output
    for name in configured.names:
        assert report.host(name)["errors"] or report.host(name)["unreachable"]


@pytest.fixture(scope="module")
def odd(configured: Cluster, troubled: Report) -> Iterator[Report]:
    """A configuration that is laid out and waits; and on one agent somebody else's file, on the other a template."""
    foreign, overridden = configured.agents
    wanted = copy.deepcopy(configured.variables["k3s_registries"])
    wanted["mirrors"]["quay.io"] = wanted["mirrors"]["docker.io"]
    configured.play(variables={"k3s_registries": wanted, "k3s_registries_apply": "stage"}).ok()
    configured.sh(foreign, "cat > /etc/rancher/k3s/registries.yaml", stdin=b"mirrors: {}\n")
    configured.sh(overridden, f"echo version = 2 > {TEMPLATE}")
    yield write(configured, "odd")
    configured.sh(overridden, f"rm {TEMPLATE}")
    configured.play().ok()


@pytest.mark.nightly
def test_a_node_that_waits_for_its_restart_is_named(odd: Report) -> None:
    assert odd.host("server-1")["info"]["state"] == "pending"
    assert "Restart pending" in odd.html


@pytest.mark.nightly
def test_a_registries_yaml_of_somebody_else_is_named(configured: Cluster, odd: Report) -> None:
    assert odd.host(configured.agents[0])["info"]["state"] == "foreign"
    assert "registries.yaml is not ours" in odd.html


@pytest.mark.nightly
def test_a_template_that_drops_credentials_is_named(configured: Cluster, odd: Report) -> None:
    info = odd.host(configured.agents[1])["info"]
    assert [item["path"] for item in info["templates"]] == [TEMPLATE]
    assert "A template drops what K3s writes" in odd.html


@pytest.mark.nightly
def test_check_mode_writes_nothing(configured: Cluster) -> None:
    page = configured.folder / "reports" / "check.html"
    configured.play(REPORT, "--check", variables={"k3s_registries_report_file": str(page)}).ok()
    assert not page.exists()


@pytest.mark.nightly
def test_the_numbers_are_handed_on(configured: Cluster) -> None:
    page = configured.folder / "reports" / "numbers.html"
    run = configured.play(
        REPORT,
        variables={"k3s_registries_report_file": str(page)},
        environment={"ANSIBLE_SHOW_CUSTOM_STATS": "1"},
    ).ok()
    assert "CUSTOM STATS" in run.output
    assert "headline" in run.output.partition("CUSTOM STATS")[2]
