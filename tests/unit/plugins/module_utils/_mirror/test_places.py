# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import (
    TargetProblem,
    source_of,
    target_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples

DIGEST = "sha256:" + "a" * 64


def target(image: str, mirrors: dict[str, Any], **more: Any) -> str:
    place = target_of(parse_image(image), normalise({"mirrors": mirrors}), more.pop("mapping", {}), **more)
    return "%s %s" % (place.scheme, place.text)


def test_a_mirror_without_rewrite_keeps_the_name() -> None:
    mirrors = {"docker.io": {"endpoint": ["https://registry.example.com:5000"]}}
    assert target("nginx", mirrors) == "https registry.example.com:5000/library/nginx:latest"
    assert target("nginx@" + DIGEST, mirrors) == "https registry.example.com:5000/library/nginx@" + DIGEST


def test_a_rewrite_and_a_wildcard_lead_where_the_nodes_look() -> None:
    mirrors = {
        "docker.io": {"endpoint": ["http://r:5000"], "rewrite": {"^rancher/(.*)": "project/rancher/$1"}},
        "*": {"endpoint": ["https://other"]},
    }
    assert target("rancher/mirrored-pause:3.6", mirrors) == "http r:5000/project/rancher/mirrored-pause:3.6"
    assert target("quay.io/a/b:1", mirrors) == "https other/a/b:1"


def test_an_endpoint_with_harbors_path_is_a_project() -> None:
    assert target("nginx:1", {"docker.io": {"endpoint": ["https://h/v2/hub"]}}) == "https h/hub/library/nginx:1"


@settings(max_examples=examples(100))
@given(
    st.sampled_from(["docker.io", "quay.io", "ghcr.io:444"]),
    st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5}){0,2}", fullmatch=True),
    st.sampled_from(["https://r.example.com", "https://r:5000/v2/prefix", "http://r:5000"]),
    st.sampled_from([{}, {"^(.*)$": "all/$1"}, {"^a": "b"}]),
)
def test_the_target_is_the_first_url_that_a_node_asks_for(
    registry: str, repository: str, endpoint: str, rewrite: dict[str, str]
) -> None:
    config = normalise({"mirrors": {registry: {"endpoint": [endpoint], "rewrite": rewrite}}})
    image = parse_image("%s/%s:1" % (registry, repository))
    place, asked = target_of(image, config, {}), urlsplit(resolve_image(image.text, config)[0]["url"])
    assert (place.scheme, place.host) == (asked.scheme, asked.netloc)
    assert "/v2/%s/manifests/%s" % (place.repository, place.reference) == asked.path


@pytest.mark.parametrize(
    ("mirrors", "said"),
    [
        ({}, "no mirror serves it: add mirrors.docker.io"),
        ({"docker.io": {}}, "no mirror serves it"),
        ({"docker.io": {"endpoint": ["https://h/project"]}}, "path must begin with /v2/"),
        ({"docker.io": {"endpoint": ["https://h"], "rewrite": {"^lib": "a", "nginx": "b"}}}, "several rewrites"),
        ({"docker.io": {"endpoint": ["https://h"], "rewrite": {"lib\\.": "a"}}}, "the nodes ignore its mirror"),
    ],
)
def test_what_no_node_will_find_is_no_target(mirrors: dict[str, Any], said: str) -> None:
    with pytest.raises(TargetProblem, match=said):
        target("nginx", mirrors)


def test_one_of_several_endpoints_can_be_named() -> None:
    mirrors = {"docker.io": {"endpoint": ["https://one", "https://two:5000"]}}
    assert target("nginx:1", mirrors) == "https one/library/nginx:1"
    assert target("nginx:1", mirrors, endpoint="two:5000") == "https two:5000/library/nginx:1"
    with pytest.raises(TargetProblem, match="no mirror three serves it"):
        target("nginx:1", mirrors, endpoint="three")


def test_a_mapping_overrules_the_mirrors() -> None:
    mirrors = {"docker.io": {"endpoint": ["http://r:5000"]}}
    assert target("nginx:1", mirrors, mapping={"nginx:1": "r:5000/web/nginx"}) == "http r:5000/web/nginx:1"
    assert target("nginx:1", {}, mapping={"docker.io/library/nginx:1": "x.io/n:2"}) == "https x.io/n:2"
    with pytest.raises(TargetProblem, match="is no place"):
        target("nginx:1", mirrors, mapping={"nginx:1": "only-a-host"})


def test_system_images_go_where_the_system_default_registry_has_them() -> None:
    default = {"system_default_registry": "registry.example.com:5000"}
    assert target("rancher/pause:3", {}, **default) == "https registry.example.com:5000/rancher/pause:3"
    mirrors = {"registry.example.com:5000": {"endpoint": ["http://10.0.0.1:5000"], "rewrite": {"^": "x/"}}}
    assert target("rancher/pause:3", mirrors, **default) == "http 10.0.0.1:5000/x/rancher/pause:3"


def test_images_come_from_their_own_registry_or_from_another() -> None:
    hub, quay = parse_image("nginx:1"), parse_image("quay.io/a/b@" + DIGEST)
    assert source_of(hub, {}).text == "registry-1.docker.io/library/nginx:1"
    assert source_of(hub, {"docker.io": "http://cache:5000/hub/"}) == ("http", "cache:5000", "hub/library/nginx", "1")
    assert source_of(quay, {"docker.io": "cache", "*": "all.example.com"}).text == "all.example.com/a/b@" + DIGEST
    with pytest.raises(TargetProblem, match="source_registries"):
        source_of(hub, {"*": "two words"})
