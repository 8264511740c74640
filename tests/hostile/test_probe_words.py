# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that a server says can move, paint or fake a line where the probe's results are printed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import verdict

from tests.hostile import answers, registries
from tests.hostile.bounds import bounded
from tests.hostile.certificates import ESCAPES
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.probing import EITHER, IMAGE, Node
from tests.hostile.server import App
from tests.registry_faults.servers import Reply, json_reply


def texts(value: Any) -> list[str]:
    """Every string in a result, names of keys included."""
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in texts(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def printable(*results: Any) -> None:
    for text in texts(results):
        assert text.isprintable(), text


@pytest.mark.parametrize("images", EITHER)
@pytest.mark.parametrize("trusted", [True, False])
def test_names_in_a_certificate_are_shown_with_their_escapes(
    hostile: Neighbourhood, images: tuple[str, ...], trusted: bool
) -> None:
    stem = hostile.pki.with_escapes(f"escapes-{trusted}", ("registry.test",), trusted)
    registry = hostile.server("registry.test", registries.filled(), certificate=stem)
    result = Node(hostile, registry).one(*images)
    assert result["cause"] == ("ok" if trusted else "tls_unknown_authority")
    printable(result)
    assert r"\x1b[2K\x1b[1A\rok: [node]\n" in result["certificate"]["subject"]
    assert r"\u202e" in result["certificate"]["subject"]


def test_other_names_in_a_certificate_too(hostile: Neighbourhood) -> None:
    words = ESCAPES.encode("ascii", "ignore").decode().replace(" ", "")
    stem = hostile.pki.server("escaped-names", (words, "a,CN=registry.test"))
    registry = hostile.server("registry.test", registries.filled(), certificate=stem)
    result = Node(hostile, registry).one()
    assert result["cause"] == "tls_name_mismatch"
    printable(result)
    assert r"\x1b[2K" in result["message"]


def test_a_comma_in_a_name_begins_no_other_part_of_it(hostile: Neighbourhood) -> None:
    stem = hostile.pki.server("comma", ("registry.test",), common_name="evil,CN=good")
    registry = hostile.server("registry.test", registries.filled(), certificate=stem)
    assert Node(hostile, registry).one()["certificate"]["subject"] == r"CN=evil\,CN=good"


WORDS = ESCAPES.replace("\r", "\t").replace("\n", "\t")
PLACES: dict[str, App] = {
    "403": answers.escapes(403),
    "401": answers.escapes(401),
    "307": answers.escapes(307),
    "200": answers.escapes(200),
    "429": answers.escapes(429),
    "location": registries.redirect(f"/{WORDS}", 307, whole=True),
    "location, encoded": registries.redirect("/%1b[2K%0dok:%20[node]", 307, whole=True),
    "location of a long host": registries.redirect("https://" + "a=" * 4000, 307, whole=True),
    "realm of a long path": lambda _request: Reply(
        401, {"WWW-Authenticate": 'Bearer realm="http://token.test/' + "password:" * 800 + '"'}
    ),
    "realm": lambda _request: Reply(401, {"WWW-Authenticate": f'Bearer realm="https://token.test/{WORDS}"'}),
    "realm's host": lambda _request: Reply(401, {"WWW-Authenticate": f'Bearer realm="https://{WORDS}/"'}),
    "media type": lambda _request: Reply(200, {"Content-Type": f"text/{WORDS}"}, b"{}"),
    "platforms": lambda _request: Reply(
        200,
        {"Content-Type": "application/vnd.oci.image.index.v1+json"},
        json_reply({"manifests": [{"platform": {"os": WORDS, "architecture": WORDS}}]}).body,
    ),
    "digest": lambda _request: Reply(
        200,
        {"Content-Type": "application/vnd.oci.image.manifest.v1+json"},
        json_reply({"config": {"digest": "sha256:" + ESCAPES}}).body,
    ),
}


@pytest.mark.parametrize("images", EITHER)
@pytest.mark.parametrize("place", PLACES)
def test_words_in_answers(hostile: Neighbourhood, place: str, images: tuple[str, ...]) -> None:
    password = hostile.secret("password")
    registry = hostile.server("registry.test", PLACES[place])
    with bounded(8, 48):
        result = Node(hostile, registry).password(registry, password).one(*images)
    printable(result)
    judged = verdict("node", {"info": facts()}, {"endpoints": [result]}, {}, False)
    assert all("\x1b" not in text and "\n" not in text for text in texts(judged))


def facts() -> dict[str, Any]:
    return {"state": "loaded", "release": "v1.34.3+k3s1", "problems": []}


def test_a_finding_is_a_warning_of_verify_where_pulls_work(hostile: Neighbourhood) -> None:
    password = hostile.secret("password")
    hostile.server("registry.test", registries.filled(), 5001)
    moving = registries.redirect("https://registry.test:5001")
    registry = hostile.server("registry.test", registries.basic("robot", password, moving))
    result = Node(hostile, registry).password(registry, password).one(IMAGE)
    judged = verdict("node", {"info": facts()}, {"endpoints": [result]}, {}, False)
    assert judged["ok"]
    assert any("containerd will send the password of registry.test:5000" in text for text in judged["warnings"])
    hostile.server("token.test", registries.token_server("t" * 40), tls=False)
    registry.app = registries.bearer("http://token.test:5000", "t" * 40)
    result = Node(hostile, registry).password(registry, password).one(IMAGE)
    judged = verdict("node", {"info": facts()}, {"endpoints": [result]}, {}, False)
    assert not judged["ok"]
    assert any("containerd will send the password of registry.test:5000" in text for text in judged["failures"])


def test_a_password_that_is_repeated_at_the_edge_of_what_is_shown_stays_hidden(hostile: Neighbourhood) -> None:
    password = "CANARY" * 8
    hostile.ledger.secrets["password"] = password
    for length in range(150, 300, 10):
        further = registries.redirect("/" + "x" * length + password, 307, whole=True)
        loop = registries.basic("robot", password, further)
        registry = hostile.server("registry.test", loop)
        result = Node(hostile, registry).password(registry, password).one()
        assert result["cause"] == "not_a_registry"
        assert "CANARY" not in json.dumps(result), length
