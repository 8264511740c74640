# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``k3s_registries_credential_store``: a registry with a token server (as Harbor, GitLab and Quay have it), whose
password changes while nothing restarts.

The tests go on from one another, on a small fleet of their own.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest

from tests.fleet import containerd_source, real_pods, up, workloads
from tests.fleet.logins.registry import BEARER, LoginRegistry
from tests.fleet.logins.town import Town
from tests.fleet.logins.users import CURRENT, FORMER, Users, new_password
from tests.integration.cluster import REMOVE, SITE, Cluster, Run
from tests.integration.secrets_watch import ProcessWatch, Secrets

# The stand-in's containerd 2 is built; a real K3s has its own.
pytestmark = [] if os.environ.get("K3S_BINARY") else [pytest.mark.golang]
NAME = os.environ.get("INTEGRATION_FLEET", "integration") + "store"
VERIFY = "playbooks/verify.yml"
STATE = "/etc/rancher/k3s/k3sfleet/"
STORE = STATE + "credential-store.json"
PROVIDERS = "/var/lib/rancher/credentialprovider"
PROGRAM = PROVIDERS + "/bin/k3sfleet-credential-store"
# How long a pod may take: the machine may be busy.
PATIENCE = 120.0


class Scene(NamedTuple):
    """``images.test`` has ``registry`` for its mirror; ``other`` is a host that the credentials are not for."""

    cluster: Cluster
    town: Town
    users: Users
    registry: LoginRegistry
    other: LoginRegistry
    passwords: list[str]

    def play(self, *arguments: str, mirrors: tuple[str, ...] = (), **variables: Any) -> Run:
        """Run a playbook, ``site`` unless one is named, with the last password."""
        endpoints = [self.registry.url, *mirrors]
        tls = {"ca_src": str(self.cluster.fleet.folder / "pki" / "ca.crt")}
        configs: dict[str, Any] = {url.partition("://")[2]: {"tls": tls} for url in endpoints}
        configs[self.registry.host]["auth"] = {"username": "robot", "password": self.passwords[-1]}
        wanted = {
            "k3s_registries": {"mirrors": {"images.test": {"endpoint": endpoints}}, "configs": configs},
            "k3s_registries_credential_store": True,
            "k3s_registries_disable_default_endpoint": True,
            "k3s_registries_canary_images": ["images.test/team/canary:1"],
        }
        playbook = next((item for item in arguments if item.endswith(".yml")), SITE)
        options = [item for item in arguments if item != playbook]
        return self.cluster.play(playbook, *options, variables={**wanted, **variables})

    def new_password(self, change: bool = True) -> None:
        """One that everybody but the nodes has; with ``change`` the registry has no other any more."""
        password = new_password()
        if change:
            self.users.set_password("robot", password)
        self.passwords.append(password)
        self.cluster.secrets.add_canary("password %d" % len(self.passwords), password[3:27])
        self.cluster.secrets.add_basic_auth("robot", password)

    def pods_run(self, name: str) -> None:
        """A pod on every node, with an image that no node has had, by the mirror's name and by the registry's own."""
        with ProcessWatch(self.cluster.secrets) as watch:
            for node in self.cluster.names:
                for registry in ("images.test", self.registry.host):
                    pod = "%s-%s-%s" % (name, node, registry.partition(".")[0])
                    self.registry.add("team/%s:1" % pod)
                    workloads.pod(self.cluster.fleet, pod, node, "%s/team/%s:1" % (registry, pod))
                    workloads.until_running(self.cluster.fleet, pod, PATIENCE)
        assert watch.looks
        assert not watch.found, sorted(watch.found)

    def processes(self) -> dict[str, str]:
        return self.cluster.everywhere("systemctl show --property=MainPID --value 'k3s*.service'; pgrep -x containerd")

    def digests(self) -> dict[str, dict[str, str]]:
        """What every file of the nodes holds that a run could change."""
        return {
            node: {path: entry[-1] for path, entry in found["files"].items() if not path.startswith(("/home", "/root"))}
            for node, found in self.cluster.snapshot().items()
        }

    def left(self) -> set[str]:
        found = "ls -d %s %s %s/config.yaml 2>/dev/null | wc -l" % (STORE, PROGRAM, PROVIDERS)
        return set(self.cluster.everywhere(found).values())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    up.down(NAME)
    # A containerd 2, which gives token servers more than Debian's does.
    fleet = up.up(NAME, 1, 1, "k3s", "auto", 40, containerd=containerd_source.RECENT)
    if fleet.k3s == "real":
        real_pods.allow(fleet)
    folder = tmp_path_factory.mktemp("store")
    Path(folder / "vault-password").write_text("unused\n", encoding="utf-8")
    users = Users()
    with Town.of_fleet(fleet) as town:
        registry = town.registry("harbor.test", users, (BEARER,))
        registry.add("team/canary:1")
        other = town.registry("other.test", Users(somebody=new_password()), (BEARER,))
        town.introduce(fleet)
        found = Scene(Cluster(fleet, folder, {}, Secrets({})), town, users, registry, other, [])
        found.new_password()
        yield found
    up.down(NAME)


def test_the_first_rollout_restarts_each_node_once(scene: Scene) -> None:
    first = scene.play("--diff", "-vvv").ok()
    assert scene.cluster.restarts(first.began) == dict.fromkeys(scene.cluster.names, 1)
    modes = scene.cluster.everywhere("stat -c '%%a %%U' %s %s/config.yaml %s" % (STORE, PROVIDERS, PROGRAM))
    assert set(modes.values()) == {"600 root\n600 root\n700 root\n"}
    again = scene.play().ok()
    assert set(again.changed.values()) == {0}
    assert scene.cluster.restarts(again.began) == dict.fromkeys(scene.cluster.names, 0)
    scene.pods_run("first")


def test_a_new_password_is_in_force_without_a_restart(scene: Scene) -> None:
    processes, since = scene.processes(), time.time()
    scene.new_password()
    run = scene.play("--diff", "-vvv").ok()
    assert scene.cluster.restarts(run.began) == dict.fromkeys(scene.cluster.names, 0)
    assert "changed without a restart" in run.output
    scene.pods_run("second")
    again = scene.play().ok()
    assert set(again.changed.values()) == {0}
    verified = scene.play(VERIFY, "-vvv").ok()
    assert "all 2 nodes pass" in verified.output
    assert "the kubelet hands them out" in " ".join(verified.output.split())
    assert scene.processes() == processes
    assert scene.town.ledger.tries_of_former(since) == []
    tokens = {(entry.user, entry.login) for entry in scene.town.ledger.entries(since=since, path="/token")}
    assert tokens == {("robot", CURRENT)}, "pods, canaries and verify alike"
    assert scene.town.ledger.users(scene.other.url) == set()


@pytest.mark.nightly
def test_a_password_that_the_registry_refuses_is_taken_back(scene: Scene) -> None:
    good = scene.passwords[-1]
    scene.new_password(change=False)
    run = scene.play().refused()
    assert "the canary image" in run.output
    assert scene.cluster.restarts(run.began) == dict.fromkeys(scene.cluster.names, 0)
    scene.passwords.append(good)
    assert set(scene.play().ok().changed.values()) == {0}, "every node was put back, or left as it was"
    scene.pods_run("third")


@pytest.mark.nightly
def test_a_mirror_that_would_be_given_the_credentials_stops_the_run(scene: Scene) -> None:
    before = scene.digests()
    run = scene.play(mirrors=(scene.other.url,)).refused()
    said = " ".join(run.output.split())
    assert "its images are asked for at %s as well, which would get them too" % scene.other.url in said
    assert "Take %s out of the endpoints" % scene.other.url in said
    assert scene.digests() == before
    run = scene.play(k3s_registries_disable_default_endpoint=False).refused()
    said = " ".join(run.output.split())
    assert "the default endpoint, which would get them too" in said
    assert "Set k3s_registries_disable_default_endpoint: true" in said
    assert scene.digests() == before
    assert scene.cluster.restarts(run.began) == dict.fromkeys(scene.cluster.names, 0)
    assert scene.town.ledger.users(scene.other.url) == set()


@pytest.mark.nightly
def test_what_is_pulled_without_a_pod_uses_what_containerd_has_read(scene: Scene) -> None:
    """The documented price: ``crictl`` tries the old password until K3s' next start, which settles it."""
    scene.registry.add("team/crictl:1")
    pull = "if timeout 60 k3s crictl pull images.test/team/crictl:1 >/dev/null 2>&1; then echo pulled; else echo no; fi"
    since = time.time()
    assert set(scene.cluster.everywhere(pull).values()) == {"no\n"}
    assert {entry.login for entry in scene.town.ledger.tries_of_former(since)} == {FORMER}
    settled = scene.play(k3s_registries_apply="settle").ok()
    assert scene.cluster.restarts(settled.began) == dict.fromkeys(scene.cluster.names, 1)
    assert set(scene.cluster.everywhere(pull).values()) == {"pulled\n"}
    assert set(scene.play().ok().changed.values()) == {0}


@pytest.mark.nightly
def test_it_goes_with_the_variable_and_with_absent(scene: Scene) -> None:
    off = scene.play(k3s_registries_credential_store=False).ok()
    assert scene.cluster.restarts(off.began) == dict.fromkeys(scene.cluster.names, 1)
    assert scene.left() == {"0\n"}
    scene.play().ok()
    assert scene.left() == {"3\n"}
    removed = scene.play(REMOVE).ok()
    assert scene.cluster.restarts(removed.began) == dict.fromkeys(scene.cluster.names, 1)
    assert scene.left() == {"0\n"}
    assert set(scene.cluster.everywhere("ls -d %s %s/bin 2>/dev/null | wc -l" % (STATE, PROVIDERS)).values()) == {"0\n"}


def test_no_log_of_a_node_has_a_password(scene: Scene) -> None:
    search = "journalctl --quiet --no-pager >/run/logs; cat /var/lib/rancher/k3s/agent/containerd/*.log >>/run/logs"
    search += "; if grep -q -F -f - /run/logs; then echo found; else echo none; fi"
    assert set(scene.cluster.everywhere(search, stdin=scene.cluster.secrets.patterns()).values()) == {"none\n"}
