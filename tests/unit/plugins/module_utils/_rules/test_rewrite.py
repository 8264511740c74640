# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import re2
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.rewrite import (
    PatternError,
    compile_pattern,
    rewrite,
)
from hypothesis import given
from hypothesis import strategies as st

ENGINES = [pytest.param(re2, id="re2"), pytest.param(None, id="without")]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("pattern", "replacement", "before", "after"),
    [
        ("^rancher/(.*)", "mirror/$1", "rancher/pause", "mirror/pause"),
        ("^(a)", "$1x", "a/b", "/b"),
        ("^(a)", "${1}x", "a/b", "ax/b"),
        ("a", "$$", "banana", "b$n$n$"),
        ("a", "$", "a/b", "$/b"),
        ("a", "${", "a/b", "${/b"),
        ("(a)", "$2", "a/b", "/b"),
        ("(a)", "$01", "a/b", "/b"),
        ("(?P<n>a)", "$n-${n}", "a/b", "a-a/b"),
        ("(?<n>a)", "$n!", "a/b", "a!/b"),
        ("(x)?a", "[$1]", "a/b", "[]/b"),
        ("", "-", "ab", "-a-b-"),
        ("b*", "-", "abc", "-a-c-"),
        ("(.*)", "p/$1", "a/b", "p/a/b"),
        ("b$", "c", "a/b", "a/c"),
        (r"\bb\b", "c", "b/ab", "c/ab"),
        ("x", "y", "a/b", "a/b"),
        ("a", "é$é", "a", "é"),
    ],
)
def test_rewrites_go_by_gos_rules(engine: Any, pattern: str, replacement: str, before: str, after: str) -> None:
    assert compile_pattern(pattern, engine).replace_all(before, replacement) == after


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "pattern", ["a(?=b)", "(?<!a)b", r"(a)\1", "a*+", "(?>a)", "(?P<n>a)(?P=n)", "(a", "[a", r"\Z", r"\C", "a{1001}"]
)
def test_what_go_refuses_is_refused_for_certain(engine: Any, pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern, engine)
    assert caught.value.certain


@pytest.mark.parametrize(
    "pattern",
    [r"\pL", "[[:alpha:]]", r"\Qa.b\E", "(?U)a+", "(?P<1x>a)", "a{,2}", r"a\x41", "x(?i)y", "(.*)*", "a(b?|c)+"],
)
def test_without_re2_what_cannot_be_judged_is_left_open(pattern: str) -> None:
    compile_pattern(pattern, re2)
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    assert not caught.value.certain


PIECES = [
    "a",
    "b",
    "/",
    ".",
    "*",
    "+",
    "?",
    "(",
    ")",
    "|",
    "^",
    "$",
    "[a-z]",
    "[^/]",
    "(.*)",
    r"\.",
    r"\d",
    "{2}",
    "(?:",
    r"\b",
    "(?P<n>",
    "*?",
    "[]a]",
    "-",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
    st.sampled_from(["$1", "$1x", "${1}x", "$$", "$n", "-", ""]),
    st.text("ab/.-1\n", max_size=8),
)
def test_without_re2_a_pattern_does_the_same_or_is_refused(pattern: str, replacement: str, text: str) -> None:
    try:
        mine = compile_pattern(pattern).replace_all(text, replacement)
    except PatternError as error:
        if error.certain:
            with pytest.raises(PatternError):
                compile_pattern(pattern, re2)
        return
    assert mine == compile_pattern(pattern, re2).replace_all(text, replacement)


def test_the_only_pattern_that_changes_the_name_counts() -> None:
    result = rewrite("a/b", {"x": "y", "^a/": "c/", "(": "d"}, re2)
    assert result.repository == "c/b"
    assert result.alternatives == ()
    assert list(result.skipped) == ["("]


def test_several_patterns_that_change_the_name_have_no_order() -> None:
    assert rewrite("a/b", {"a": "z", "b": "y"}).alternatives == ("a/y", "z/b")
    assert rewrite("a/b", {"a": "z", "^a": "z"}).alternatives == ()
