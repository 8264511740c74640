# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's Lease against an API that creates atomically and refuses outdated versions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import kubernetes, lease
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.lease import Holder
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

ONE, TWO = Holder("run one", 60), Holder("run two", 60)


class FakeApi:
    """Answers as kubectl does. ``before_write`` runs just before a write, as another run would."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.version = 0
        self.away = False
        self.before_write: Any = None

    def kubectl(self, paths: Any, *arguments: str, kubeconfig: str = "", stdin: str | None = None) -> Outcome:
        if self.away:
            return Outcome(1, "", "The connection to the server 127.0.0.1:6443 was refused")
        if "get" in arguments:
            if self.stored is None:
                return Outcome(1, "", 'Error from server (NotFound): leases "x" not found')
            return Outcome(0, json.dumps(self.stored), "")
        hook, self.before_write = self.before_write, None
        if hook:
            hook()
        wanted = json.loads(stdin or "")
        if arguments[0] == "create" and self.stored is not None:
            return Outcome(1, "", "Error from server (AlreadyExists): leases already exists")
        seen = wanted["metadata"].get("resourceVersion")
        if arguments[0] == "replace" and (self.stored is None or seen != str(self.version)):
            return Outcome(1, "", "Error from server (Conflict): the object has been modified")
        self.version += 1
        wanted["metadata"]["resourceVersion"] = str(self.version)
        self.stored = wanted
        return Outcome(0, "", "")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()
    monkeypatch.setattr(kubernetes, "kubectl", fake.kubectl)
    return fake


def test_it_is_taken_once_renewed_and_given_back(api: FakeApi, paths: NodePaths) -> None:
    assert lease.take(paths, ONE, lambda: 1000.0).lease == "taken"
    assert lease.take(paths, ONE, lambda: 1030.5).lease == "renewed"
    spec = (api.stored or {})["spec"]
    assert (spec["acquireTime"], spec["renewTime"]) == ("1970-01-01T00:16:40.000000Z", "1970-01-01T00:17:10.500000Z")
    assert lease.release(paths, ONE, lambda: 1031.0).lease == "released"
    assert lease.take(paths, TWO, lambda: 1040.0).lease == "taken"


def test_the_second_run_is_told_who_has_it_and_since_when(api: FakeApi, paths: NodePaths) -> None:
    lease.take(paths, ONE, lambda: 1000.0)
    with pytest.raises(lease.LeaseHeld, match=r"run one, since 1970-01-01T00:16:40.000000Z .* 30 s from now"):
        lease.take(paths, TWO, lambda: 1030.0)
    assert lease.release(paths, TWO).lease == "not_held", "only its holder gives it back"


def test_one_that_died_is_taken_over(api: FakeApi, paths: NodePaths) -> None:
    lease.take(paths, ONE, lambda: 1000.0)
    assert lease.take(paths, TWO, lambda: 1060.5) == lease.Outcome("taken_over", previous="run one")


def test_of_two_at_the_same_moment_one_gets_it(api: FakeApi, paths: NodePaths) -> None:
    api.before_write = lambda: lease.take(paths, TWO, lambda: 1000.0)
    with pytest.raises(lease.LeaseHeld, match="run two"):
        lease.take(paths, ONE, lambda: 1000.0)
    api.stored = None
    lease.take(paths, Holder("dead", 1), lambda: 10.0)
    api.before_write = lambda: lease.take(paths, TWO, lambda: 1000.0)
    with pytest.raises(lease.LeaseHeld, match="run two"):
        lease.take(paths, ONE, lambda: 1000.0)


def test_parts_of_one_run_do_not_lock_each_other_out(api: FakeApi, paths: NodePaths) -> None:
    lease.take(paths, ONE, lambda: 1000.0)
    others = 5

    def another_part() -> None:
        nonlocal others
        others -= 1
        assert lease.take(paths, ONE, lambda: 1001.0).lease == "renewed"
        api.before_write = another_part if others else None

    api.before_write = another_part
    assert lease.take(paths, ONE, lambda: 1002.0).lease == "renewed"
    assert others == 0
    api.before_write = lambda: lease.take(paths, ONE, lambda: 1003.0)
    released = lease.release(paths, ONE, lambda: 1004.0)
    assert released.lease == "released", "a renewal in between does not keep it held"
    assert "holderIdentity" not in (api.stored or {})["spec"]


def test_a_renewal_takes_it_from_nobody(api: FakeApi, paths: NodePaths) -> None:
    assert lease.take(paths, ONE, anew=False) == lease.Outcome("not_held"), "there is none"
    lease.take(paths, ONE, lambda: 1000.0)
    assert lease.take(paths, ONE, lambda: 1015.0, anew=False).lease == "renewed"
    assert (api.stored or {})["spec"]["renewTime"] == "1970-01-01T00:16:55.000000Z"
    api.before_write = lambda: lease.release(paths, ONE, lambda: 1016.0)
    assert lease.take(paths, ONE, lambda: 1016.5, anew=False) == lease.Outcome("not_held"), (
        "released while it was on its way"
    )
    assert "holderIdentity" not in (api.stored or {})["spec"]
    assert lease.take(paths, ONE, lambda: 1017.0, anew=False) == lease.Outcome("not_held")
    lease.take(paths, TWO, lambda: 1018.0)
    assert lease.take(paths, ONE, lambda: 1090.0, anew=False) == lease.Outcome("not_held"), "expired, but another run's"
    lease.take(paths, ONE, lambda: 1100.0)
    assert lease.take(paths, ONE, lambda: 1200.0, anew=False).lease == "renewed", "expired, but nobody has taken it"
    lease.take(paths, Holder("run one", 600), lambda: 1201.0)
    lease.take(paths, ONE, lambda: 1215.0, anew=False)
    assert (api.stored or {})["spec"]["leaseDurationSeconds"] == 586, "a server is in its commit"


def test_an_api_that_is_away_is_no_free_lease(api: FakeApi, paths: NodePaths) -> None:
    api.away = True
    with pytest.raises(lease.LeaseUnavailable, match="refused"):
        lease.take(paths, ONE)


def test_a_server_in_its_commit_keeps_it_whatever_becomes_of_the_run(api: FakeApi, paths: NodePaths) -> None:
    lease.take(paths, ONE, lambda: 1000.0)
    lease.take(paths, Holder("run one", 600), lambda: 1001.0)
    assert lease.take(paths, ONE, lambda: 1015.0).lease == "renewed"
    assert (api.stored or {})["spec"]["leaseDurationSeconds"] == 586, "the run's renewal does not bring the end nearer"
    assert lease.release(paths, ONE, lambda: 1020.0) == lease.Outcome("left_to_server", expires_in=581)
    with pytest.raises(lease.LeaseHeld):
        lease.take(paths, TWO, lambda: 1500.0)
    lease.take(paths, ONE, lambda: 1510.0, shorten=True)
    assert lease.take(paths, TWO, lambda: 1571.0) == lease.Outcome("taken_over", previous="run one")
