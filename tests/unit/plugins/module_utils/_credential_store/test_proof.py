# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials are handed to the kubelet only where every request for every image goes to one place with them."""

from __future__ import annotations

import base64
import fnmatch
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.findings import (
    findings,
    refusals,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.proof import (
    Proof,
    Surroundings,
    prove,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.remedy import (
    remedy,
    remedy_changes,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import origin_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

CANARY = "canary-of-the-test"
ROBOT = {"username": "robot$k3s", "password": CANARY}
OTHER = {"username": "someone", "password": CANARY + "-of-someone"}
HARBOR = "harbor.example.com"
QUAY = "quay.io"
DEFAULT = Surroundings()
ALONE = Surroundings(default_endpoint=False)
EMBEDDED = Surroundings(default_endpoint=False, embedded_mirror="127.0.0.1:6443")


def config(mirrors: Any = None, configs: Any = None) -> Config:
    return normalise(
        {
            "mirrors": {name: {"endpoint": endpoints} for name, endpoints in (mirrors or {}).items()},
            "configs": {host: {"auth": auth} for host, auth in (configs or {}).items()},
        }
    )


def only_obstacle(proof: Proof) -> tuple[str, str]:
    (obstacle,) = proof.obstacles
    return obstacle.registry, obstacle.reason


def fixes(mirrors: Any, configs: Any, around: Surroundings = DEFAULT) -> dict[str, str]:
    given_config = config(mirrors, configs)
    proof = prove(given_config, around)
    return {item["path"]: item["fix"] for item in findings(proof, given_config)}


def test_a_registry_that_is_asked_itself_is_proven() -> None:
    proof = prove(config(configs={HARBOR: ROBOT}), DEFAULT)
    (route,) = proof.routes
    assert (route.registry, route.origin.text, route.username, route.password) == (
        HARBOR,
        "https://" + HARBOR,
        *ROBOT.values(),
    )
    assert not proof.obstacles


@pytest.mark.parametrize("auth", [ROBOT, {"auth": base64.b64encode(f"robot$k3s:{CANARY}".encode()).decode()}])
def test_a_mirror_without_the_default_endpoint_is_proven(auth: dict[str, str]) -> None:
    proof = prove(config({QUAY: ["https://" + HARBOR]}, {HARBOR: auth}), ALONE)
    assert proof.registries == (HARBOR, QUAY)
    assert {(route.username, route.password) for route in proof.routes} == {tuple(ROBOT.values())}


def test_a_registry_that_is_its_own_mirror_under_its_port_is_asked_at_one_place() -> None:
    both = {HARBOR: ROBOT, HARBOR + ":443": ROBOT}
    assert HARBOR in prove(config({HARBOR: [f"https://{HARBOR}:443"]}, both), DEFAULT).registries
    differing = prove(config({HARBOR: [f"https://{HARBOR}:443"]}, dict(both, **{HARBOR: OTHER})), DEFAULT)
    assert "different credentials" in only_obstacle(differing)[1]


@pytest.mark.parametrize("name", ["docker.io", "registry-1.docker.io"])
def test_docker_hub_is_known_by_its_other_names(name: str) -> None:
    routes = {route.registry: route.origin.text for route in prove(config(configs={name: ROBOT}), DEFAULT).routes}
    assert routes == {name: "https://registry-1.docker.io", "docker.io": "https://registry-1.docker.io"}


def test_without_credentials_there_is_nothing_to_say() -> None:
    assert prove(config({QUAY: ["https://" + HARBOR]}, {HARBOR: {}}), DEFAULT) == Proof((), ())


@pytest.mark.parametrize(
    ("mirrors", "configs", "around", "registry", "reason"),
    [
        ({QUAY: ["https://" + HARBOR]}, {HARBOR: ROBOT}, DEFAULT, QUAY, "https://quay.io as well, the default"),
        (
            {QUAY: ["https://" + HARBOR, "https://b.example.com"]},
            {HARBOR: ROBOT},
            ALONE,
            QUAY,
            "https://b.example.com as well",
        ),
        ({QUAY: ["https://" + HARBOR]}, {HARBOR: ROBOT}, EMBEDDED, QUAY, "127.0.0.1:6443 as well, the embedded"),
        (
            # The same credentials, but who says that they are meant for both?
            {QUAY: ["https://" + HARBOR, "https://b.example.com"]},
            {HARBOR: ROBOT, "b.example.com": ROBOT},
            ALONE,
            QUAY,
            "https://b.example.com as well",
        ),
        (
            {QUAY: ["https://a.example.com:5000", "https://a.example.com"]},
            {"a.example.com": ROBOT},
            ALONE,
            QUAY,
            ":5000",
        ),
        ({QUAY: ["http://a.example.com"]}, {"a.example.com": ROBOT}, ALONE, QUAY, "not reached over TLS"),
        ({}, {"localhost:5000": ROBOT}, ALONE, "localhost:5000", "not reached over TLS"),
        ({}, {HARBOR: {"identity_token": CANARY}}, ALONE, HARBOR, "a user name and a password only"),
        ({}, {HARBOR: {"password": CANARY}}, ALONE, HARBOR, "a user name and a password only"),
        ({}, {HARBOR: {"auth": "no base64"}}, ALONE, HARBOR, "a user name and a password only"),
        ({}, {HARBOR: {"username": "u", "password": "\udc80"}}, ALONE, HARBOR, "a user name and a password only"),
        ({}, {"[2001:db8::1]": ROBOT}, ALONE, "[2001:db8::1]", "takes this name for a pattern"),
        ({"*": ["https://" + HARBOR]}, {HARBOR: ROBOT}, ALONE, "*", "cannot be told to match the images of all other"),
    ],
)
def test_what_is_not_proven_and_why(
    mirrors: Any, configs: Any, around: Surroundings, registry: str, reason: str
) -> None:
    proof = prove(config(mirrors, configs), around)
    reasons = {item.registry: item.reason for item in proof.obstacles}
    assert reason in reasons[registry]
    assert registry not in proof.registries
    assert CANARY not in repr(proof.obstacles)


@pytest.mark.parametrize(
    ("mirrors", "configs", "around", "fix"),
    [
        (
            {QUAY: ["https://" + HARBOR]},
            {HARBOR: ROBOT},
            DEFAULT,
            "Set k3s_registries_disable_default_endpoint: true.",
        ),
        (
            {QUAY: ["https://" + HARBOR, "https://b.example.com"]},
            {HARBOR: ROBOT},
            ALONE,
            'Take https://b.example.com out of the endpoints of mirrors."quay.io".',
        ),
        (
            {QUAY: ["https://" + HARBOR, "https://b.example.com"]},
            {HARBOR: ROBOT},
            DEFAULT,
            "Set k3s_registries_disable_default_endpoint: true. Take https://b.example.com out of the endpoints of "
            'mirrors."quay.io".',
        ),
        (
            {QUAY: ["https://" + HARBOR]},
            {HARBOR: ROBOT},
            EMBEDDED,
            "Turn the embedded registry off (k3s_registries_embedded_registry: false).",
        ),
        (
            # K3s keeps the default endpoint of a registry that has an entry under configs.
            {QUAY: ["https://" + HARBOR]},
            {HARBOR: ROBOT, QUAY: {}},
            ALONE,
            'Remove configs."quay.io": K3s keeps a default endpoint that has an entry there.',
        ),
        ({QUAY: ["https://" + HARBOR]}, {QUAY: ROBOT}, ALONE, 'Remove mirrors."quay.io".'),
        ({QUAY: ["http://" + HARBOR]}, {HARBOR: ROBOT}, ALONE, "Use https."),
    ],
)
def test_what_would_make_it_possible(mirrors: Any, configs: Any, around: Surroundings, fix: str) -> None:
    assert fixes(mirrors, configs, around)['mirrors."quay.io"'] == fix


def test_a_password_in_an_endpoint_is_not_shown() -> None:
    found = fixes({QUAY: ["https://" + HARBOR, f"https://u:{CANARY}@b.example.com"]}, {HARBOR: ROBOT}, ALONE)
    assert found
    assert CANARY not in repr(found)


def test_a_new_mirror_that_breaks_a_proof_is_refused() -> None:
    before = prove(config({QUAY: ["https://" + HARBOR]}, {HARBOR: ROBOT}), ALONE)
    then = config({QUAY: ["https://" + HARBOR, "https://b.example.com"]}, {HARBOR: ROBOT})
    (refusal,) = refusals(before.registries, prove(then, ALONE), then)
    assert "hands out the credentials for images of quay.io" in refusal
    assert "https://b.example.com as well" in refusal
    assert "Take https://b.example.com out" in refusal


def test_credentials_that_are_taken_away_are_no_reason_to_refuse() -> None:
    then = config({QUAY: ["https://" + HARBOR, "https://b.example.com"]})
    assert refusals((QUAY, HARBOR), prove(then, ALONE), then) == []


def test_what_was_never_stored_is_told_and_not_refused() -> None:
    then = config({QUAY: ["https://" + HARBOR]}, {HARBOR: ROBOT})
    proof = prove(then, DEFAULT)
    assert refusals((), proof, then) == []
    assert [item["level"] for item in findings(proof, then)] == ["warning"]


HOSTS = [
    "a.example.com",
    "a.example.com:443",
    "a.example.com:5000",
    "A.example.com",
    "b.io",
    "docker.io",
    "localhost:5000",
]
ENDPOINTS = [*(scheme + host for scheme in ("https://", "http://", "") for host in HOSTS), "https://a.example.com/v2/x"]
AUTHS = [None, {}, ROBOT, OTHER, {"identity_token": CANARY}, {"auth": "Og=="}]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Config, Surroundings]:
    mirrors = draw(
        st.dictionaries(st.sampled_from([*HOSTS, "*"]), st.lists(st.sampled_from(ENDPOINTS), max_size=3), max_size=3)
    )
    configs = draw(
        st.dictionaries(st.sampled_from([*HOSTS, "registry-1.docker.io"]), st.sampled_from(AUTHS), max_size=4)
    )
    around = Surroundings(draw(st.booleans()), draw(st.sampled_from(["", "127.0.0.1:6443"])))
    raw = {
        "mirrors": {
            name: {"endpoint": endpoints, "rewrite": {"(.*)": "team/$1"}} for name, endpoints in mirrors.items()
        },
        "configs": {host: {"auth": auth} for host, auth in configs.items()},
    }
    return normalise(raw), around


def login_at(host: str, configuration: Config) -> object:
    """What containerd has for a host, as plainly as it can be said."""
    names = ["registry-1.docker.io", "docker.io", "index.docker.io"] if host == "registry-1.docker.io" else [host]
    for name in names:
        auth = configuration["configs"].get(name, {"auth": None})["auth"]
        if auth is not None:
            return (auth["username"], auth["password"]) if auth["username"] else None
    return None


@given(cases(), st.sampled_from(["x", "team/app:1", "a/b/c@sha256:" + "0" * 64]))
def test_every_request_for_an_image_of_a_route_goes_to_its_place(case: tuple[Config, Surroundings], rest: str) -> None:
    configuration, around = case
    routes = {route.registry: route for route in prove(configuration, around).routes}
    named = {*configuration["mirrors"], *configuration["configs"]} - {"*", "index.docker.io"}
    for registry in named:
        attempts = resolve_image(registry + "/" + rest, configuration, *around[:2])
        places = {origin_of(attempt["url"]) for attempt in attempts}
        logins = {login_at(attempt["endpoint"].split("/")[2], configuration) for attempt in attempts}
        alone = len(places) == 1 and len(logins) == 1 and None not in logins
        alone = alone and {place.scheme for place in places} == {"https"}
        assert (registry in routes) == alone
        if alone:
            assert {(routes[registry].username, routes[registry].password)} == logins
            assert {routes[registry].origin} == places


@given(cases())
def test_what_has_credentials_is_stored_or_told(case: tuple[Config, Surroundings]) -> None:
    configuration, around = case
    proof = prove(configuration, around)
    told = {*proof.registries, *(obstacle.registry for obstacle in proof.obstacles)}
    for registry in {*configuration["mirrors"], *configuration["configs"]} - {"*"}:
        attempts = resolve_image(registry + "/x", configuration, *around[:2])
        assert (registry in told) >= any(attempt["auth"] for attempt in attempts)
    assert not {*proof.registries} & {obstacle.registry for obstacle in proof.obstacles}


@given(cases())
def test_every_remedy_leads_to_a_proof(case: tuple[Config, Surroundings]) -> None:
    configuration, around = case
    for obstacle in prove(configuration, around).obstacles:
        changes = remedy_changes(obstacle, configuration)
        then = (configuration, around)
        for change in changes:
            then = change.apply(then)
        assert not changes or obstacle.registry in prove(*then).registries


def test_no_remedy_takes_the_registry_out_of_the_configuration() -> None:
    """Its images would go to the wildcard's one endpoint then, which is proven for no registry by name."""
    registry = "a.example.com:5000"
    mirrors = {"*": ["https://a.example.com:443"], registry: ["https://a.example.com"]}
    given = config(mirrors, {registry: {"identity_token": CANARY}, "a.example.com:443": ROBOT})
    around = Surroundings(default_endpoint=False)
    [obstacle] = [one for one in prove(given, around).obstacles if one.registry == registry]
    assert remedy_changes(obstacle, given) == ()
    assert remedy(obstacle, given) == obstacle.fix


def kubelet_matches(pattern: str, image: str) -> bool:
    """The kubelet's rule for matchImages, written from its documentation: as many parts of the host, each matched by
    itself, the same port, and the path as a prefix."""

    def parts(text: str) -> tuple[list[str], str, str]:
        host, slash, path = text.partition("/")
        name, colon, port = host.rpartition(":")
        return (name if colon else host).split("."), port if colon else "", slash + path

    wanted, port, path = parts(pattern)
    found, found_port, found_path = parts(image)
    return (
        port == found_port
        and len(wanted) == len(found)
        and found_path.startswith(path)
        and all(fnmatch.fnmatchcase(part, glob) for glob, part in zip(wanted, found))
    )


@given(cases(), st.sampled_from([*HOSTS, "sub.a.example.com", "aa.example.com", "b.io.example.com"]))
def test_the_kubelet_matches_the_images_of_these_registries_and_no_others(
    case: tuple[Config, Surroundings], registry: str
) -> None:
    for proven in prove(*case).registries:
        assert kubelet_matches(proven, registry + "/team/app") == (registry == proven)
