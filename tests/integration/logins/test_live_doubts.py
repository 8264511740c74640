# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``k3s_registries_apply: live`` where new credentials could go to the wrong host, or not be used: each host sees its
own user alone, and in doubt the nodes restart, the plan says why, and no pull fails. The tests build on each other."""

from __future__ import annotations

import time
from typing import Iterator

import pytest

from tests.fleet import containerd_source, workloads
from tests.fleet.logins.registry import BASIC, BEARER
from tests.fleet.logins.users import Users
from tests.integration.cluster import Run
from tests.integration.logins.login_fleet import VERIFY, LoginFleet, login_fleet

pytestmark = [pytest.mark.nightly, pytest.mark.golang]

# A provider that has nothing to give, so that pods pull with what containerd has.
EMPTY = """#!/usr/bin/python3
import json, sys
version = json.load(sys.stdin)["apiVersion"]
kind = "CredentialProviderResponse"
print(json.dumps({"kind": kind, "apiVersion": version, "cacheKeyType": "Registry", "cacheDuration": "0s", "auth": {}}))
"""


class Scene:
    """A fleet with these registries:

    - ``first`` and ``second`` are two endpoints of one mirror, and ``first`` is the mirror of ``borrowed.test`` and of
      ``second``'s own images too;
    - ``tokens`` takes Bearer tokens, ``either`` also passwords, ``moved`` redirects to another port.
    """

    def __init__(self, fleet: LoginFleet) -> None:
        self.fleet = fleet
        self.cluster = fleet.cluster
        self.first = fleet.account("first", mirror="images.test", has_default=True)
        self.second = fleet.account("second", mirror="images.test")
        self.tokens = fleet.account("tokens", (BEARER,))
        self.either = fleet.account("either", (BASIC, BEARER))
        self.moved = fleet.account("moved")
        self.elsewhere = fleet.town.registry(self.moved.registry.server.name, Users(), ())
        for name in ("borrowed.test", self.second.host):
            fleet.other_mirrors[name] = {"endpoint": [self.first.registry.url]}
        fleet.play("restart").ok()

    def restarted(self, run: Run) -> list[str]:
        return [node for node, count in self.cluster.restarts(run.began).items() if count]

    def pull_from_first(self) -> None:
        """By every name under which its images go."""
        for mirror in ("images.test", "borrowed.test", self.first.host, self.second.host):
            self.fleet.pull(self.first.new_image(mirror))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("doubts")
    with login_fleet("doubts", folder, 1, 1, containerd_source.RECENT) as fleet:
        yield Scene(fleet)


def words(run: Run) -> str:
    return " ".join(run.output.split())


def test_each_endpoint_gets_its_own_and_the_default_endpoint_nothing(scene: Scene) -> None:
    since, ledger = time.time(), scene.fleet.town.ledger
    for account in (scene.first, scene.second):
        account.change_password()
    run = scene.fleet.play("live").ok()
    assert "not without a restart" not in run.output
    assert scene.restarted(run) == []
    scene.pull_from_first()
    for mirror in ("images.test", scene.second.host):
        scene.fleet.pull(scene.second.new_image(mirror))
    missing = "! timeout 60 k3s crictl pull images.test/team/none:1"
    scene.cluster.everywhere(missing)
    for account in (scene.first, scene.second):
        assert ledger.logins(account.registry.url, since) == {("Basic", account.user, "current")}
    assert scene.first.default is not None
    assert {entry.scheme for entry in ledger.entries(scene.first.default.url, since)} == {""}
    assert scene.fleet.tries_of_former(since) == []


def test_a_node_with_a_pod_that_brings_its_own_credentials_restarts_alone(scene: Scene) -> None:
    """The other one has the next change on top of one that waits."""
    fleet = scene.fleet
    workloads.pull_secret(scene.cluster.fleet, "own", {"images.test": (scene.first.user, scene.first.password)})
    workloads.pod(scene.cluster.fleet, "own", "agent-1", scene.first.new_image(), secrets=["own"])
    workloads.until_running(scene.cluster.fleet, "own", 60.0)
    scene.first.change_password()
    run = fleet.play("live").ok()
    assert "not without a restart: pod default/own has an imagePullSecret" in words(run)
    assert scene.restarted(run) == ["agent-1"]
    scene.pull_from_first()
    # One that comes later, to a node on which the header waits.
    workloads.pod(scene.cluster.fleet, "later", "server-1", scene.first.new_image(), secrets=["own"])
    said = words(fleet.play("live", VERIFY).ok())
    assert "(pod default/later)" in said
    assert "k3s_registries_apply: settle" in said
    for name in ("own", "later"):
        workloads.delete(scene.cluster.fleet, "pod", name)


def test_what_a_registry_asks_for_or_redirects_to_takes_a_restart(scene: Scene) -> None:
    since = time.time()
    name = scene.moved.new_image()
    scene.elsewhere.add(name.partition("/")[2])
    scene.elsewhere.add("team/canary:1")
    scene.moved.registry.redirects["blobs"] = scene.elsewhere.url
    for account in (scene.tokens, scene.either, scene.moved):
        account.change_password()
    run = scene.fleet.play("live").ok()
    said = words(run)
    assert "%s offers Bearer tokens" % scene.tokens.host in said
    assert "%s offers Bearer tokens" % scene.either.host in said
    assert "%s redirects to another port" % scene.moved.host in said
    assert scene.restarted(run) == scene.cluster.names
    for image in (scene.tokens.new_image(), scene.either.new_image(), name):
        scene.fleet.pull(image)
    assert scene.fleet.tries_of_former(since) == []


def test_a_credential_provider_for_the_registry_takes_a_restart(scene: Scene) -> None:
    program = scene.cluster.folder / "empty-provider"
    program.write_text(EMPTY, encoding="utf-8")
    provider = {"name": "empty-provider", "src": str(program), "match_images": ["borrowed.test/team"]}
    scene.fleet.play("restart", k3s_registries_credential_providers=[provider]).ok()
    scene.first.change_password()
    run = scene.fleet.play("live", k3s_registries_credential_providers=[provider]).ok()
    assert "not without a restart: the credential provider empty-provider is for a registry" in words(run)
    assert scene.restarted(run) == scene.cluster.names
    scene.pull_from_first()
    scene.fleet.must_have_kept_the_secrets()
