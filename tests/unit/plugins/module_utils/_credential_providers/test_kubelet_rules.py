# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before the kubelet refuses it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.kubelet_rules import (
    lacking,
    problems,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import parse_release
from hypothesis import given
from hypothesis import strategies as st

GOOD = Provider("ecr", "0" * 64, ("*.dkr.ecr.*.amazonaws.com",), "12h", ("get-credentials",), (("REGION", "eu"),))
TOKENS: dict[str, Any] = {
    "serviceAccountTokenAudience": "registry.example.com",
    "cacheType": "Token",
    "requireServiceAccount": True,
    "requiredServiceAccountAnnotationKeys": ["example.com/Registry"],
    "optionalServiceAccountAnnotationKeys": ["plain"],
}


def test_good_ones() -> None:
    assert problems([GOOD, GOOD._replace(name="other", token_attributes=TOKENS)]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "provider 1: a provider needs a name"),
        ({"name": ".."}, "needs a name"),
        ({"name": "bin/ecr"}, "no name of a program"),
        ({"name": ".k3sfleet"}, "the collection's own files"),
        ({"name": "ecr.k3sfleet-new"}, "the collection's own files"),
        ({"name": "my ecr"}, "no name of a program"),
        ({"name": "x" * 201}, "longer than 200 bytes"),
        ({"match_images": ()}, "at least one pattern"),
        ({"match_images": ("good", "https://bad")}, "match_images https://bad: it begins with a scheme"),
        ({"default_cache_duration": "12"}, "no duration"),
        ({"default_cache_duration": "-1s"}, "below zero"),
        ({"args": ("a\0b",)}, "null byte"),
        ({"env": (("A=B", "x"),)}, "no name of a variable"),
        ({"env": (("A", "pass\0word-canary"),)}, "env A: its value has a null byte"),
        ({"env": (("A", "\ud800"),)}, "half a letter"),
        ({"token_attributes": {}}, "cacheType is needed, ServiceAccount or Token"),
        ({"token_attributes": {**TOKENS, "cachetype": "Token"}}, "does not know cachetype"),
        ({"token_attributes": {**TOKENS, "requireServiceAccount": None}}, "true or false"),
        ({"token_attributes": {**TOKENS, "requireServiceAccount": False}}, "need requireServiceAccount: true"),
        ({"token_attributes": {**TOKENS, "optionalServiceAccountAnnotationKeys": "x"}}, "a list of texts"),
        ({"token_attributes": {**TOKENS, "optionalServiceAccountAnnotationKeys": ["a b"]}}, "no key of an annotation"),
        ({"token_attributes": {**TOKENS, "optionalServiceAccountAnnotationKeys": ["a", "a"]}}, "names a key twice"),
        (
            {"token_attributes": {**TOKENS, "optionalServiceAccountAnnotationKeys": ["example.com/Registry"]}},
            "cannot be required and optional",
        ),
    ],
)  # fmt: skip
def test_what_the_kubelet_refuses(change: dict[str, Any], words: str) -> None:
    found = problems([GOOD._replace(**change)])
    assert [sentence for sentence in found if words in sentence]
    assert not [sentence for sentence in found if "canary" in sentence]


def test_two_of_one_name() -> None:
    assert problems([GOOD, GOOD]) == ["ecr: another provider has the same name"]


@pytest.mark.parametrize(
    ("release", "tokens", "words"),
    [
        ("v1.25.16+k3s4", False, "v1.26 or newer, and v1.25.16+k3s4 is installed"),
        ("v1.26.0+k3s1", False, ""),
        ("v1.33.5+k3s1", True, "token_attributes need v1.34"),
        ("v1.34.0+rke2r1", True, ""),
        ("v1.33.5+k3s1", False, ""),
    ],
)
def test_what_a_release_lacks(release: str, tokens: bool, words: str) -> None:
    found = lacking([GOOD._replace(token_attributes=TOKENS if tokens else None)], parse_release(release))
    assert [words in sentence for sentence in found] == ([True] if words else [])


@given(
    st.builds(
        Provider,
        st.text(max_size=8),
        st.just(""),
        st.lists(st.text(max_size=8), max_size=2).map(tuple),
        st.text(max_size=4),
        st.lists(st.text(max_size=4), max_size=2).map(tuple),
        st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=2).map(tuple),
        st.none()
        | st.dictionaries(
            st.sampled_from(sorted(TOKENS)),
            st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.text(max_size=3)),
        ),
    )
)
def test_anything_is_judged(provider: Provider) -> None:
    assert all(isinstance(sentence, str) for sentence in problems([provider]))
