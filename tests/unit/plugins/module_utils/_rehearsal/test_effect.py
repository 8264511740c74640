# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change means for pulls, in words and as data."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.effect import (
    NOTHING_CHANGES,
    Effect,
    Situation,
    effect,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from hypothesis import given
from hypothesis import strategies as st
from worlds import REGISTRIES, REPOSITORIES, World, configuration, pull

HUB = ["nginx:%d" % number for number in range(14)]
QUAY = ["quay.io/team/app:%d" % number for number in range(9)]
MIRROR = "https://registry.example.com:5000"
HOST = "registry.example.com:5000"
AUTH = {"auth": {"username": "robot", "password": "CANARY-8c1d"}}


def situation(mirrors: Any = None, configs: Any = None, *more: Any) -> Situation:
    return Situation(normalise({"mirrors": mirrors, "configs": configs}), *more)


def mirror(registry: str = "docker.io", *endpoints: str, **more: Any) -> dict[str, Any]:
    return {registry: {"endpoint": list(endpoints or (MIRROR,)), **more}}


def said(images: list[str], before: Situation, after: Situation) -> list[str]:
    return effect(images, before, after).sentences


def test_the_whole_of_it_in_one_go() -> None:
    old = situation(mirror("quay.io"), {HOST: AUTH})
    new = situation(
        {**mirror(rewrite={"^(.*)$": "dockerhub/$1"}), **mirror("quay.io")},
        {HOST: {"auth": {"username": "robot", "password": "new"}}},
    )
    found = effect(HUB + QUAY, old, new)
    assert found.sentences == [
        "14 images move from registry-1.docker.io to https://registry.example.com:5000/v2/dockerhub",
        "14 images gain a fallback",
        "the credentials of 1 endpoint change",
        "9 images are as before",
    ]
    assert found.credentials == (MIRROR,)
    assert len(found.moves[0].images) == 14
    assert found.moves[0].images[0] == "docker.io/library/nginx:0"
    assert found.as_before == tuple(QUAY)


def test_nothing_changes() -> None:
    same = situation(mirror(), {HOST: AUTH})
    found = effect(HUB, same, same)
    assert (found.changes, found.sentences) == (False, [NOTHING_CHANGES])
    # Another spelling of the same.
    assert not effect(HUB, same, situation(mirror("docker.io", MIRROR + "/v2"), {HOST: AUTH})).changes


def test_a_fallback_that_is_taken_away() -> None:
    config = mirror()
    assert said(HUB[:2], situation(config), situation(config, None, False)) == ["2 images lose their fallback"]
    assert said(HUB[:1], situation(config, None, False), situation(config)) == ["1 image gains a fallback"]
    two = mirror("docker.io", MIRROR, "https://other.test")
    assert said(HUB[:1], situation(two), situation(mirror())) == ["1 image gets other fallbacks"]


def test_names_that_are_rewritten() -> None:
    one, other = (mirror(rewrite={"^library/(.*)$": to}) for to in ("$1-of-ours", "$1-of-theirs"))
    assert said(HUB[:2], situation(mirror()), situation(one)) == [
        "2 images move from https://registry.example.com:5000/v2 to https://registry.example.com:5000/v2"
        " under other names"
    ]
    assert said(HUB[:2], situation(one), situation(other)) == ["2 images are asked for under other names"]
    several = mirror(rewrite={"^library/": "a/", "^": "b/"})
    assert effect(HUB[:1], situation(), situation(several)).unsure == ("docker.io/library/nginx:0",)


def test_a_mirror_that_containerd_cannot_read() -> None:
    broken = mirror(rewrite={r"^library\.": "x"})
    assert said(HUB[:2], situation(), situation(broken)) == [
        "2 images are no longer asked of a mirror, because containerd cannot read its hosts.toml"
    ]


def test_the_embedded_registry_is_no_move() -> None:
    bare = {"docker.io": None}
    found = effect(HUB[:3], situation(bare), situation(bare, None, True, "127.0.0.1:6443"))
    assert found.sentences == ["3 images are first asked of the embedded registry"]
    assert (found.tls, found.credentials) == ((), ())


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (None, AUTH, True),
        (AUTH, None, True),
        (AUTH, AUTH, False),
        (None, {"auth": {}}, False),
        (AUTH, {"auth": {"username": "robot", "password": "other"}}, True),
    ],
)
def test_credentials(before: Any, after: Any, changes: bool) -> None:
    found = effect([], situation(mirror(), {HOST: before}), situation(mirror(), {HOST: after}))
    assert found.credentials == ((MIRROR,) if changes else ())
    assert "CANARY" not in json.dumps(found.as_dict())


def test_credentials_of_endpoints_that_nobody_asks_are_no_change() -> None:
    assert not effect(HUB, situation(mirror()), situation(mirror(), {"registry.example.com": AUTH})).changes
    # Those of an endpoint that is new come with the move.
    assert effect(HUB[:1], situation(), situation(mirror(), {HOST: AUTH})).credentials == ()


def test_docker_hubs_credentials_under_any_of_its_names() -> None:
    found = effect(HUB[:1], situation(), situation(None, {"docker.io": AUTH}))
    assert found.credentials == ("https://registry-1.docker.io",)


def test_tls() -> None:
    plain, ca, insecure = (
        situation(mirror(), {HOST: {"tls": tls}}) for tls in (None, {"ca_file": "/ca"}, {"insecure_skip_verify": True})
    )
    assert said([], plain, ca) == ["the TLS settings of 1 endpoint change"]
    assert said([], plain, insecure)[-1] == "the certificate of https://registry.example.com:5000 is no longer verified"
    assert effect([], insecure, plain).unverified == ()


def test_names_that_are_none_and_passwords_in_urls() -> None:
    found = effect(
        ["Nginx", "nginx:1", "nginx:1"], situation(), situation(mirror("docker.io", "https://u:pw-1234@m.test"))
    )
    assert found.refused == ("Nginx",)
    assert len(found.moves[0].images) == 1
    assert "pw-1234" not in json.dumps(found.as_dict())


def test_many_places_are_counted_together() -> None:
    images = ["r%d.test/a" % number for number in range(8)]
    found = said(images, situation(), situation(mirror("*"), None, False))
    assert len(found) == 6
    assert found[-1] == "3 more images move to other places"


@given(st.integers(min_value=0, max_value=1 << 40))
def test_it_tells_every_difference_that_a_pull_can_show(seed: int) -> None:
    """A model of K3s and containerd pulls everything twice, from registries without faults: whatever comes from another
    place is a move or a fallback, and what is as before comes from where it came."""
    dice = random.Random(seed)
    world = World(dice)
    world.faults = dict.fromkeys(world.faults, "")
    world.closed = dict.fromkeys(world.closed, False)
    sides = [(configuration(dice), dice.random() < 0.7) for _number in range(2)]
    names = [(registry, repository) for registry in REGISTRIES for repository in REPOSITORIES]
    old, new = (Situation(normalise(config), default) for config, default in sides)
    found = effect(["%s/%s:1" % name for name in names], old, new)
    for name in names:
        before, after = (pull(*side, world, *name) for side in sides)
        if before.url != after.url and not (before.unsure or after.unsure):
            assert "%s/%s:1" % name not in found.as_before
    assert isinstance(found, Effect)
    assert _told(found) | set(found.as_before) == {"%s/%s:1" % name for name in names}
    assert not _told(found) & set(found.as_before)


def _told(found: Effect) -> set[str]:
    lists = [found.renamed, found.fallback_lost, found.fallback_gained, found.fallback_changed, found.unsure]
    lists += [found.unreadable, *(move.images for move in found.moves)]
    return {image for images in lists for image in images}
