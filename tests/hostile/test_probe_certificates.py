# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificate the probe believes, and to whom it shows its own."""

from __future__ import annotations

import pytest

from tests.hostile import registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.probing import BOTH, IMAGE, Node


def test_a_client_certificate_is_shown_to_the_registry_only(hostile: Neighbourhood) -> None:
    password, token = hostile.secret("password"), "t" * 40
    tokens = hostile.server("token.test", registries.token_server(token))
    elsewhere = hostile.server("blobs.test", registries.filled())
    images = registries.redirect_from("/blobs/", elsewhere.url, registries.filled())
    registry = hostile.server("registry.test", registries.bearer(tokens.url, token, images))
    client = hostile.pki.client()
    node = Node(hostile, registry).set(registry, tls={"cert_file": f"{client}.crt", "key_file": f"{client}.key"})
    result = node.password(registry, password).one(IMAGE)
    assert (result["cause"], result["findings"]) == ("ok", [])
    assert elsewhere.requests
    hostile.ledger.check(certificate=[registry], password=[tokens])
    assert hostile.ledger.places("certificate") == [registry.own_place]


@pytest.mark.parametrize("names", [("other.test",), ("registry.test",)])
def test_a_client_certificate_is_not_shown_to_whoever_is_not_the_registry(
    hostile: Neighbourhood, names: tuple[str, ...]
) -> None:
    """Not with another name in the certificate, and not to look at one that does not verify."""
    stem = hostile.pki.server("-".join(names), names, trusted=names != ("registry.test",))
    registry = hostile.server("registry.test", registries.filled(), certificate=stem)
    client = hostile.pki.client()
    node = Node(hostile, registry).set(registry, tls={"cert_file": f"{client}.crt", "key_file": f"{client}.key"})
    assert node.one()["cause"] in ("tls_name_mismatch", "tls_unknown_authority")
    hostile.ledger.check()


def test_blobs_may_be_elsewhere_without_verification_and_get_nothing(hostile: Neighbourhood) -> None:
    """As containerd has it: what comes from there is known by its digest."""
    password = hostile.secret("password")
    elsewhere = hostile.server("blobs.test", registries.filled(), trusted=False)
    images = registries.redirect_from("/blobs/", elsewhere.url, registries.filled())
    registry = hostile.server("registry.test", registries.basic("robot", password, images), trusted=False)
    node = Node(hostile, registry).set(registry, tls={"insecure_skip_verify": True}).password(registry, password)
    assert node.one(IMAGE)["cause"] == "ok"
    elsewhere.app = registries.asking('Basic realm="r"', registries.filled())
    theirs = hostile.secret("theirs")
    result = node.password(elsewhere, theirs).one(IMAGE)
    assert result["cause"] == "tls_unknown_authority", result
    hostile.ledger.check(password=[registry])


def test_a_challenge_that_anybody_may_have_made_is_not_answered(hostile: Neighbourhood) -> None:
    """A mirror without verification leads to a registry whose place somebody else has taken."""
    password = hostile.secret("password")
    thief = hostile.server("thief.test", registries.token_server("t" * 40))
    registry = hostile.server("registry.test", registries.bearer(thief.url, "t" * 40), trusted=False)
    mirror = hostile.server("mirror.test", registries.redirect(registry.url), trusted=False)
    node = Node(hostile, mirror).set(mirror, tls={"insecure_skip_verify": True}).password(registry, password)
    for images in BOTH:
        result = node.one(*images)
        hostile.ledger.check()
        assert result["cause"] == "tls_unknown_authority"
    # The right one is asked as it should be.
    registry = hostile.server("registry.test", registries.basic("robot", password))
    assert node.one(IMAGE)["cause"] == "ok"
    hostile.ledger.check(password=[registry])


@pytest.mark.parametrize("wrong", ["authority", "name", "unreadable"])
def test_a_wrong_certificate_is_no_reason_to_go_on_without_tls(hostile: Neighbourhood, wrong: str) -> None:
    """An http:// endpoint with TLS settings is asked over https first, and without it only where there is none."""
    password = hostile.secret("password")
    stem = {
        "authority": hostile.pki.server("https-first", ("registry.test",), trusted=False),
        "name": hostile.pki.server("https-first-name", ("thief.test",)),
        "unreadable": hostile.pki.unreadable("https-first-unreadable", ("thief.test",)),
    }[wrong]
    registry = hostile.server("registry.test", registries.basic("robot", password), certificate=stem)
    node = Node(hostile, "http://registry.test:5000").set("registry.test:5000", tls={"ca_file": str(hostile.ca)})
    result = node.password(registry, password).one(IMAGE)
    assert result["cause"].startswith("tls_"), result
    assert registry.requests == []
    hostile.ledger.check()
