# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification and diagnosis: what is wrong with each node is said, of each node, and nothing is touched."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._metrics.textfile import NAME
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics import exposition, metrics

from tests import results
from tests.integration.cluster import SITE, Cluster, without
from tests.monitoring.samples import read

VERIFY = "playbooks/verify.yml"
DIAGNOSE = "playbooks/diagnose.yml"
REGISTRIES = "/etc/rancher/k3s/registries.yaml"
AGENT = "/var/lib/rancher/k3s/agent/etc/containerd"
MISSING = "docker.io/rancher/no-such-image:1"
METRICS = "/var/lib/prometheus/node-exporter"


@pytest.fixture
def repaired(configured: Cluster) -> Iterator[Cluster]:
    """The cluster, put right again after a test that spoils it."""
    yield configured
    configured.everywhere("rm -f %s/config-v3.toml.tmpl" % AGENT)
    configured.play(SITE, variables={"k3s_registries_force": True}).ok()


def _restart(cluster: Cluster, node: str) -> None:
    cluster.sh(node, "systemctl restart %s" % cluster.service(node))
    wait = "for i in $(seq 60); do k3s crictl info >/dev/null 2>&1 && exit 0; sleep 1; done; exit 1"
    cluster.sh(node, wait)


def _result(cluster: Cluster, path: Path) -> dict[str, dict[str, Any]]:
    """The hosts of a result, which is as its schema says, and which no secret of the cluster is in."""
    assert cluster.secrets.found_in(path.read_text(encoding="utf-8")) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hosts: dict[str, dict[str, Any]] = results.valid(path)["hosts"]
    assert sorted(hosts) == sorted(cluster.names)
    return hosts


def test_a_good_fleet_passes_and_is_not_touched(configured: Cluster, tmp_path: Path) -> None:
    # As Debian's package has it: root's folder in one of the user prometheus.
    configured.everywhere("install -d -o nobody /var/lib/prometheus && install -d %s" % METRICS)
    configured.everywhere("echo old 1 >%s/%s" % (METRICS, NAME))
    before = configured.snapshot()
    file = tmp_path / "verify.json"
    wanted = {"k3s_registries_verify_file": str(file), "k3s_registries_metrics_dir": METRICS}
    configured.play(VERIFY, "--check", variables=wanted).ok()
    assert {configured.read(name, "%s/%s" % (METRICS, NAME)) for name in configured.names} == {"old 1\n"}
    run = configured.play(VERIFY, "-vvv", variables=wanted).ok()
    assert "all 3 nodes pass" in run.output
    for name, host in _result(configured, file).items():
        assert (host["passes"], host["failures"], host["unreachable"], host["errors"]) == (True, [], "", [])
        assert (host["group"], host["info"]["state"]) == (configured.fleet.node(name).role, "loaded")
        assert "ok" in {entry["cause"] for entry in host["endpoints"]}
        assert [pull["ok"] for pull in host["canaries"]] == [True] * len(
            configured.variables["k3s_registries_canary_images"]
        )
    for name in configured.names:
        assert any(line.startswith(name) and "loaded" in line and " ok " in line for line in run.output.splitlines())
    for name, host in _result(configured, file).items():
        _metrics_say_the_same(configured, name, host)
    after = configured.snapshot()
    for name in configured.names:
        kept = [path for path in before[name]["files"] if path.startswith(("/etc", "/var"))]
        assert {path: after[name]["files"][path] for path in kept} == {
            path: before[name]["files"][path] for path in kept
        }
        assert after[name]["units"] == before[name]["units"]


def _metrics_say_the_same(cluster: Cluster, name: str, host: dict[str, Any]) -> None:
    """What node_exporter finds on a node is what verify says of it."""
    told = cluster.sh(name, "cd %s && stat -c '%%a %%U' %s && ls -A" % (METRICS, NAME))
    assert told.split() == ["644", "root", NAME]
    text = cluster.read(name, "%s/%s" % (METRICS, NAME))
    assert cluster.secrets.found_in(text) == []
    found = read(text)
    stamp = found["k3s_registries_last_run_timestamp_seconds"][()]
    assert text == exposition.text(metrics.families(host, stamp))
    assert 0 <= time.time() - stamp < 600
    assert found["k3s_registries_verify_passed"] == {(): 1}
    place = "%s:%d" % (cluster.fleet.registry.host, cluster.fleet.registry.port)
    assert place in {dict(labels)["endpoint"] for labels in found["k3s_registries_endpoint_up"]}
    assert set(found["k3s_registries_registry_up"].values()) == {1}
    kinds = {dict(labels)["kind"] for labels in found["k3s_registries_certificate_expiry_timestamp_seconds"]}
    assert kinds == {"ca", "client"}


@pytest.mark.nightly
def test_site_ends_with_it_where_that_is_asked(configured: Cluster) -> None:
    run = configured.play(SITE, variables={"k3s_registries_verify": True}).ok()
    assert "all 3 nodes pass" in run.output
    assert set(run.changed.values()) == {0}
    assert "nodes pass" not in configured.play(SITE).ok().output


def test_pending_drifted_and_foreign_nodes_are_each_named(repaired: Cluster, tmp_path: Path) -> None:
    mirrors = {
        **repaired.variables["k3s_registries"]["mirrors"],
        "quay.io": {"endpoint": ["https://other.example.com"]},
    }
    other = {"k3s_registries": {**repaired.variables["k3s_registries"], "mirrors": mirrors}}
    repaired.play(SITE, "--limit", "server-1", variables={**other, "k3s_registries_apply": "stage"}).ok()
    repaired.sh("agent-1", "sed -i 's/k3sfleet.test:5000/k3sfleet.test:5001/' %s/certs.d/docker.io/hosts.toml" % AGENT)
    repaired.sh("agent-2", "sed -i 1d %s && rm -r /etc/rancher/k3s/k3sfleet" % REGISTRIES)

    file = tmp_path / "verify.json"
    run = repaired.play(VERIFY, "-vvv", variables={"k3s_registries_verify_file": str(file)}).refused()

    assert run.failed == sorted(repaired.names)
    hosts = _result(repaired, file)
    assert not any(host["passes"] for host in hosts.values())
    wanted = {"server-1": "pending", "agent-1": "drifted", "agent-2": "foreign"}
    for name, code in wanted.items():
        assert code in {failure["code"] for failure in hosts[name]["failures"]}
        assert hosts[name]["info"]["state"] == code
    # The edit leads to a port where nothing is, which is worse than that somebody has made it.
    assert {name: host["condition"] for name, host in hosts.items()} == {
        "server-1": "pending", "agent-1": "failing", "agent-2": "foreign",
    }  # fmt: skip
    assert [item["file"] for item in hosts["agent-1"]["info"]["differences"]] == [
        "%s/certs.d/docker.io/hosts.toml" % AGENT
    ]
    rows = _rows(run.output)
    assert "FAILED pending" in rows["server-1"], rows
    assert "FAILED drifted" in rows["agent-1"], rows
    assert "FAILED not ours" in rows["agent-2"], rows
    assert "%s/certs.d/docker.io/hosts.toml" % AGENT in run.output
    assert "was not written by this collection" in run.output
    assert "3 of 3 nodes failed: agent-1, agent-2, server-1" in run.output

    # Where the inventory does not say what the nodes should have, somebody's own registries.yaml is no fault.
    alone = repaired.play(VERIFY, "--limit", "agent-2", variables={"k3s_registries": {}}).ok()
    assert "not ours" in alone.output


def _rows(output: str) -> dict[str, str]:
    """The table's rows by node, with single spaces."""
    lines = output.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("node  "))
    return {line.split()[0]: " ".join(line.split()) for line in lines[start + 2 : start + 5]}


@pytest.mark.nightly
def test_a_node_without_what_the_inventory_says_by_now_is_named(configured: Cluster) -> None:
    mirrors = {
        **configured.variables["k3s_registries"]["mirrors"],
        "quay.io": {"endpoint": ["https://other.example.com"]},
    }
    variables = {"k3s_registries": {**configured.variables["k3s_registries"], "mirrors": mirrors}}
    before = configured.snapshot()["agent-1"]["files"][REGISTRIES]
    run = configured.play(VERIFY, "--diff", "-vvv", variables=variables).refused()
    assert run.failed == sorted(configured.names)
    assert all(row.split()[1:4] == ["FAILED", "not", "applied"] for row in _rows(run.output).values()), run.output
    assert "not_applied: the node does not have what k3s_registries says: %s (update)" % REGISTRIES in run.output
    assert set(run.changed.values()) == {0}
    assert configured.snapshot()["agent-1"]["files"][REGISTRIES] == before


@pytest.mark.nightly
def test_an_overriding_template_is_named(repaired: Cluster) -> None:
    repaired.sh("agent-1", "sed '/registry.configs/,$d' %s/config.toml > %s/config-v3.toml.tmpl" % (AGENT, AGENT))
    run = repaired.play(VERIFY).refused()
    assert run.failed == ["agent-1"]
    assert "%s/config-v3.toml.tmpl replaces K3s' containerd configuration" % AGENT in run.output


@pytest.mark.nightly
def test_an_image_that_is_nowhere_fails_every_node_and_is_diagnosed(configured: Cluster, tmp_path: Path) -> None:
    wanted = {"k3s_registries_canary_images": [MISSING]}
    began = time.time()
    run = configured.play(VERIFY, variables=wanted).refused()
    assert run.failed == sorted(configured.names)
    assert "3 of 3 nodes failed" in run.output
    assert "not_found: %s cannot be pulled" % MISSING in run.output
    assert configured.restarts(began) == dict.fromkeys(configured.names, 0)

    place = "%s:%d" % (configured.fleet.registry.host, configured.fleet.registry.port)
    file = tmp_path / "diagnose.json"
    asked = {"k3s_registries_diagnose_images": [MISSING], "k3s_registries_diagnose_file": str(file)}
    told = configured.play(DIAGNOSE, "-vvv", variables=asked).ok().output
    for host in _result(configured, file).values():
        assert [(pull["image"], pull["cause"]) for pull in host["pulls"]] == [(MISSING, "not_found")]
    assert "1. image missing (not_found) at %s, on 3 nodes (agent-1, agent-2, server-1)" % place in told
    assert "image    %s\n" % MISSING in told
    assert "fix      Push %s to %s" % (MISSING, place) in told
    assert "1 cause at 1 endpoint: 3 nodes cannot pull 1 image" in told


@pytest.mark.nightly
def test_diagnosis_knows_the_node_s_configuration(repaired: Cluster) -> None:
    place = "%s:%d" % (repaired.fleet.registry.host, repaired.fleet.registry.port)
    text = repaired.read("agent-2", REGISTRIES)
    assert "  %s:\n" % place in text.replace('"', "")
    # The credentials go to another key: the registry's name instead of the endpoint's.
    command = "\n".join(
        [
            "import re",
            "path = %r" % REGISTRIES,
            "text = open(path).read()",
            "auth = re.search(r'\\n    auth:\\n(?:      .*\\n)+', text).group(0)",
            "text = text.replace(auth, '\\n', 1) + '  docker.io:' + auth",
            "open(path, 'w').write(text.split('\\n', 1)[1])",
        ]
    )
    repaired.sh("agent-2", "exec python3 -", stdin=command.encode())
    _restart(repaired, "agent-2")
    image = repaired.variables["k3s_registries_canary_images"][0]
    repaired.sh("agent-2", "%s; ! k3s crictl pull %s" % (without(image), image))
    told = repaired.play(DIAGNOSE, variables={"k3s_registries_diagnose_images": [image]}).ok().output
    assert "1. unauthorized (unauthorized) at %s, on 1 node (agent-2)" % place in told
    assert 'There are credentials under configs."docker.io"' in told
    assert 'fix      Move the credentials from configs."docker.io".auth to configs."%s".auth' % place in told
