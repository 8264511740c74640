# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to real pulls: what the first run does, in which order, and what the next one does not."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.lease_keeper import RENEW_EVERY

from tests.fleet.inventory import CANARY
from tests.integration.cluster import SITE, Cluster
from tests.integration.conftest import Story

REGISTRIES = "/etc/rancher/k3s/registries.yaml"


def _of_k3s(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Without the traces that logging in leaves."""
    return {
        node: {
            "files": {path: state for path, state in seen["files"].items() if path.startswith(("/etc/", "/var/"))},
            "units": seen["units"],
        }
        for node, seen in snapshot.items()
    }


def test_check_mode_on_fresh_nodes_announces_everything_and_changes_nothing(cluster: Cluster, story: Story) -> None:
    story.check.ok()
    assert all(story.check.changed[name] for name in cluster.names)
    assert _of_k3s(story.between) == _of_k3s(story.before)
    assert "+  docker.io:" in story.check.output
    assert "servers, one at a time: server-1" in story.check.output
    assert "CN=k3s node" in story.check.output, "the certificate is to be named in the diff"


def test_every_node_has_pulled_with_certificate_and_password(cluster: Cluster, story: Story) -> None:
    story.run.ok()
    repository = CANARY.partition("/")[2].partition(":")[0]
    served = [
        entry
        for entry in story.requests
        if entry["kind"] == "request" and entry["status"] == 200 and entry["repository"] == repository
    ]
    assert {entry["node"] for entry in served} == set(cluster.names)
    assert {(entry["user"], entry["ns"], entry["client_certificate"]) for entry in served} == {
        (cluster.fleet.registry.username, "docker.io", "required")
    }


def test_nobody_was_away_together(cluster: Cluster, story: Story) -> None:
    assert story.restarts == dict.fromkeys(cluster.names, 1)
    assert story.overlaps == []


def test_servers_came_before_agents(cluster: Cluster, story: Story) -> None:
    output = story.run.output
    assert output.index("server-1 restarted and healthy") < min(
        output.index("%s restarted and healthy" % name) for name in cluster.agents
    )


def test_three_commands_on_each_node(cluster: Cluster, story: Story) -> None:
    """One to see whether it has changed, one to compare and lay out, one to commit. The first server and first agent
    rehearse in between. The lease is taken and released on a server, and renewed there for as long as the run lasts."""
    calls = {name: story.after[name]["logins"] - story.between[name]["logins"] for name in cluster.names}
    for name, count in calls.items():
        locking, most = (0, 0) if name in cluster.agents else (2, 3 + int(story.run.seconds // RENEW_EVERY))
        rehearsing = 1 if name in ("server-1", "agent-1") else 0
        # One more is the login itself. The one that renews the lease may release it again when the run has ended.
        assert 3 + rehearsing + locking <= count <= 4 + rehearsing + most, calls


def test_files_are_for_root_only(cluster: Cluster, story: Story) -> None:
    for name in cluster.names:
        files = story.after[name]["files"]
        assert files[REGISTRIES][:3] == [oct(0o100600), 0, 0]
        for path, (mode, uid, gid, *_rest) in files.items():
            if path.startswith("/etc/rancher/k3s/registry-certs") or path.startswith("/etc/rancher/k3s/k3sfleet"):
                assert (uid, gid) == (0, 0), path
                assert int(mode, 8) & 0o077 == (0o044 if path.endswith(".crt") else 0), (path, mode)


def test_second_run_finds_nothing_to_do(configured: Cluster) -> None:
    # A node that has been changed has no snapshot until it has been asked in full.
    configured.play().ok()
    began = time.time()
    before = configured.snapshot()
    run = configured.play(SITE, "--diff", "-vvv").ok()
    assert set(run.changed.values()) == {0}, run.output
    assert configured.commands(began) == dict.fromkeys(configured.names, 1)
    assert _of_k3s(configured.snapshot()) == _of_k3s(before)
    assert configured.restarts(began) == dict.fromkeys(configured.names, 0)


def test_check_mode_on_configured_nodes_announces_only_what_differs(configured: Cluster) -> None:
    before = configured.snapshot()
    same = configured.play(SITE, "--check", "--diff").ok()
    assert set(same.changed.values()) == {0}
    mirrors = {
        **configured.variables["k3s_registries"]["mirrors"],
        "quay.io": {"endpoint": ["https://other.example.com"]},
    }
    wanted = {"k3s_registries": {**configured.variables["k3s_registries"], "mirrors": mirrors}}
    other = configured.play(SITE, "--check", "--diff", variables=wanted).ok()
    assert all(other.changed.values())
    assert "+  quay.io:" in other.output
    assert "Rollout plan: 3 of 3 nodes restart" in other.output
    assert _of_k3s(configured.snapshot()) == _of_k3s(before)
