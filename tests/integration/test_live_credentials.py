# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``k3s_registries_apply: live`` with a new password: a registry changes it, one run brings it to the nodes, nothing
restarts, and the next start of K3s settles it. In doubt the nodes restart, and no pull fails."""

from __future__ import annotations

import copy
import itertools
import time
from typing import Any, Callable, Iterator

import pytest

from tests.fleet import workloads
from tests.fleet.logins.registry import BASIC, BEARER, LoginRegistry
from tests.fleet.logins.town import Town
from tests.fleet.logins.users import Users
from tests.integration.cluster import SITE, Cluster

CERTS_D = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
SUMS = "cd %s && find . -type f -exec sha256sum {} + | sort -k 2" % CERTS_D
MODES = "grep -rl Authorization %s | xargs -r stat -c %%a | sort -u" % CERTS_D
VERIFY = "playbooks/verify.yml"
MIRROR = "town.test"
_NUMBERS = itertools.count(1)


class Scene:
    """A registry of a town, and a cluster that knows it as the mirror of `town.test`."""

    def __init__(self, cluster: Cluster, town: Town, asks: tuple[str, ...] = (BASIC,), tls: bool = True) -> None:
        self.cluster = cluster
        self.town = town
        self.users = Users()
        self.registry: LoginRegistry = town.registry("registry%d.test" % next(_NUMBERS), self.users, asks, tls)
        town.introduce(cluster.fleet)
        self.change_password()

    def change_password(self) -> None:
        self.password = self.users.change_password("robot")
        self.cluster.secrets.add_canary("a password of the town", self.password.split()[0])

    def variables(self, apply: str) -> dict[str, Any]:
        config = copy.deepcopy(self.cluster.variables["k3s_registries"])
        settings: dict[str, Any] = {"auth": {"username": "robot", "password": self.password}}
        if self.registry.url.startswith("https"):
            settings["tls"] = {"ca_src": str(self.cluster.fleet.folder / "pki" / "ca.crt")}
        config["mirrors"][MIRROR] = {"endpoint": [self.registry.url]}
        config["configs"][self.registry.host] = settings
        image = "%s/team/canary:1" % MIRROR
        self.registry.add("team/canary:1")
        return {"k3s_registries": config, "k3s_registries_apply": apply, "k3s_registries_canary_images": [image]}

    def play(self, apply: str, playbook: str = SITE) -> Any:
        return self.cluster.play(playbook, variables=self.variables(apply))

    def pull_new_image(self) -> None:
        """One that no node has ever had."""
        name = "team/app:%d" % next(_NUMBERS)
        self.registry.add(name)
        self.cluster.everywhere("timeout 60 k3s crictl pull %s/%s" % (MIRROR, name))


@pytest.fixture(scope="module")
def town(sound: Cluster) -> Iterator[Town]:
    with Town.of_fleet(sound.fleet) as made:
        yield made


def test_a_new_password_without_a_restart(sound: Cluster, town: Town) -> None:
    scene = Scene(sound, town)
    scene.play("restart").ok()
    predicted = sound.everywhere(SUMS)
    scene.change_password()
    run = scene.play("live").ok()
    since = time.time()
    assert sound.restarts(run.began) == dict.fromkeys(sound.names, 0), run.output
    assert "changed without a restart" in run.output
    assert set(sound.everywhere(MODES).values()) == {"600\n"}
    scene.pull_new_image()
    assert town.ledger.tries_of_former(since) == [], "accounts are locked for that"

    # Every other run leaves it alone, and verify says what waits.
    again = scene.play("restart").ok()
    assert set(again.changed.values()) == {0}, again.output
    assert "settled at the next start" in " ".join(scene.play("live", VERIFY).ok().output.split())

    # A restart by somebody else settles a node, the run settles the others.
    sound.sh("agent-1", "systemctl restart k3s-agent; until k3s crictl info >/dev/null 2>&1; do sleep 0.2; done")
    assert sound.sh("agent-1", SUMS) == predicted["agent-1"]
    settled = scene.play("settle").ok()
    assert sound.restarts(settled.began) == {name: int(name != "agent-1") for name in sound.names}
    assert sound.everywhere(SUMS) == predicted
    scene.pull_new_image()
    assert set(scene.play("settle").ok().changed.values()) == {0}


def _of_bearer(cluster: Cluster, town: Town) -> Scene:
    return Scene(cluster, town, (BEARER,))


def _of_either(cluster: Cluster, town: Town) -> Scene:
    return Scene(cluster, town, (BASIC, BEARER))


def _without_tls(cluster: Cluster, town: Town) -> Scene:
    return Scene(cluster, town, tls=False)


def _with_redirects(cluster: Cluster, town: Town) -> Scene:
    scene = Scene(cluster, town)
    blobs = town.registry(scene.registry.server.name, Users(), ())
    scene.variables("restart")
    blobs.add("team/canary:1")
    scene.registry.redirects["blobs"] = blobs.url
    return scene


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_of_bearer, "offers Bearer tokens"),
        (_of_either, "offers Bearer tokens"),
        (_without_tls, "is an http endpoint"),
        (_with_redirects, "redirects to another port"),
    ],
)
def test_in_doubt_the_nodes_restart_and_pull(
    sound: Cluster, town: Town, make: Callable[[Cluster, Town], Scene], reason: str
) -> None:
    scene = make(sound, town)
    scene.play("restart").ok()
    scene.change_password()
    run = scene.play("live").ok()
    said = " ".join(run.output.split())
    assert "not without a restart: " in said
    assert "%s %s" % (scene.registry.host, reason) in said or "/v2 " + reason in said
    assert sound.restarts(run.began) == dict.fromkeys(sound.names, 1)
    scene.registry.redirects.clear()
    scene.pull_new_image()


def test_a_node_with_a_pod_that_brings_its_own_credentials_restarts_alone(sound: Cluster, town: Town) -> None:
    scene = Scene(sound, town)
    scene.play("restart").ok()
    workloads.pull_secret(sound.fleet, "live", {MIRROR: ("robot", scene.password)})
    scene.registry.add("team/pod:1")
    workloads.pod(sound.fleet, "live", "agent-1", MIRROR + "/team/pod:1", secrets=["live"])
    try:
        workloads.until_running(sound.fleet, "live")
        scene.change_password()
        run = scene.play("live").ok()
        assert "pod default/live has an imagePullSecret" in " ".join(run.output.split())
        assert sound.restarts(run.began) == {name: int(name == "agent-1") for name in sound.names}
        scene.pull_new_image()
        # One that comes later, to a node on which the header waits.
        workloads.pod(sound.fleet, "later", "agent-2", MIRROR + "/team/pod:1", secrets=["live"])
        said = " ".join(scene.play("live", VERIFY).output.split())
        assert "(pod default/later)" in said
        assert "k3s_registries_apply: settle" in said
    finally:
        for name in ("live", "later"):
            workloads.kubectl(sound.fleet, "delete", "pod", name, "--ignore-not-found")
    scene.play("settle").ok()


def test_each_endpoint_gets_its_own_and_the_default_endpoint_nothing(sound: Cluster, town: Town) -> None:
    first, second = Scene(sound, town), Scene(sound, town)
    stranger = town.registry(MIRROR, Users(), port=443)
    town.introduce(sound.fleet)

    def variables(apply: str) -> dict[str, Any]:
        found = first.variables(apply)
        config, other = found["k3s_registries"], second.variables(apply)["k3s_registries"]
        config["mirrors"][MIRROR]["endpoint"].append(second.registry.url)
        config["configs"][second.registry.host] = other["configs"][second.registry.host]
        return found

    sound.play(variables=variables("restart")).ok()
    for scene in (first, second):
        scene.change_password()
    run = sound.play(variables=variables("live")).ok()
    assert sound.restarts(run.began) == dict.fromkeys(sound.names, 0), run.output
    name = "team/app:%d" % next(_NUMBERS)
    second.registry.add(name)
    since = time.time()
    sound.everywhere("timeout 60 k3s crictl pull %s/%s" % (MIRROR, name))
    sound.everywhere("timeout 60 k3s crictl pull %s/team/none:1 || true" % MIRROR)
    ledger = town.ledger
    for scene in (first, second):
        assert ledger.logins(scene.registry.url, since) == {("Basic", "robot", "current")}
    assert ledger.entries(stranger.url, since), "the default endpoint was asked"
    assert ledger.users(stranger.url) == set()
    sound.play(variables=variables("settle")).ok()
