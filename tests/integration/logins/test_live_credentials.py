# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``k3s_registries_apply: live`` with a new password: the registry changes it, one run brings it to the nodes, nothing
restarts, and the next start of K3s settles it. The tests tell one story, in their order: on three servers and two
agents with Debian's containerd, and on two nodes with a containerd 2, where it also has its bad ends."""

from __future__ import annotations

import time
from typing import Any, Iterator

import pytest

from tests.fleet import containerd_source, workloads
from tests.integration.cluster import REMOVE, SITE
from tests.integration.logins.login_fleet import CERTS_D, VERIFY, Account, LoginFleet, login_fleet

ROLLBACK = "playbooks/rollback.yml"
SERVERS_AGENTS_CONTAINERD = {"debian": (3, 2, ""), "recent": (1, 1, containerd_source.RECENT)}
DEBIAN = pytest.param("debian", marks=pytest.mark.nightly)
BUILT = pytest.param("recent", marks=pytest.mark.golang)
BOTH = pytest.mark.parametrize("story", [DEBIAN, BUILT], indirect=True)
RECENT = pytest.mark.parametrize("story", [BUILT], indirect=True)


class Story:
    """A fleet whose nodes have the password of one registry, and run a pod each with an image from there."""

    def __init__(self, fleet: LoginFleet) -> None:
        self.fleet = fleet
        self.cluster = fleet.cluster
        self.account: Account = fleet.account("basic", has_default=True)
        self.everybody = dict.fromkeys(self.cluster.names, 0)
        fleet.play("restart").ok()
        self.run_pods("before")
        self.predicted = fleet.written()

    def run_pods(self, name: str) -> None:
        """One on each node, with an image that none of them has."""
        names = ["%s-%s" % (name, node) for node in self.cluster.names]
        for pod, node in zip(names, self.cluster.names):
            workloads.pod(self.cluster.fleet, pod, node, self.account.new_image())
        for pod in names:
            workloads.until_running(self.cluster.fleet, pod, 60.0)

    def restarted(self, began: float) -> list[str]:
        return [node for node, count in self.cluster.restarts(began).items() if count]


@pytest.fixture(scope="module")
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    shape = SERVERS_AGENTS_CONTAINERD[request.param]
    with login_fleet("live" + request.param, tmp_path_factory.mktemp("live"), *shape) as fleet:
        yield Story(fleet)


@BOTH
def test_one_run_brings_a_new_password_to_every_node_and_restarts_nothing(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet, account, rolling = story.fleet, story.account, 0.0
    if story.cluster.fleet.containerd == "":
        # The same change with restarts, for its time.
        account.change_password()
        restarts = fleet.play("restart", SITE, "--diff", "-vvv").ok()
        assert story.cluster.restarts(restarts.began) == dict.fromkeys(story.cluster.names, 1)
        rolling = restarts.seconds

    processes, pods = fleet.processes(), fleet.pods()
    since = time.time()
    old = account.change_password()
    run = fleet.play("live", SITE, "--diff", "-vvv").ok()
    assert "not without a restart" not in run.output
    assert run.output.count("changed without a restart") == len(story.cluster.names)
    assert story.cluster.restarts(run.began) == story.everybody
    assert fleet.processes() == processes
    fleet.pull(account.new_image())
    story.run_pods("after")
    assert {name: said for name, said in fleet.pods().items() if name in pods} == pods
    assert fleet.tries_of_former(since) == [], "accounts are locked for that"
    assert fleet.town.ledger.logins(account.registry.url, since) == {("Basic", account.user, "current")}
    assert fleet.modes_of_headers() == {"600\n"}
    assert (account.answer_to(old), account.answer_to(account.password)) == (401, 200)
    with capsys.disabled():
        compared = " (with a rolling restart %.1f s)" % rolling if rolling else ""
        print("\na new password on %d nodes: %.1f s%s" % (len(story.cluster.names), run.seconds, compared))

    again = fleet.play("restart", SITE, "--diff", "-vvv").ok()
    assert (again.changed, story.restarted(again.began)) == (story.everybody, []), again.output
    # As long as a header waits for K3s' next start, the node is asked in full, too.
    assert story.cluster.commands(again.began) == dict.fromkeys(story.cluster.names, 2)
    assert fleet.modes_of_headers() == {"600\n"}


@pytest.mark.nightly
@RECENT
def test_verify_says_since_when_and_what_settles_it(story: Story) -> None:
    said = " ".join(story.fleet.play("live", VERIFY, "-vvv").ok().output.split())
    assert "The credentials for %s are live since" % story.account.host in said
    assert "settled at the next start" in said
    assert story.fleet.modes_of_headers() == {"600\n"}


@BOTH
def test_a_start_of_k3s_settles_a_node_and_settle_restarts_the_others(story: Story) -> None:
    fleet, since = story.fleet, time.time()
    node = story.cluster.agents[0]
    fleet.restart(node)
    assert fleet.written()[node] == story.predicted[node]
    run = fleet.play("settle").ok()
    assert story.restarted(run.began) == [name for name in story.cluster.names if name != node]
    assert fleet.written() == story.predicted
    assert fleet.modes_of_headers() == {""}
    fleet.pull(story.account.new_image())
    assert fleet.tries_of_former(since) == []


@pytest.mark.nightly
@RECENT
def test_what_fails_after_a_live_change_goes_back_without_a_restart(story: Story) -> None:
    fleet = story.fleet
    before: Any = fleet.written(), fleet.processes()
    registries = story.cluster.everywhere("sha256sum /etc/rancher/k3s/registries.yaml")
    story.account.change_password()
    run = fleet.play("live", k3s_registries_canary_images=[story.account.mirror + "/team/none:1"]).refused()
    assert "The node was put back as it was" in " ".join(run.output.split())
    assert story.account.default is not None
    asked = fleet.town.ledger.entries(story.account.default.url)
    assert {entry.scheme for entry in asked} == {""}, "the default endpoint was asked, and has seen no header"
    assert (fleet.written(), fleet.processes()) == before
    assert story.cluster.everywhere("sha256sum /etc/rancher/k3s/registries.yaml") == registries
    assert fleet.modes_of_headers() == {""}


@pytest.mark.nightly
@RECENT
def test_rollback_after_a_live_change_takes_the_header_away(story: Story) -> None:
    """Without a restart, as containerd has not read anything but the earlier password."""
    fleet = story.fleet
    old = story.account.password
    story.account.change_password()
    fleet.play("live").ok()
    assert fleet.modes_of_headers() == {"600\n"}
    new, story.account.password = story.account.password, old
    processes = fleet.processes()
    fleet.play("live", ROLLBACK).ok()
    assert (fleet.modes_of_headers(), fleet.written()) == ({""}, story.predicted)
    assert fleet.processes() == processes
    story.account.password = new


@pytest.mark.nightly
@RECENT
def test_removal_after_a_live_change_leaves_no_header_and_no_password(story: Story) -> None:
    """On a node whose K3s does not run either, where nobody else replaces the file."""
    fleet, stopped = story.fleet, story.cluster.agents[-1]
    fleet.play("live").ok()
    assert fleet.modes_of_headers() == {"600\n"}
    fleet.must_have_kept_the_secrets()
    story.cluster.sh(stopped, "systemctl stop " + story.cluster.service(stopped))
    fleet.play("restart", REMOVE).ok()
    assert fleet.modes_of_headers() == {""}
    left = story.cluster.everywhere("find %s /etc/rancher/k3s -type f | sort" % CERTS_D)
    assert not [path for text in left.values() for path in text.split() if "k3sfleet" in path or "registries" in path]
    story.cluster.sh(stopped, "systemctl start " + story.cluster.service(stopped))
    fleet.must_have_kept_the_secrets()
