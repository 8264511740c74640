# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of an air-gapped fleet pull by CRI what was mirrored, and where rewrites lead, it is as well."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image

from tests.fleet import access_log, nodes, state
from tests.fleet.contents import Pusher
from tests.fleet.state import Fleet
from tests.mirror.archived import digests_of

NAME = "airgap"
_ACCEPT = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return state.load(NAME)


@pytest.fixture(scope="module")
def carried(fleet: Fleet) -> dict[str, str]:
    """Image to digest, out of the export's manifest."""
    found = digests_of(fleet.folder / "carried" / "images.tar")
    assert len(found) == 40
    return found


def test_the_default_endpoint_is_off_everywhere(fleet: Fleet) -> None:
    for node in fleet.nodes:
        text = nodes.execute(
            fleet, node.name, ["sh", "-c", "cat /var/lib/rancher/k3s/agent/etc/containerd/certs.d/*/hosts.toml"]
        ).stdout
        assert "registry-1.docker.io" not in text
        assert fleet.registry.address in text


@pytest.mark.parametrize("name", ["server-1", "agent-1"])
def test_a_node_pulls_all_forty_images(fleet: Fleet, carried: dict[str, str], name: str) -> None:
    began = time.time()
    for image in carried:
        pulled = nodes.execute(fleet, name, ["k3s", "crictl", "pull", image], check=False)
        assert pulled.returncode == 0, (image, pulled.stderr)
    asked = [entry for entry in access_log.entries(fleet, began) if entry["node"] == name]
    assert {entry["status"] for entry in asked} <= {200, 206, 307, 401}, "nothing was looked for in vain"


def test_what_rewrites_lead_to_is_there_with_the_published_digest(fleet: Fleet, carried: dict[str, str]) -> None:
    host = "%s:%d" % (fleet.registry.address, fleet.registry.port)
    rewrite = {"^rancher/(.*)": "mirrorproject/rancher-images/$1"}
    config = normalise({"mirrors": {"docker.io": {"endpoint": ["https://" + host], "rewrite": rewrite}}})
    pusher: Any = Pusher(fleet)
    pusher.headers["Accept"] = _ACCEPT
    found = {}
    for image in carried:
        attempt = resolve_image(image, config, default_endpoint=False)[0]
        assert attempt["repository"].startswith("mirrorproject/rancher-images/")
        answer = pusher.request("HEAD", "/v2/%s/manifests/%s" % (attempt["repository"], attempt["reference"]))
        found[image] = answer.headers.get("Docker-Content-Digest", "")
    assert found == carried, json.dumps(found)
