# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof can fail: without the client certificate, with a wrong password, without the image."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.integration.cluster import SITE, Cluster, Run
from tests.integration.conftest import VAULT_PASSWORD

REGISTRIES = "/etc/rancher/k3s/registries.yaml"


def _without_certificate(variables: dict[str, Any], registry: str) -> None:
    tls = variables["k3s_registries"]["configs"][registry]["tls"]
    del tls["cert_src"], tls["key_src"]


def _with_wrong_password(variables: dict[str, Any], registry: str) -> None:
    variables["k3s_registries"]["configs"][registry]["auth"]["password"] = VAULT_PASSWORD


def _without_image(variables: dict[str, Any], _registry: str) -> None:
    variables["k3s_registries"]["mirrors"]["quay.io"] = {"endpoint": ["https://elsewhere.example.com"]}
    variables["k3s_registries_canary_images"] = ["docker.io/rancher/no-such-image:1"]


@pytest.mark.parametrize(
    ("spoil", "sign"),
    [
        pytest.param(_without_certificate, "tls_error", marks=pytest.mark.nightly),
        (_with_wrong_password, "401"),
        pytest.param(_without_image, "404", marks=pytest.mark.nightly),
    ],
)
def test_failed_pull_puts_the_node_back_and_stops(configured: Cluster, spoil: Any, sign: str) -> None:
    place = configured.fleet.registry
    variables = copy.deepcopy(configured.variables)
    spoil(variables, "%s:%d" % (place.host, place.port))
    before = _states(configured)

    run = configured.play(SITE, "--diff", "-vvv", variables=variables).refused()

    assert run.failed == sorted(configured.names), run.output
    assert "[1/3] server-1 FAILED" in run.output
    assert ", rolled back (last step: " in run.output
    assert "left as it was, untouched: the rollout stopped after server-1 failed" in run.output
    assert _signs(configured, run) >= {sign}
    # Down and up with the new configuration, down and up with the old one; nobody else was touched.
    assert configured.restarts(run.began) == {"server-1": 2, **dict.fromkeys(configured.agents, 0)}
    assert _states(configured) == before
    again = configured.play().ok()
    assert set(again.changed.values()) == {0}, again.output


def _states(cluster: Cluster) -> dict[str, str]:
    """What is in place and what K3s has loaded from it, without the collection's own memory."""
    command = (
        "cd / && find etc/rancher/k3s var/lib/rancher/k3s/agent/etc/containerd -path '*/k3sfleet' -prune -o -type f"
    )
    return cluster.everywhere(command + " -exec sha256sum {} + | sort -k 2")


def _signs(cluster: Cluster, run: Run) -> set[str]:
    """How the registry turned server-1 away."""
    entries = [entry for entry in cluster.requests(run.began - 1) if entry["node"] == "server-1"]
    return {entry["kind"] if entry["kind"] != "request" else str(entry["status"]) for entry in entries}
