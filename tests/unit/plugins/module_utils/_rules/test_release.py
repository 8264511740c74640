# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.known_problems import known_problems
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import (
    ReleaseError,
    hosts_toml_is_exact,
    lacking_features,
    parse_release,
)

MIRROR = "https://m.example.com"


@pytest.mark.parametrize("text", ["v1.31.4+k3s1", "v1.31.4+rke2r2", "v1.31.4-rc2+k3s1", "v1.28.6-rc1+rke2r1"])
def test_a_release_is_written_as_it_was_read(text: str) -> None:
    assert parse_release(text).text == text


def test_other_spellings_of_a_release() -> None:
    assert parse_release("1.31.4").text == "v1.31.4+k3s1"
    assert parse_release(" v1.31.4-k3s1\n").text == "v1.31.4+k3s1"
    assert parse_release("v1.34.3+k3s-80b11e87").text == "v1.34.3+k3s1"


@pytest.mark.parametrize("text", ["", "latest", "v1.31", "v1.31.4+gke1", "v1.31.4+k3s1 x"])
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match="no release"):
        parse_release(text)


def test_releases_are_in_order() -> None:
    texts = ["v1.9.9+k3s1", "v1.31.4-rc1+k3s1", "v1.31.4-rc2+k3s1", "v1.31.4+k3s1", "v1.31.4+k3s2", "v1.31.10+k3s1"]
    assert sorted(map(parse_release, reversed(texts))) == list(map(parse_release, texts))


def lacking(release: str, raw: dict[str, Any], default_endpoint: bool = True, embedded: bool = False) -> list[str]:
    return [
        finding["message"]
        for finding in lacking_features(normalise(raw), default_endpoint, embedded, parse_release(release))
    ]


def test_a_missing_feature_names_both_releases() -> None:
    (message,) = lacking("v1.28.7+rke2r1", {"mirrors": {"*": {"endpoint": [MIRROR]}}})
    assert "v1.28.8+rke2r1" in message
    assert "v1.28.7+rke2r1" in message
    assert lacking("v1.28.8+rke2r1", {"mirrors": {"*": None}}) == []


def test_a_line_that_never_got_a_feature_names_the_next_that_did() -> None:
    (message,) = lacking("v1.30.14+k3s1", {"configs": {"docker.io": {"auth": {"username": "u"}}}})
    assert "v1.31.11+k3s1" in message


def test_docker_hub_credentials_under_its_host_work_everywhere() -> None:
    auth = {"auth": {"username": "u"}}
    assert lacking("v1.31.10+k3s1", {"configs": {"docker.io": auth, "registry-1.docker.io": auth}}) == []
    assert lacking("v1.33.3+k3s1", {"configs": {"docker.io": auth}}) == []
    assert lacking("v1.34.0+k3s1", {"configs": {"docker.io": auth}}) == []


def test_options_are_gated_too() -> None:
    assert len(lacking("v1.25.16+k3s4", {}, default_endpoint=False, embedded=True)) == 2
    assert lacking("v1.26.13-rc1+k3s1", {}, default_endpoint=False, embedded=True) == []


def test_from_when_on_texts_are_compared_byte_for_byte() -> None:
    assert hosts_toml_is_exact(None)
    assert hosts_toml_is_exact(parse_release("v1.28.8+k3s1"))
    assert not hosts_toml_is_exact(parse_release("v1.28.7+k3s1"))


def problems(release: str, raw: dict[str, Any], embedded: bool = False) -> list[tuple[str, str, str]]:
    found = known_problems(normalise(raw), True, embedded, parse_release(release))
    assert all(finding["fixed_in"] in finding["message"] and finding["source"].startswith("https") for finding in found)
    return [(finding["problem"], finding["path"], finding["fixed_in"]) for finding in found]


TWICE = {"mirrors": {"quay.io": {"endpoint": [MIRROR, MIRROR + "/"]}}}
OWN = {"mirrors": {"quay.io": {"endpoint": ["https://quay.io"]}}}
TLS_ONLY = {"configs": {"quay.io": {"tls": {"ca_file": "/ca"}}}}
WILDCARD = {"mirrors": {"*": {"endpoint": [MIRROR]}}}
BARE = {"mirrors": {"quay.io": {"endpoint": [MIRROR, "10.0.0.1"]}}}
IPV6 = {"mirrors": {"quay.io": {"endpoint": ["https://[fd00::1]:5000"]}}}
SECOND_WITH_AUTH = {
    "mirrors": {"quay.io": {"endpoint": [MIRROR, "https://n"], "rewrite": {"a": "b"}}},
    "configs": {"n": {"auth": {"username": "u"}}},
}


@pytest.mark.parametrize(
    ("bad", "good", "raw", "problem", "path"),
    [
        ("v1.29.2+k3s1", "v1.29.3+k3s1", TWICE, "duplicate_endpoint", "mirrors.quay.io.endpoint[1]"),
        ("v1.29.2+k3s1", "v1.29.3+k3s1", OWN, "listed_default_endpoint", "mirrors.quay.io.endpoint[0]"),
        ("v1.29.3+k3s1", "v1.29.4+k3s1", TLS_ONLY, "tls_without_mirror", "configs.quay.io.tls"),
        ("v1.31.6+k3s1", "v1.31.7+k3s1", WILDCARD, "wildcard_fallback", "mirrors.*"),
        ("v1.32.2+rke2r1", "v1.32.3+rke2r1", WILDCARD, "wildcard_fallback", "mirrors.*"),
        ("v1.28.6+k3s1", "v1.28.6+k3s2", BARE, "bare_endpoint", "mirrors.quay.io.endpoint[1]"),
        ("v1.31.5+k3s1", "v1.31.6+k3s1", IPV6, "ipv6_endpoint", "mirrors.quay.io.endpoint[0]"),
        ("v1.31.3+k3s1", "v1.31.4+k3s1", SECOND_WITH_AUTH, "rewrite_token_scope", "mirrors.quay.io.rewrite"),
    ],
)
def test_a_known_bad_release_names_the_fixed_one(bad: str, good: str, raw: Any, problem: str, path: str) -> None:
    assert problems(bad, raw) == [(problem, path, good)]
    assert problems(good, raw) == []


def test_releases_before_a_fault_do_not_have_it() -> None:
    assert problems("v1.29.2+k3s1", TLS_ONLY) == []
    assert problems("v1.31.5+k3s1", WILDCARD) == []
    assert problems("v1.28.6+rke2r1", BARE) == []


def test_the_embedded_registry_was_experimental_at_first() -> None:
    assert problems("v1.30.7+k3s1", {}, embedded=True) == [
        ("embedded_registry_experimental", "embedded-registry", "v1.30.8+k3s1")
    ]
    assert problems("v1.30.8+k3s1", {}, embedded=True) == []
