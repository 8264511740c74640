# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``k3s_registries_apply: live``, and all else that needs no restart: what the next pull does, and what K3s makes of
the files when it is restarted later."""

from __future__ import annotations

import copy
from typing import Any, Callable

import pytest

from tests.conftest import mostly_nightly
from tests.fleet import registry as registries
from tests.fleet.inventory import CANARY
from tests.integration.cluster import SITE, Cluster, without

CERTS_D = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
REPOSITORY = CANARY.partition("/")[2]


def _config(cluster: Cluster) -> dict[str, Any]:
    return copy.deepcopy(cluster.variables["k3s_registries"])


def _mirror(config: dict[str, Any], url: str) -> str:
    config["mirrors"]["live.test"] = {"endpoint": [url]}
    return "live.test/" + REPOSITORY


def _second_endpoint(config: dict[str, Any], url: str) -> str:
    config["mirrors"]["docker.io"]["endpoint"] = [url, url.replace("https", "http")]
    return CANARY


def _wildcard(config: dict[str, Any], url: str) -> str:
    config["mirrors"]["*"] = {"endpoint": [url]}
    return "anything.test/" + REPOSITORY


def _without_credentials(config: dict[str, Any], _url: str) -> str:
    config["configs"]["plain.test:5000"] = {"tls": {"insecure_skip_verify": True}}
    return CANARY


def _rewrite(config: dict[str, Any], url: str) -> str:
    """Debian's containerd knows no rewrites; that they are written as K3s writes them is what is shown here."""
    config["mirrors"]["rewritten.test"] = {"endpoint": [url], "rewrite": {"^a/(.*)": "rancher/$1"}}
    return CANARY


@pytest.mark.parametrize(
    "change",
    mostly_nightly([_mirror, _rewrite, _second_endpoint, _wildcard, _without_credentials], _mirror),
)
def test_change_is_in_force_without_a_restart_and_stays_so(
    configured: Cluster, change: Callable[[dict[str, Any], str], str]
) -> None:
    config = _config(configured)
    image = change(config, configured.fleet.registry.url)
    run = configured.play(SITE, variables={"k3s_registries": config, "k3s_registries_apply": "live"}).ok()
    assert set(run.changed.values()) != {0}
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 0)
    assert "changed without a restart" in run.output

    configured.everywhere("%s; timeout 60 k3s crictl pull %s" % (without(image), image))
    served = {entry["node"] for entry in configured.requests(run.began) if entry.get("status") == 200}
    assert served == set(configured.names), "every node has pulled from the registry with it"

    written = configured.everywhere("cd %s && find . -type f -exec sha256sum {} + | sort -k 2" % CERTS_D)
    configured.everywhere("systemctl restart 'k3s*.service'")
    configured.everywhere("until k3s crictl info >/dev/null 2>&1; do sleep 0.2; done")
    again = configured.everywhere("cd %s && find . -type f -exec sha256sum {} + | sort -k 2" % CERTS_D)
    assert again == written, "K3s writes the same bytes"
    unchanged = configured.play(SITE, variables={"k3s_registries": config}).ok()
    assert set(unchanged.changed.values()) == {0}, unchanged.output


@pytest.mark.nightly
def test_credentials_that_cannot_be_tried_fall_back_to_the_rolling_restart(configured: Cluster) -> None:
    config = _config(configured)
    config["configs"]["other.test:5000"] = {"auth": {"username": "someone", "password": "some-0d9b8a7c6e5f"}}
    run = configured.play(SITE, variables={"k3s_registries": config, "k3s_registries_apply": "live"}).ok()
    assert "not without a restart: other.test:5000 was asked with the new credentials" in " ".join(run.output.split())
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 1)
    assert configured.overlaps(run.began) == []


@pytest.mark.nightly
def test_a_change_without_effect_restarts_nothing(configured: Cluster) -> None:
    """The same mirrors in another spelling: a path that K3s adds itself, names in another order."""
    configured.play().ok()
    config = _config(configured)
    url = configured.fleet.registry.url
    config["mirrors"] = dict(reversed(list(config["mirrors"].items())))
    config["mirrors"]["docker.io"]["endpoint"] = [url + "/v2"]
    run = configured.play(SITE, variables={"k3s_registries": config}).ok()
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 0)
    assert set(run.changed.values()) == {1}, "the text is put in place all the same"


def test_a_new_ca_restarts_nothing_and_the_next_pull_uses_it(configured: Cluster) -> None:
    """The registry gets a certificate of a new CA; shipping that CA's content is all that the nodes need."""
    configured.play().ok()
    registries.reissue(configured.fleet, new_ca=True)
    pull = "%s; if timeout 60 k3s crictl pull %s; then echo pulled; else echo failed; fi" % (without(CANARY), CANARY)
    before = configured.everywhere(pull)
    assert all(said.strip().endswith("failed") for said in before.values()), "the old CA does not fit any more"
    run = configured.play().ok()
    assert set(run.changed.values()) == {1}
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 0)
    after = configured.everywhere(pull)
    assert all(said.strip().endswith("pulled") for said in after.values())
    assert set(configured.play().ok().changed.values()) == {0}
