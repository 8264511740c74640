# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster can do without one server: every rule by an example, and what must never happen by all of them."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.quorum import Own, Server, View, decide
from hypothesis import given
from hypothesis import strategies as st

OWN = Own("server-1", votes=True, api=True)
NO_ETCD = "its etcd does not answer: no answer in time"
NO_API = "its API is not ready"


def voter(number: int, etcd: str = "", api: str = "", serves: bool = True) -> Server:
    return Server("server-%d" % number, "server-%d-1a2b3c4d" % number, True, etcd, api, serves)


def api_only(number: int, api: str = "") -> Server:
    return Server("server-%d" % number, "", False, "", api)


def view(*servers: Server, own: Own = OWN, voters: int | None = None, problem: str = "") -> View:
    counted = sum(server.voter for server in servers) + own.votes
    return View(own, servers, counted if voters is None else voters, problem)


def test_a_server_restarts_while_all_others_are_well() -> None:
    assert decide(view(voter(2), voter(3))) == (True, (), ())


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("wrong", [{"etcd": NO_ETCD}, {"api": NO_API}])
def test_of_three_none_restarts_while_another_is_away(wrong: dict[str, str], last: bool) -> None:
    decision = decide(view(voter(2, **wrong), voter(3)), last=last)
    assert not decision.go
    assert decision.waiting_for == ("server-2 (%s)" % next(iter(wrong.values())),)


def test_of_five_one_may_be_away_once_it_has_been_waited_for() -> None:
    seen = view(voter(2, NO_ETCD), voter(3), voter(4), voter(5))
    assert not decide(seen).go
    decision = decide(seen, last=True)
    assert decision.go
    assert decision.warnings == ("server-1 is restarted although not every server answers: server-2 (%s)" % NO_ETCD,)
    assert not decide(view(voter(2, NO_ETCD), voter(3, NO_ETCD), voter(4), voter(5)), last=True).go


def test_of_four_none_may_be_away() -> None:
    """Four need three votes: with one away and one restarting there are two."""
    assert not decide(view(voter(2, NO_ETCD), voter(3), voter(4)), last=True).go


@pytest.mark.parametrize(
    ("servers", "said"), [((), "no other voting member"), ((voter(2),), "one other voting member")]
)
def test_one_or_two_members_have_no_majority_to_spare_and_restart_after_a_warning(
    servers: tuple[Server, ...], said: str
) -> None:
    decision = decide(view(*servers))
    assert decision.go
    assert decision.warnings == (
        "the API is away while server-1 restarts: etcd has %s, and stands still without it" % said,
    )


def test_of_two_members_none_restarts_while_the_other_is_away() -> None:
    assert not decide(view(voter(2, NO_ETCD)), last=True).go


def test_a_learner_has_no_vote() -> None:
    learner = Server("server-3", "server-3-1a2b3c4d", False)
    assert decide(view(voter(2), learner)).warnings, "two voters, whatever else is there"
    # A learner takes no vote away, so it restarts while a majority is there without it.
    own = OWN._replace(votes=False)
    assert decide(view(voter(2), voter(3), voter(4, NO_ETCD), own=own), last=True).go
    assert not decide(view(voter(2), voter(3, NO_ETCD), voter(4, NO_ETCD), own=own), last=True).go


def test_an_etcd_only_server_is_judged_by_its_etcd() -> None:
    etcd_only = voter(3, serves=False)
    assert decide(view(voter(2), etcd_only)).go
    assert not decide(view(voter(2), voter(3, NO_ETCD, serves=False)), last=True).go
    own = Own("server-1", votes=True, api=False)
    assert decide(view(voter(2, api=NO_API), voter(3, api=NO_API), own=own)).go, "it takes no API away"


def test_a_control_plane_only_server_needs_a_majority_and_another_api() -> None:
    own = Own("server-4", votes=False, api=True)
    members = [voter(1, serves=False), voter(2, serves=False), voter(3, serves=False)]
    assert decide(view(*members, api_only(5), own=own)) == (True, (), ())
    assert not decide(view(*members, api_only(5, NO_API), own=own), last=True).go
    alone = decide(view(*members, own=own))
    assert alone.go
    assert alone.warnings == ("the API is away while server-4 restarts: no other server serves it",)
    assert not decide(view(voter(1, NO_ETCD), voter(2, NO_ETCD), voter(3), own=own), last=True).go


def test_without_embedded_etcd_one_other_api_is_enough() -> None:
    own = OWN._replace(votes=False)
    one_away = view(api_only(2, NO_API), api_only(3), own=own)
    assert not decide(one_away).go, "it is waited for first"
    assert decide(one_away, last=True).go
    assert decide(one_away, last=True).warnings
    assert not decide(view(api_only(2, NO_API), api_only(3, NO_API), own=own), last=True).go
    assert decide(view(own=own)).warnings == ("the API is away while server-1 restarts: no other server serves it",)


def test_a_server_that_hangs_on_what_the_run_replaces_is_judged_by_its_etcd() -> None:
    hangs = voter(2, api=NO_API)
    assert not decide(view(hangs, voter(3)), last=True).go
    assert decide(view(hangs, voter(3)), hanging=[hangs.member]).go
    both = view(hangs, voter(3, api=NO_API))
    decision = decide(both, hanging=[hangs.member, "server-3-1a2b3c4d"])
    assert decision.go
    assert decision.warnings == ("the API is away while server-1 restarts: no other server serves it",)
    assert not decide(view(voter(2, NO_ETCD), voter(3)), hanging=[hangs.member], last=True).go


def test_hanging_servers_do_not_wait_for_each_other() -> None:
    own = Own("server-1", votes=True, api=False)
    assert decide(view(voter(2, api=NO_API), voter(3, api=NO_API), own=own)).go
    # One without etcd takes nothing away at all.
    assert decide(view(voter(2, NO_ETCD), own=Own("server-1", votes=False, api=False), problem="unknown")).go


def test_what_is_not_known_is_waited_for() -> None:
    decision = decide(view(problem="the cluster's etcd does not answer"), last=True)
    assert (decision.go, decision.waiting_for) == (False, ("the cluster's etcd does not answer",))


def test_an_api_of_another_server_without_a_vote_keeps_nobody_for_ever() -> None:
    seen = view(voter(2), voter(3), api_only(4, NO_API))
    assert not decide(seen).go
    assert decide(seen, last=True).go


wrongs = st.sampled_from(["", "", NO_ETCD])
apis = st.sampled_from(["", "", NO_API])
others = st.lists(
    st.builds(
        lambda number, is_voter, etcd, api, serves: Server(
            "server-%d" % number, "server-%d-1a2b3c4d" % number, is_voter, etcd, api, serves
        ),
        st.integers(2, 9), st.booleans(), wrongs, apis, st.booleans(),
    ),
    max_size=7, unique_by=lambda server: server.name,
)  # fmt: skip
owns = st.builds(Own, st.just("server-1"), st.booleans(), st.booleans())


@given(others, owns, st.booleans(), st.sets(st.integers(2, 9)))
def test_a_restart_never_leaves_fewer_than_a_majority_of_proven_members(
    servers: list[Server], own: Own, last: bool, hanging: set[int]
) -> None:
    seen = view(*servers, own=own)
    names = ["server-%d-1a2b3c4d" % number for number in hanging]
    decision = decide(seen, names, last)
    proven = sum(1 for server in servers if server.voter and not server.etcd)
    if decision.go and own.votes:
        assert proven > seen.voters // 2 or (seen.voters <= 2 and proven == seen.voters - 1)
    if decision.go and own.api:
        serving = [server for server in servers if server.serves and server.member not in names]
        assert not serving or any(not server.api and not server.etcd for server in serving)


@given(others, owns, st.booleans())
def test_who_waits_knows_for_whom_and_who_goes_with_less_says_so(servers: list[Server], own: Own, last: bool) -> None:
    decision = decide(view(*servers, own=own), last=last)
    assert decision.go or decision.waiting_for
    if decision.go and own.votes and own.api and any(server.etcd for server in servers):
        assert last
        assert decision.warnings


@given(others, owns, st.booleans(), st.integers(2, 9))
def test_one_more_server_that_is_well_never_hinders(servers: list[Server], own: Own, last: bool, number: int) -> None:
    """Getting well helps: whoever may restart while a server is away may when it has come back."""
    before = decide(view(*servers, own=own), last=last)
    mended = [s._replace(etcd="", api="") if s.name == "server-%d" % number else s for s in servers]
    if before.go:
        assert decide(view(*mended, own=own), last=last).go
