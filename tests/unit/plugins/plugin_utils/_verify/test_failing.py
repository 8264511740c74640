# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failing pulls of a fleet, by cause."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import failing

CANARY = "c4n4ry-Pa55"


def lines(diagnosis: dict[str, Any], info: dict[str, Any]) -> list[str]:
    return failing.lines(failing.examined(diagnosis, info))


def pull(
    cause: str, endpoint: str | None = "m:5000", image: str = "docker.io/library/a:1", **more: Any
) -> dict[str, Any]:
    entry = {
        "image": image, "cause": cause, "endpoint": endpoint, "message": "It is so.", "fix": "Mend %s." % cause,
        "evidence": ["line 1 of %s" % cause, "line 2 of %s" % cause],
    }  # fmt: skip
    return {**entry, **more}


def test_what_most_nodes_have_comes_first() -> None:
    text = lines(
        {
            "n-1": {"pulls": [pull("timeout", "x:1"), pull("not_found")]},
            "n-2": {"pulls": [pull("not_found"), pull("not_found", image="docker.io/library/b:1")]},
            "n-3": {"pulls": []},
        },
        {},
    )
    assert text[0] == "1. image missing (not_found) at m:5000, on 2 nodes (n-1, n-2)"
    assert "   image    docker.io/library/a:1" in text
    assert "   image    docker.io/library/b:1 on 1 node (n-2)" in text
    assert "   why      It is so." in text
    assert "   fix      Mend not_found." in text
    assert "   evidence line 1 of not_found" in text
    assert next(line for line in text if line.startswith("2. ")) == "2. timeout (timeout) at x:1, on 1 node (n-1)"
    assert text[-1] == "2 causes at 2 endpoints: 2 nodes cannot pull 2 images"


def test_a_fleet_without_failing_pulls() -> None:
    assert lines({"n-1": {"pulls": []}}, {}) == ["no failing pulls"]


def test_nodes_that_could_not_be_examined_are_said() -> None:
    text = lines(
        {"n-1": {"skipped": True}, "n-2": {"failed": True, "msg": "no log"}, "n-3": {}},
        {"n-1": {"unreachable": True, "msg": "no route"}, "n-3": {"failed": True, "msg": "no become"}},
    )
    assert "n-1 could not be examined: no route" in text
    assert "n-2 could not be examined: no log" in text
    assert "n-3 could not be examined: no become" in text
    assert text[-1] == "no node could be examined"
    text = lines({"n-1": {"pulls": []}, "n-2": {"failed": True, "msg": "no log"}}, {})
    assert text[-1] == "no failing pulls on the nodes that could be examined"


def test_nodes_without_k3s_are_none_that_pull_well() -> None:
    absent = {"info": {"state": "not_installed"}}
    missing = {"n-%02d" % number: absent for number in range(1, 21)}
    text = lines({**{host: {"skipped": True} for host in missing}, "n-0": {"pulls": []}}, {**missing, "n-0": {}})
    assert "K3s is not installed on n-01, n-02 and 18 more: no pulls to examine there" in text
    assert text[-1] == "no failing pulls on the nodes that could be examined"
    assert lines({host: {"skipped": True} for host in missing}, missing)[-1] == "no node could be examined"


def test_whether_any_node_was_examined() -> None:
    absent, gone = {"info": {"state": "not_installed"}}, {"unreachable": True, "msg": "no route"}
    assert failing.examined({"a": {"skipped": True}, "b": {}}, {"a": absent, "b": gone}).none
    assert not failing.examined({"a": {"skipped": True}, "c": {"pulls": []}}, {"a": absent, "c": {"info": {}}}).none
    assert not failing.examined({"a": {"pulls": []}}, {}).none


def test_a_secret_in_a_result_goes_no_further() -> None:
    text = lines({"n-1": {"pulls": [pull("unknown", None, message="https://u:%s@r/" % CANARY)]}}, {})
    assert CANARY not in json.dumps(text)


def test_a_very_long_line_is_cut() -> None:
    text = lines({"n-1": {"pulls": [pull("unknown", None, evidence=["x" * 5000])]}}, {})
    assert max(len(line) for line in text) < 500


def test_a_node_whose_log_could_be_read_was_examined() -> None:
    assert lines({"n-1": {"pulls": []}}, {"n-1": {"failed": True, "msg": "no become"}}) == ["no failing pulls"]
