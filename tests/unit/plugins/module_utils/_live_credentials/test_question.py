# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint answers to new credentials decides about a restart, and nobody else gets them."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials import doubts
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import changes
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.doubts import Doubt
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.question import ask
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml

from tests.hostile import registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.server import App, HostileServer, Request
from tests.registry_faults.servers import Reply, status

IMAGE = "mirrored.test/%s:%s" % (registries.REPOSITORY, registries.TAG)
BOTH = ((), (IMAGE,))


def asked(
    hostile: Neighbourhood, images: tuple[str, ...], *servers: HostileServer, timeout: float = 5.0, **passwords: str
) -> list[Doubt]:
    """The doubts for a node on which the passwords of these servers change."""

    def config(prefix: str) -> Any:
        auth = {
            server.host: {"auth": {"username": "robot", "password": prefix + passwords[server.host.partition(".")[0]]}}
            for server in servers
        }
        return normalise({"mirrors": {"mirrored.test": {"endpoint": [item.url for item in servers]}}, "configs": auth})

    texts = hosts_toml(config(""), default_endpoint=False)
    needed = changes(texts, auth_tables(config("old-")), auth_tables(config("")))
    assert needed.doubts == ()
    return ask(texts, needed, images, {"SSL_CERT_FILE": str(hostile.ca)}, timeout)


def one(hostile: Neighbourhood, app: Any, images: tuple[str, ...] = (), **options: Any) -> tuple[list[Doubt], Any]:
    password = hostile.secret("password")
    registry = hostile.server("registry.test", app(password), **options)
    found = asked(hostile, images, registry, registry=password)
    # Whatever it says: nobody else gets it.
    hostile.ledger.check(password=[registry])
    assert password not in repr([doubt.sentence for doubt in found])
    return found, registry


@pytest.mark.parametrize("images", BOTH)
def test_a_registry_that_takes_the_new_ones(hostile: Neighbourhood, images: tuple[str, ...]) -> None:
    found, registry = one(hostile, lambda password: registries.basic("robot", password), images)
    assert found == []
    assert hostile.ledger.places("password") == [registry.own_place]


def test_two_registries_each_get_their_own(hostile: Neighbourhood) -> None:
    first, second = hostile.secret("first"), hostile.secret("second")
    one_ = hostile.server("one.test", registries.basic("robot", first))
    two = hostile.server("two.test", registries.basic("robot", second))
    assert asked(hostile, (IMAGE,), one_, two, one=first, two=second) == []
    assert hostile.ledger.places("first") == [one_.own_place]
    assert hostile.ledger.places("second") == [two.own_place]


def test_an_image_that_the_mirror_does_not_have_says_nothing(hostile: Neighbourhood) -> None:
    found, _registry = one(hostile, lambda password: registries.basic("robot", password), ("mirrored.test/none:1",))
    assert found == []


@pytest.mark.parametrize("images", BOTH)
@pytest.mark.parametrize(
    ("challenge", "name"),
    [
        ('Bearer realm="https://token.test:5000/token"', doubts.BEARER),
        (['Basic realm="r"', 'Bearer realm="https://token.test:5000/token"'], doubts.BEARER),
        ('Digest realm="r"', doubts.NO_BASIC),
    ],
)
def test_what_it_offers(hostile: Neighbourhood, images: tuple[str, ...], challenge: Any, name: str) -> None:
    def app(password: str) -> App:
        return registries.asking(challenge, registries.filled(), registries.basic_header("robot", password))

    found, registry = one(hostile, app, images)
    assert found == [Doubt(name, registry.host)]
    # It has offered something else before it was told anything.
    assert hostile.ledger.places("password") == []


def test_bearer_where_the_repositories_are(hostile: Neighbourhood) -> None:
    def app(password: str) -> App:
        front = registries.basic("robot", password)
        tokens = registries.bearer("https://token.test:5000/token", "token")
        return lambda request: (tokens if "/manifests/" in request.path else front)(request)

    found, registry = one(hostile, app, (IMAGE,))
    assert found == [Doubt(doubts.BEARER, registry.host)]


@pytest.mark.parametrize("images", BOTH)
@pytest.mark.parametrize(
    ("app", "name"),
    [
        (registries.basic("robot", "another"), doubts.REFUSED),
        (registries.filled(), doubts.NO_QUESTION),
        (status(404), doubts.NO_ANSWER),
        (status(500), doubts.NO_ANSWER),
    ],
)
def test_what_it_refuses(hostile: Neighbourhood, images: tuple[str, ...], app: App, name: str) -> None:
    found, registry = one(hostile, lambda _password: app, images)
    assert found == [Doubt(name, registry.host)]


def test_a_user_who_may_not_read_the_image(hostile: Neighbourhood) -> None:
    def app(password: str) -> App:
        store, forbidden = registries.filled(), status(403)
        return registries.basic(
            "robot", password, lambda request: (forbidden if "/manifests/" in request.path else store)(request)
        )

    assert one(hostile, app, (IMAGE,))[0][0].name == doubts.FORBIDDEN


@pytest.mark.parametrize("where", ["/manifests/", "/blobs/"])
@pytest.mark.parametrize(
    ("to", "tls", "doubt"),
    [
        ("registry.test:5001", True, True),
        ("registry.test:5001", False, True),
        ("blobs.registry.test:5000", True, True),
        ("elsewhere.test:5000", True, False),
    ],
)
def test_redirects_within_its_own_name(hostile: Neighbourhood, where: str, to: str, tls: bool, doubt: bool) -> None:
    name, _colon, port = to.partition(":")
    elsewhere = hostile.server(name, registries.filled(), port=int(port), tls=tls)

    def app(password: str) -> App:
        return registries.basic("robot", password, registries.redirect_from(where, elsewhere.url, registries.filled()))

    found, registry = one(hostile, app, (IMAGE,))
    assert found == ([Doubt(doubts.REDIRECTS, registry.host)] if doubt else [])


def test_a_front_door_that_leads_elsewhere(hostile: Neighbourhood) -> None:
    elsewhere = hostile.server("registry.test", registries.filled(), port=5001)
    found, _registry = one(hostile, lambda _password: registries.redirect(elsewhere.url))
    assert [doubt.name for doubt in found] == [doubts.REDIRECTS]
    assert hostile.ledger.places("password") == []


def test_a_front_door_that_leads_elsewhere_once_it_is_open(hostile: Neighbourhood) -> None:
    elsewhere = hostile.server("registry.test", registries.filled(), port=5001)
    found, _registry = one(
        hostile, lambda password: registries.basic("robot", password, registries.redirect(elsewhere.url))
    )
    assert [doubt.name for doubt in found] == [doubts.REDIRECTS]


def test_nobody_answers(hostile: Neighbourhood) -> None:
    found, _registry = one(hostile, lambda _password: registries.filled(), trusted=False)
    assert [doubt.name for doubt in found] == [doubts.NO_ANSWER]
    assert hostile.ledger.places("password") == []


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_said(hostile: Neighbourhood) -> None:
    def silent(_request: Request) -> Reply:
        raise ConnectionResetError

    found, _registry = one(hostile, lambda _password: silent)
    assert [doubt.name for doubt in found] == [doubts.NO_ANSWER]


def test_a_lookup_that_never_ends_holds_nobody_up(hostile: Neighbourhood, monkeypatch: pytest.MonkeyPatch) -> None:
    password = hostile.secret("password")
    registry = hostile.server("registry.test", registries.basic("robot", password))
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_more: ended.wait(30))
    began = time.monotonic()
    found = asked(hostile, (), registry, timeout=0.3, registry=password)
    ended.set()
    assert found == [Doubt(doubts.NO_ANSWER, registry.host)]
    assert time.monotonic() - began < 5
