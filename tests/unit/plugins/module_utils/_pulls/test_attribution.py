# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls at the same time whose lines name no image: what ended each pull tells which lines were its own."""

from __future__ import annotations

import itertools
import random

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from containerd_log import Answer, resolve, unresolved
from wordings import DENIED

DNS = 'failed to do request: Head "{url}": dial tcp: lookup nowhere: no such host'
TOKEN = "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to http://%s/token: "


def _pull(name: str, *answers: Answer) -> list[str]:
    """A pull of 2.1's through a mirror, then from its own registry, which nobody knows."""
    return unresolved(f"{name}.example.com/team/app:1", [*answers, Answer(f"{name}.example.com", error=DNS)], "2.1")


PULLS = {
    "absent": (_pull("absent", Answer("m1:5000", "404 Not Found")), "not_found", "m1:5000"),
    "broken": (_pull("broken", Answer("m2:5000", "500 Internal Server Error")), "server_error", "m2:5000"),
    "denied": (_pull("denied", Answer("m3:5000", error=DENIED + "server message: insufficient_scope: authorization"
                                      " failed")), "forbidden", "m3:5000"),
    "refused": (_pull("refused", Answer("m4:5000", error=TOKEN % "m4:5000" + "403 Forbidden")), "token_refused",
                "m4:5000"),
    "down": (_pull("down", Answer("m5:5000", error=TOKEN % "m5:5000" + "500 Internal Server Error")),
             "token_server_unavailable", "m5:5000"),
    "reset": (_pull("reset", Answer("m6:5000", error='failed to do request: Head "{url}": EOF')), "connection_reset",
              "m6:5000"),
}  # fmt: skip


def merged(logs: list[list[str]], seed: int) -> list[str]:
    """The lines of several logs in one of the orders in which they can have been written."""
    chance = random.Random(seed)  # noqa: S311 - the same orders at every run
    queues = [list(log) for log in logs]
    lines = []
    while any(queues):
        lines.append(chance.choice([queue for queue in queues if queue]).pop(0))
    return lines


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(PULLS, 2)))
def test_two_pulls_at_once_keep_their_own_causes(one: str, other: str) -> None:
    for seed in range(12):
        lines = merged([PULLS[one][0], PULLS[other][0]], seed)
        reader = PullReader()
        reader.read(lines)
        found = {item["image"].split(".")[0]: (item["cause"], item["endpoint"]) for item in reader.diagnoses()}
        assert found == {name: PULLS[name][1:] for name in (one, other)}, "\n".join(lines)


def test_after_its_last_host_no_line_is_a_pull_s_own() -> None:
    ended = unresolved("a:5000/team/app:1", [Answer("a:5000", error='failed to do request: Head "{url}": EOF')], "2.1")
    lines, _error = resolve("b.example.com/team/app:1", [Answer("m:5000", "404 Not Found")], "2.1")
    other = _pull("b", Answer("m:5000", "404 Not Found"))
    reader = PullReader()
    reader.read([other[0], *ended[:2], lines[0], ended[2], *other[2:]])
    found = {item["image"]: (item["cause"], item["endpoint"]) for item in reader.diagnoses()}
    assert found["a:5000/team/app:1"] == ("connection_reset", "a:5000")
    assert found["b.example.com/team/app:1"] == ("not_found", "m:5000")
