# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a provider is asked for."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.match_images import (
    matches,
    problem,
)
from hypothesis import given
from hypothesis import strategies as st

ECR = "*.dkr.ecr.*.amazonaws.com"


@pytest.mark.parametrize(
    ("pattern", "image", "expected"),
    [
        ("registry.example.com", "registry.example.com/team/app", True),
        ("registry.example.com", "registry.example.com:5000/team/app", False),
        ("registry.example.com:5000", "registry.example.com:5000/team/app", True),
        ("registry.example.com:5000", "registry.example.com/team/app", False),
        ("*.example.com", "registry.example.com/app", True),
        ("*.example.com", "example.com/app", False),
        ("*.example.com", "a.b.example.com/app", False),
        ("*", "registry/app", True),
        ("*", "registry.example.com/app", False),
        ("app*.example.com", "app-1.example.com/x", True),
        (ECR, "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app", True),
        (ECR, "123456789012.dkr.ecr.eu-central-1.amazonaws.com.cn/app", False),
        ("registry.example.com/team", "registry.example.com/team/app", True),
        ("registry.example.com/team", "registry.example.com/teams/app", True),
        ("registry.example.com/team/", "registry.example.com/teams/app", False),
        ("registry.example.com/team", "registry.example.com/other/app", False),
        ("registry.example.com/*", "registry.example.com/app", False),
        ("[2001:db8::1]:5000", "[2001:db8::1]:5000/app", True),
        ("[2001:db8::1]", "[2001:db8::1]/app", False),
        ("docker.io", "docker.io/library/busybox", True),
        ("registry.example.com:x", "registry.example.com:x/app", False),
    ],
)
def test_as_the_kubelet_compares(pattern: str, image: str, expected: bool) -> None:
    assert matches(pattern, image) is expected


@pytest.mark.parametrize("pattern", [ECR, "*", "registry.example.com", "registry:5000/team", "[2001:db8::1]:5000"])
def test_good_patterns(pattern: str) -> None:
    assert problem(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "no registry"),
        ("/team", "no registry"),
        ("https://registry.example.com", "leave out https://"),
        ("registry.example.com:*", "invalid port"),
        ("registry.example.com/*", "a wildcard counts in the registry's name only"),
        ("registry.example.com/team/app:1.0", "without them"),
        ("registry.example.com/app@sha256:00", "without them"),
        ("registry example.com", "invalid character"),
        ("user@registry.example.com", "user name"),
        ("registry.example.com?x=1", "question mark"),
        ("[2001:db8::1]", "IPv6"),
        ("reg[0-9].example.com", "invalid port"),
        ("registry\n.example.com", "control character"),
        ("index.docker.io", "named after docker.io"),
    ],
)
def test_patterns_that_match_nothing_are_named(pattern: str, words: str) -> None:
    assert words in problem(pattern)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_compared(pattern: str, image: str) -> None:
    assert matches(pattern, image) in (True, False)
    assert isinstance(problem(pattern), str)


NAME = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@given(st.lists(NAME, min_size=1, max_size=5), st.data())
def test_a_wildcard_stands_for_part_of_one_name(parts: list[str], data: st.DataObject) -> None:
    image = ".".join(parts) + "/team/app"
    position = data.draw(st.integers(0, len(parts) - 1))
    wild = [*parts[:position], "*", *parts[position + 1 :]]
    assert matches(".".join(wild), image)
    assert not matches(".".join([*wild, "com"]), image)
    assert not matches(".".join(wild) + ":5000", image)
