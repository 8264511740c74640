# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is ignored, where, and that every ignore has a reason and a use."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.ignores import IgnoreProblem
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import (
    LevelsProblem,
    Outcome,
    Settings,
    Source,
    examine,
)

LINE = "    endpoint: [https://a.example.com/x]"


def run(text: str, *ignore: Any, name: str = "a/registries.yaml", **levels: str) -> Outcome:
    return examine([Source(name, text)], Settings(ignore=ignore, levels=levels))


def codes(outcome: Outcome) -> list[str]:
    return [finding["code"] for finding in outcome.findings]


def text(above: str = "", behind: str = "", value: str = LINE) -> str:
    return f"mirrors:\n  docker.io:\n{above}{value}{behind}\n"


@pytest.mark.parametrize(
    "source",
    [
        text(behind="  # k3s-lint: ignore K3R215: the proxy adds it"),
        text(behind="  # K3S-Lint: Ignore k3r215 the proxy adds it"),
        text(above="    # k3s-lint: ignore K3R215 - the proxy adds it\n"),
        text(above="    # k3s-lint: ignore K3R215, K3R206: the proxy adds it\n\n    # more\n"),
    ],
)
def test_a_comment_with_a_reason_is_heeded(source: str) -> None:
    outcome = run(source)
    assert codes(outcome) == []
    (ignored,) = outcome.ignored
    assert (ignored["code"], ignored["reason"]) == ("K3R215", "the proxy adds it")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (text(behind="  # k3s-lint: ignore K3R215"), ["K3R121", "K3R215"]),
        (text(behind="  # k3s-lint: ignore K3R215:"), ["K3R121", "K3R215"]),
        (text(behind="  # k3s-lint: ignore the rule"), ["K3R121", "K3R215"]),
        (text(behind="  # k3s-lint: disable K3R215: why"), ["K3R121", "K3R215"]),
        (text(behind="  # k3s-lint: ignore K3R206: why"), ["K3R122", "K3R215"]),
        (text(above="# k3s-lint: ignore K3R215: why\n\n    rewrite: {}\n"), ["K3R122", "K3R215"]),
        # No comments: part of a value.
        (text(value="    endpoint: ['https://a.example.com/x # k3s-lint: ignore K3R215: why']"), []),
    ],
)
def test_one_without_a_reason_or_a_use_is_a_finding(source: str, found: list[str]) -> None:
    said = sorted(codes(run(source)))
    assert [code for code in said if code in ("K3R121", "K3R122")] == [code for code in found if code != "K3R215"]
    assert not found or "K3R215" in said


def test_what_a_comment_is_about_has_its_place() -> None:
    (finding,) = (item for item in run(text(behind="  # k3s-lint: ignore K3R215")).findings if item["code"] == "K3R121")
    assert (finding["line"], finding["column"]) == (3, len(LINE) + 3)


@pytest.mark.parametrize(
    ("ignore", "heeded"),
    [
        ({"rule": "K3R215"}, True),
        ({"rule": ["K3R206", "k3r215"]}, True),
        ({"rule": "K3R215", "file": "registries.yaml"}, True),
        ({"rule": "K3R215", "file": "a/*"}, True),
        ({"rule": "K3R215", "file": "b/*"}, False),
        ({"rule": "K3R215", "path": "mirrors.docker.io"}, True),
        ({"rule": "K3R215", "path": 'mirrors."docker.io".endpoint[0]'}, True),
        ({"rule": "K3R215", "path": "mirrors.docker"}, False),
        ({"rule": "K3R206"}, False),
    ],
)
def test_an_entry_of_the_variable(ignore: dict[str, Any], heeded: bool) -> None:
    outcome = run(text(), {**ignore, "reason": "why"})
    assert codes(outcome) == ([] if heeded else ["K3R215", "K3R122"])
    without = run(text(), ignore)
    assert codes(without) == ["K3R215", "K3R121"]
    assert without.findings[1]["path"] == "k3s_registries_lint_ignore[0]"


def test_an_entry_that_helps_in_one_of_two_files_is_of_use() -> None:
    entry = {"rule": "K3R215", "reason": "why"}
    outcome = examine([Source("a", text()), Source("b", "mirrors: {}")], Settings(ignore=[entry]))
    assert codes(outcome) == []


def test_wrong_forms_are_named() -> None:
    for wrong in ("K3R215", {"rule": "K3R215", "because": "x"}):
        with pytest.raises(IgnoreProblem, match=r"k3s_registries_lint_ignore\[0\]"):
            run(text(), wrong)
    with pytest.raises(LevelsProblem, match="no such rule"):
        run(text(), K3R999="error")
    with pytest.raises(LevelsProblem, match="not off"):
        run(text(), K3R215="off")


def test_levels_by_rule() -> None:
    assert (run(text()).errors, run(text()).warnings) == (0, 1)
    assert (run(text(), K3R215="error").errors, run(text(), K3R215="error").warnings) == (1, 0)
    assert [run(text()).fails(level) for level in ("error", "warning", "never")] == [False, True, False]


def test_a_secret_in_a_reason_is_not_repeated() -> None:
    outcome = run(text(behind="  # k3s-lint: ignore K3R215: see https://me:c4n4ry@a.example.com"))
    assert "c4n4ry" not in str(outcome.ignored)
