# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``k3s_registries_apply: live`` with a new password: the registry changes it, one run brings it to the nodes, nothing
restarts, and the next start of K3s settles it."""

from __future__ import annotations

import copy
from typing import Any, Iterator

import pytest

from tests.fleet import registry as registries
from tests.fleet.inventory import CANARY
from tests.integration.cluster import SITE, Cluster

CERTS_D = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
ROTATED = "rotated-password-5e1c9d7b"
WITH_HEADER = "grep -rl Authorization %s | xargs -r stat -c '%%a' | sort -u" % CERTS_D
PULL = "k3s crictl rmi %s >/dev/null 2>&1 || true; timeout 60 k3s crictl pull %s" % (CANARY, CANARY)


@pytest.fixture
def rotated(configured: Cluster) -> Iterator[dict[str, Any]]:
    """The configuration with the new password, which the registry has by now instead of the old one."""
    configured.play().ok()
    configured.secrets.add_canary("the new password", ROTATED)
    config = copy.deepcopy(configured.variables["k3s_registries"])
    for settings in config["configs"].values():
        if settings.get("auth", {}).get("username") == configured.fleet.registry.username:
            settings["auth"]["password"] = ROTATED
    user, old = configured.fleet.registry.username, configured.fleet.registry.password
    registries.set_users(configured.fleet, {user: ROTATED})
    yield config
    registries.set_users(configured.fleet, {user: old})
    configured.play().ok()


def test_a_new_password_without_a_restart(configured: Cluster, rotated: dict[str, Any]) -> None:
    live = {"k3s_registries": rotated, "k3s_registries_apply": "live", "k3s_registries_canary_images": [CANARY]}
    predicted = configured.everywhere("cd %s && find . -type f -exec sha256sum {} + | sort -k 2" % CERTS_D)
    run = configured.play(SITE, variables=live).ok()
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 0), run.output
    assert "changed without a restart" in run.output
    assert set(configured.everywhere(WITH_HEADER).values()) == {"600\n"}
    configured.everywhere(PULL)

    # Every other run leaves it alone, and verify says what waits.
    again = configured.play(SITE, variables=live).ok()
    assert set(again.changed.values()) == {0}, again.output
    verified = configured.play("playbooks/verify.yml", variables=live).ok()
    assert "settled at the next start" in " ".join(verified.output.split())

    settled = configured.play(SITE, variables=dict(live, k3s_registries_apply="settle")).ok()
    assert configured.restarts(settled.began) == dict.fromkeys(configured.names, 1)
    assert configured.everywhere("cd %s && find . -type f -exec sha256sum {} + | sort -k 2" % CERTS_D) == predicted
    configured.everywhere(PULL)
