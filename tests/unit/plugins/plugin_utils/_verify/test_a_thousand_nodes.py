# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify and diagnose print about a thousand nodes: two screens, with every failed node named or counted."""

from __future__ import annotations

import random
import re
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import failing
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import verdict
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.table import table

TWO_SCREENS = 100
HOSTS = ["edge-%04d" % number for number in range(1, 1001)]
IN_THE_REPORT = "k3sfleet.registries.report"


def endpoint(name: str, milliseconds: float, cause: str = "ok", message: str = "seen") -> dict[str, Any]:
    return {
        "image": "", "registry": "docker.io", "kind": "mirror", "endpoint": "https://%s/v2" % name, "url": "",
        "cause": cause, "message": "" if cause == "ok" else message, "fix": "" if cause == "ok" else "Do it.",
        "status": None, "times": {"total": milliseconds}, "auth": "none", "certificate": None,
    }  # fmt: skip


def answers(host: str, number: int, different: bool) -> dict[str, Any]:
    """What a node has answered: one of 25 is away, one of 20 cannot log in, one of 10 waits for a restart.

    :param different: whether each says so in words of its own.
    """
    if number % 25 == 0:
        away = "ssh: connect to host %s port 22: No route to host (10.9.%d.%d)" % (host, number // 250, number % 250)
        return verdict(host, {"unreachable": True, "msg": away}, {}, {}, True)
    state = "pending" if number % 10 == 1 else "loaded"
    facts = {"info": {"state": state, "release": "v1.34.%d+k3s1" % (number % 3), "problems": []}}
    chance = random.Random(number)
    cause = "unauthorized" if number % 20 == 3 else "ok"
    message = "401 at %d" % number if different else "401"
    endpoints = [endpoint("one:5000", chance.uniform(3, 250), cause, message), endpoint("two:5000", 7)]
    pulls = [{"image": "a", "ok": True, "seconds": chance.uniform(0.3, 9)}]
    return verdict(host, facts, {"endpoints": endpoints}, {"pulls": pulls}, True)


def verified(different: bool = False, hosts: int = 1000) -> tuple[list[dict[str, Any]], list[str]]:
    verdicts = [answers(host, number, different) for number, host in enumerate(HOSTS[:hosts], 1)]
    return verdicts, table(verdicts)


def counted_in(lines: list[str], start: str) -> int:
    """How many nodes the lines that begin like this name or count."""
    total = 0
    for line in lines:
        if line.startswith(start):
            more = re.search(r" and (\d+) more", line)
            total += len(re.findall(r"edge-\d{4}", line)) + (int(more.group(1)) if more else 0)
    return total


def test_the_table_has_a_row_for_each_kind_of_result_and_what_fails_comes_first() -> None:
    verdicts, lines = verified()
    assert len(lines) <= TWO_SCREENS // 2, "\n".join(lines)
    # The rows end with an empty line, that before the first reason.
    rows = lines[2 : lines.index("")]
    verdict_of = ["FAILED" in row for row in rows]
    assert verdict_of == sorted(verdict_of, reverse=True)
    warned = ["unauthorized" in row for row in rows[sum(verdict_of) :]]
    assert warned == sorted(warned, reverse=True)
    assert any(warned)
    assert counted_in(rows, "edge") == 1000
    failed = [item["host"] for item in verdicts if not item["ok"]]
    assert counted_in([row for row in rows if "FAILED" in row], "edge") == len(failed)
    assert lines[-1].startswith("%d of 1000 nodes failed: %s, " % (len(failed), failed[0]))


def test_times_are_from_the_fastest_to_the_slowest() -> None:
    _verdicts, lines = verified()
    [row] = [row for row in lines if re.search(r"ok +loaded +v1\.34\.1\+k3s1 +ok", row)]
    found = re.search(r"ok (\d+)-(\d+) ms +ok 7 ms +ok (\d\.\d)-(\d\.\d) s", row)
    assert found, row
    assert int(found.group(1)) < 10 < 240 < int(found.group(2)) <= 250
    assert 0.3 <= float(found.group(3)) < 1 < 8 < float(found.group(4)) <= 9


def test_nodes_that_are_away_are_one_failure_whatever_their_addresses() -> None:
    _verdicts, lines = verified()
    assert "FAILED edge-0025, edge-0050 and 38 more" in lines
    assert sum("No route to host" in line for line in lines) == 1


def test_a_thousand_different_reasons_are_two_screens_as_well() -> None:
    verdicts, lines = verified(different=True)
    assert len(lines) <= TWO_SCREENS, len(lines)
    failed = {item["host"] for item in verdicts if item["failures"]}
    # Each is in the group of at least one failure; the last counts those whose reasons are not shown.
    assert counted_in(lines, "FAILED ") >= len(failed)
    assert any(re.match(r"  \d+ other reasons", line) for line in lines)
    assert any(IN_THE_REPORT in line for line in lines)


def test_forty_nodes_have_a_row_each_with_every_reason() -> None:
    verdicts, lines = verified(different=True, hosts=40)
    assert [line.split()[0] for line in lines[2:42]] == HOSTS[:40]
    assert not any(IN_THE_REPORT in line for line in lines)
    for item in verdicts:
        for sentence in item["failures"]:
            assert "  " + sentence in lines


def diagnosis(causes: int) -> dict[str, Any]:
    """Nodes whose pulls fail, each for one of so many causes, with as many lines as there can be."""
    found = {}
    for number, host in enumerate(HOSTS[:600]):
        pulls = [
            {
                "image": "docker.io/library/image-%d:1" % image, "cause": "timeout",
                "endpoint": "m%d:5000" % (number % causes), "message": "It is so.", "fix": "Do it.",
                "evidence": ["line %d of %s" % (line, host) for line in range(9)],
            }
            for image in range(9)
        ]  # fmt: skip
        found[host] = {"pulls": pulls}
    return found


def test_failing_pulls_of_many_causes_are_two_screens() -> None:
    away = {
        host: {"unreachable": True, "msg": "%s: no route to 10.0.0.%d" % (host, number % 250)}
        for number, host in enumerate(HOSTS[600:])
    }
    for causes in (1, 5, 40):
        lines = failing.lines(failing.examined(diagnosis(causes), away))
        assert len(lines) <= TWO_SCREENS, (causes, len(lines))
        assert "edge-0601, edge-0602 and 398 more could not be examined: edge-0601: no route to 10.0.0.0" in lines
        assert lines[-1] == "1 cause at %d endpoint%s: 600 nodes cannot pull 9 images" % (
            causes,
            "" if causes == 1 else "s",
        )
        heads = [line for line in lines if re.match(r"\d+\. ", line)]
        assert len(heads) == min(causes, 14), heads
        assert causes < 14 or any(line.startswith("and 26 more causes, on 390 nodes (") for line in lines)
        assert causes < 14 or any(IN_THE_REPORT in line for line in lines)


def test_nodes_that_cannot_be_examined_for_many_reasons_are_counted() -> None:
    away = {host: {"failed": True, "msg": "reason %d" % (number // 40)} for number, host in enumerate(HOSTS)}
    lines = failing.lines(failing.examined({}, away))
    assert len(lines) <= TWO_SCREENS
    assert (
        "edge-0241, edge-0242 and 758 more could not be examined, for 19 other reasons, which their tasks say" in lines
    )
    assert lines[-1] == "no node could be examined"
