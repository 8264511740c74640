# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of each host, out of what the ledger says of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import outcome
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.outcomes import outcomes
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import (
    ENDED,
    LEFT,
    STAGED,
    STOPPED,
    Host,
    Run,
    begin,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run_as_text import decode, encode


@pytest.mark.parametrize(
    ("host", "run", "wanted"),
    [
        (Host(restart=False), {}, "unchanged"),
        (Host(restart=False, changed=True), {}, "changed"),
        (Host(progress=ENDED, changed=True), {}, "changed"),
        (Host(progress=ENDED, changed=True), {"failed": {"n": "why"}}, "failed"),
        (Host(progress=ENDED), {"failed": {"n": "why"}, "unreachable": ["n"]}, "unreachable"),
        (Host(progress=STOPPED, changed=True), {}, "stopped"),
        (Host(progress=LEFT, changed=True), {"failed": {"other": "why"}}, "stopped"),
        (Host(progress=LEFT, changed=True), {}, "refused"),
        # Staged for a later run, which is all that was wanted.
        (Host(progress=STAGED, changed=True), {"follows": False}, "changed"),
        (Host(progress=STAGED, changed=True), {}, "stopped"),
        (None, {"refused": ["n"], "failed": {"n": "why"}}, "refused"),
        (None, {"unreachable": ["n"]}, "unreachable"),
    ],
)
def test_of_a_host(host: Host | None, run: dict[str, Any], wanted: str) -> None:
    made = Run(hosts={"n": host} if host else {}, **run)
    assert outcomes([Run(), decode(encode(made))], ["n"], {"n"}) == {"n": wanted}


def test_a_host_that_has_not_had_its_turn_has_none() -> None:
    assert outcomes([Run()], ["n"], {"n"}) == {}


def test_a_refusal_is_for_all_that_were_not_staged_yet() -> None:
    run = Run(hosts={"m": Host(restart=False)}, refused=["n"])
    assert outcomes([run], ["n", "m", "o"], {"n", "m", "o"}) == {"n": "refused", "m": "unchanged", "o": "refused"}


def test_a_host_that_ansible_has_given_up_has_not_ended_well() -> None:
    done = Run(hosts={"n": Host(restart=False)})
    assert outcomes([done], ["n", "m"], set()) == {"n": "failed", "m": "failed"}
    assert outcomes([Run(refused=["n"])], ["n", "m"], set()) == {"n": "refused", "m": "refused"}


def test_a_host_that_is_staged_again_can_be_reached() -> None:
    run = Run(unreachable=["n"])
    begin(run, "n")
    assert run.unreachable == []


def test_the_worst_counts() -> None:
    assert outcome.of_all([]) == "unchanged"
    for number, word in enumerate(outcome.OUTCOMES):
        assert outcome.of_all(reversed(outcome.OUTCOMES[number:])) == word
    assert list(outcome.by_outcome({"a": "changed", "b": "failed", "c": "changed"}).items()) == [
        ("failed", ["b"]),
        ("changed", ["a", "c"]),
    ]
