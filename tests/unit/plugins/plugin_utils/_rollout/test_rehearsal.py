# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who rehearses for whom, and what a run makes of what they say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import (
    plan,
    rehearsal,
    rehearsal_words,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.restart_order_and_limits import (
    Asking,
    decide,
    halted,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import (
    Host,
    Rehearsal,
    Run,
    begin,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run_as_text import decode, encode

FLEET = ("server-1", "server-2", "agent-1", "agent-2", "arm-1")


def a_run(**more: Any) -> Run:
    hosts = {
        name: Host(role="server" if name.startswith("server") else "agent", kind="c arm" if "arm" in name else "c amd")
        for name in reversed(FLEET)
    }
    return Run(hosts=hosts, in_order=True, **more)


def chosen(run: Run, mode: str = rehearsal.CANARY) -> list[str]:
    for host in FLEET:
        rehearsal.choose(run, mode, FLEET, host)
    return run.rehearsal.chosen


def test_the_first_server_and_the_first_agent_of_each_architecture() -> None:
    assert chosen(a_run()) == ["server-1", "agent-1", "arm-1"]


def test_each_distinct_configuration_has_its_own() -> None:
    run = a_run()
    run.hosts["agent-2"].kind = "other amd"
    assert chosen(run) == ["server-1", "agent-1", "agent-2", "arm-1"]


def test_the_canary_stands_for_servers_and_agents_that_are_like_it() -> None:
    assert chosen(a_run(canary=["agent-2"])) == ["agent-2", "arm-1"]
    assert chosen(a_run(canary=["edge", "agent-2", "agent-1"])) == ["agent-1", "agent-2", "arm-1"]


def test_all_and_never() -> None:
    assert chosen(a_run(), rehearsal.ALL) == list(FLEET)
    assert chosen(a_run(), rehearsal.NEVER) == []


def test_nodes_without_a_change_and_unhealthy_ones_ask_nothing() -> None:
    run = a_run()
    run.hosts["server-1"].ill = "containerd does not answer"
    run.hosts["agent-1"].restart = False
    run.hosts["agent-2"].kind = ""
    assert chosen(run) == ["server-2", "arm-1"]


def test_where_each_host_runs_on_by_itself_the_first_that_comes_rehearses() -> None:
    run = a_run()
    run.in_order = False
    rehearsal.choose(run, rehearsal.CANARY, FLEET, "agent-2")
    rehearsal.choose(run, rehearsal.CANARY, FLEET, "agent-1")
    assert run.rehearsal.chosen == ["agent-2"]
    asking = Asking("agent-1", FLEET)
    assert decide(run, asking) is None
    rehearsal.enter(run, "agent-2", found())
    turn = decide(run, asking)
    assert turn is not None
    assert "lease" in turn.why


def test_a_later_batch_of_the_play_asks_only_what_is_new() -> None:
    run = a_run()
    rehearsal.choose(run, rehearsal.CANARY, FLEET[:1], "server-1")
    rehearsal.enter(run, "server-1", found())
    rehearsal.choose(run, rehearsal.CANARY, FLEET[1:], "server-2")
    assert rehearsal.pending(run) == ["agent-1", "arm-1"]


def test_a_play_that_applies_the_role_again_rehearses_again() -> None:
    run = a_run()
    for host in FLEET:
        begin(run, host)
    chosen(run)
    begin(run, "server-1")
    assert run.rehearsal == Rehearsal()


def image(name: str = "r.test/app:1", verdict: str = "lost", **more: Any) -> dict[str, Any]:
    return {
        "image": name, "verdict": verdict, "allowed": False, "endpoint": "https://m.test", "cause": "not_found",
        "message": "m.test does not have it.", "fix": "Push it.", "digest": "", **more,
    }  # fmt: skip


def found(*images: dict[str, Any], effect: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"images": list(images), "effect": list(effect), "headline": "h", "problem": ""}


FINE = {"verdict": "other_place", "endpoint": "", "cause": "ok", "message": "", "fix": ""}


def rehearsed(*said: tuple[str, dict[str, Any]]) -> Run:
    run = a_run()
    run.rehearsal.chosen = [host for host, _said in said]
    for host, one in said:
        rehearsal.enter(run, host, one)
    return decode(encode(run))


def test_an_image_that_is_lost_on_many_nodes_is_one_line() -> None:
    names = ["agent-%02d" % number for number in range(30)]
    run = rehearsed(*((name, found(image(), image("r.test/db:1", **FINE))) for name in names))
    first, *lines = rehearsal_words.result_lines(run)
    assert first == "Rehearsal: 2 images on 30 nodes: 1 lost, 1 from another place"
    assert lines == [
        "  lost: r.test/app:1 on 30 nodes (agent-00, agent-01 and 28 more): https://m.test, not_found: m.test does not "
        "have it. Push it."
    ]


def test_other_reasons_are_other_lines() -> None:
    run = rehearsed(("agent-1", found(image())), ("arm-1", found(image(message="No arm64.", cause="platform_missing"))))
    assert [line.split(":")[2] for line in rehearsal_words.result_lines(run)[1:]] == ["1 on agent-1", "1 on arm-1"]


def test_what_is_not_known_is_listed_and_stops_nothing() -> None:
    run = rehearsed(("agent-1", found(image(verdict="not_known", cause="timeout", message="No answer.", fix=""))))
    run.lease.held = True
    assert rehearsal_words.result_lines(run)[1].startswith("  not known: r.test/app:1 on agent-1: ")
    assert halted(run, 0, False) == ""


def test_other_content_at_the_new_place_is_said_and_stops_nothing() -> None:
    run = rehearsed(("agent-1", found(image(**FINE, digest="sha256:1"), image("x:1", **FINE))))
    assert rehearsal_words.result_lines(run)[1:] == ["  other content: r.test/app:1 is sha256:1 there, on agent-1"]
    assert halted(run, 0, False) == ""


def test_an_allowed_loss_stops_nothing() -> None:
    run = rehearsed(("agent-1", found(image(allowed=True))))
    assert rehearsal_words.result_lines(run)[1].startswith("  lost, as allowed: ")
    assert halted(run, 0, False) == ""


@pytest.mark.parametrize("force", [False, True])
def test_a_loss_stops_every_host_and_the_lease_is_not_taken(force: bool) -> None:
    run = rehearsed(("agent-1", found(image(), image("r.test/db:1"))))
    why = halted(run, 9, force)
    assert "2 images could no longer be pulled with the new configuration (r.test/app:1, r.test/db:1)" in why
    assert "To lose them on purpose, list them in k3s_registries_rehearse_allow" in why
    turn = decide(run, Asking("agent-2", in_order=True, force=force))
    assert (turn and turn.go, turn and turn.why) == (False, why)
    whole, short = rehearsal_words.refusal(run, "server-1"), rehearsal_words.refusal(run, "agent-1")
    assert whole.startswith(why)
    assert "r.test/db:1 on agent-1: https://m.test, not_found: m.test does not have it. Push it." in whole
    assert short.endswith("The task of server-1 says why")
    assert rehearsal_words.refusal(run, "server-1") == whole


def test_a_long_list_ends() -> None:
    run = rehearsed(("agent-1", found(*(image("r.test/%d:1" % number) for number in range(100)))))
    assert len(rehearsal_words.refusal(run, "a").split("\n")) == 42
    assert rehearsal_words.refusal(run, "a").endswith("and 60 more")
    assert "r.test/2:1 and 97 more" in rehearsal_words.why(run)


def test_nothing_is_said_before_all_have_answered() -> None:
    run = a_run()
    chosen(run)
    rehearsal.enter(run, "server-1", found(image()))
    assert rehearsal_words.result_lines(run) == []
    assert rehearsal_words.progress_line(run, "server-1", "1 image: 1 lost", 2.34) == (
        "[1/3] server-1 rehearsed in 2.3 s: 1 image: 1 lost"
    )


def test_what_could_not_be_rehearsed_is_named_and_stops_nothing() -> None:
    run = a_run()
    run.rehearsal.chosen = ["server-1", "agent-1"]
    for host in ("server-1", "agent-1"):
        rehearsal.enter(run, host, None, "containerd does not say")
    assert rehearsal_words.result_lines(run) == ["  not rehearsed on server-1, agent-1: containerd does not say"]
    assert "could not rehearse: containerd does not say" in rehearsal_words.progress_line(run, "agent-1", "", 1.0)
    assert halted(run, 0, False) == ""


def test_who_asks_and_how_much_at_once_is_announced_once() -> None:
    run = a_run()
    chosen(run)
    assert rehearsal_words.announcement(run, 2) == [
        "Rehearsal on 3 nodes (server-1, agent-1, arm-1): each asks one registry at most 8 questions at a time, all "
        "together at most 16"
    ]
    assert rehearsal_words.announcement(run, 2) == []


def test_the_plan_says_what_changes_for_pulls() -> None:
    moves, same = ("1 image moves from a to b", "9 images are as before"), ("nothing changes for pulls",)
    run = rehearsed(
        ("server-1", found(effect=same)), ("agent-1", found(effect=moves)), ("arm-1", found(effect=moves)),
        ("agent-2", found()),
    )  # fmt: skip
    assert plan.plan_lines(run, "1 at a time")[-2:] == [
        "  for pulls on agent-1, arm-1: 1 image moves from a to b; 9 images are as before",
        "  for pulls on server-1: nothing changes for pulls",
    ]
