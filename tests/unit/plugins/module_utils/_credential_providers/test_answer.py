# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kubelet takes for an answer of a provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.answer import (
    BadAnswer,
    credential,
    request,
)
from hypothesis import given
from hypothesis import strategies as st

IMAGE = "registry.example.com:5000/team/app"
GOOD: dict[str, Any] = {
    "kind": "CredentialProviderResponse",
    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    "cacheKeyType": "Registry",
    "cacheDuration": "1h",
    "auth": {"registry.example.com:5000": {"username": "puller", "password": "canary-1"}},
}


def answer(**change: Any) -> bytes:
    return json.dumps({**GOOD, **change}).encode()


def test_the_question() -> None:
    assert json.loads(request(IMAGE)) == {
        "kind": "CredentialProviderRequest",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "image": IMAGE,
    }


def test_a_good_answer() -> None:
    assert credential(answer(), IMAGE, "5m") == ("puller", "canary-1", 3600.0, "Registry")
    assert credential(answer(cacheDuration=None), IMAGE, "5m").cached_for == 300.0


@pytest.mark.parametrize(
    ("keys", "image", "used"),
    [
        (["registry.example.com:5000", "registry.example.com:5000/team"], IMAGE, "registry.example.com:5000/team"),
        (["*.example.com:5000", "registry.example.com:5000"], IMAGE, "registry.example.com:5000"),
        (["https://registry.example.com:5000/v2/"], IMAGE, "https://registry.example.com:5000/v2/"),
        (["https://index.docker.io/v1/"], "docker.io/library/busybox", "https://index.docker.io/v1/"),
        (["index.docker.io", "docker.io"], "docker.io/library/busybox", "docker.io"),
    ],
)
def test_the_key_that_the_kubelet_uses(keys: list[str], image: str, used: str) -> None:
    auth = {key: {"username": key, "password": "x"} for key in keys}
    assert credential(answer(auth=auth), image, "0s").username == used


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "wrote nothing"),
        (b" \n", "wrote nothing"),
        (b"canary-1", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"[" * 100000, "no JSON object"),
        (b"x" * (1 << 20) + b"y", "more than 1 MiB"),
        (answer(kind="CredentialProviderRequest"), '"CredentialProviderRequest"'),
        (answer(kind="canary-1"), "something else"),
        (answer(apiVersion="credentialprovider.kubelet.k8s.io/v1alpha1"), "k8s.io/v1alpha1"),
        (answer(apiVersion=None), "something else"),
        (answer(canary="canary-1"), "keys that the kubelet does not know"),
        (answer(cacheKeyType="registry"), '"registry"'),
        (answer(cacheKeyType=["canary-1"]), "something else"),
        (answer(cacheDuration=3600), "no text such as 12h"),
        (answer(cacheDuration="canary-1"), "no duration"),
        (answer(auth=["canary-1"]), "no mapping"),
        (answer(auth={"x": {"username": "canary-1", "token": "canary-1"}}), "no username with a password"),
        (answer(auth={"x": {"username": ["canary-1"]}}), "is no text"),
        (answer(auth=None), "no credentials for this image"),
        (answer(auth={}), "no credentials for this image"),
        (answer(auth={"registry.example.com": {"password": "canary-1"}}), "under 1 keys of which none matches"),
    ],
)  # fmt: skip
def test_a_bad_answer_is_named_without_its_secrets(given: bytes, words: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        credential(given, IMAGE, "0s")
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(given: bytes) -> None:
    with pytest.raises(BadAnswer):
        credential(given, IMAGE, "0s")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), VALUES, max_size=3))
def test_any_values_are_taken_or_refused(change: dict[str, Any]) -> None:
    said = ""
    try:
        assert credential(answer(**change), IMAGE, "0s").password == "canary-1"
    except BadAnswer as problem:
        said = str(problem)
    assert "canary" not in said
