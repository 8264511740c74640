# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe sends what hosts.toml sends, and the diagnosis knows it as a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import TextHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.header import with_headers
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.run import Prober
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import endpoint_targets, image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.loaded_secrets import loaded_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image

from tests.hostile import registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.server import HostileServer

IMAGE = "mirrored.test/%s:%s" % (registries.REPOSITORY, registries.TAG)
MIRROR = "mirrored.test"


def text_for(url: str, value: str) -> str:
    config = normalise({"mirrors": {MIRROR: {"endpoint": [url]}}})
    return with_headers(hosts_toml(config, default_endpoint=False)[MIRROR], {url + "/v2": value})


def probed(
    hostile: Neighbourhood, registry: HostileServer, password: str, loaded: str = "", images: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What the node's probe says where hosts.toml has one password and config.toml another, or none."""
    table = {"username": "robot", "password": loaded, "auth": "", "identitytoken": ""}
    text = text_for(registry.url, registries.basic_header("robot", password))
    node = TextHosts({MIRROR: text}, {registry.host: table} if loaded else {})
    targets = image_targets(node, [parse_image(name) for name in images]) if images else endpoint_targets(node)
    (result,) = Prober(node, {"SSL_CERT_FILE": str(hostile.ca)}, 5.0).results(targets)
    assert not any(secret in repr(result) for secret in (password, loaded) if secret)
    return result


@pytest.mark.parametrize("images", [(), (IMAGE,)])
def test_the_header_is_sent_unasked(hostile: Neighbourhood, images: tuple[str, ...]) -> None:
    new, old = hostile.secret("new"), hostile.secret("old")
    registry = hostile.server("registry.test", registries.basic("robot", new))
    result = probed(hostile, registry, new, old, images)
    assert (result["cause"], result["auth"]) == ("ok", "basic")
    assert hostile.ledger.places("new") == [registry.own_place]
    assert hostile.ledger.places("old") == []


def test_after_a_401_containerd_takes_what_it_has_loaded(hostile: Neighbourhood) -> None:
    new, old = hostile.secret("new"), hostile.secret("old")
    registry = hostile.server("registry.test", registries.basic("robot", old))
    assert probed(hostile, registry, new, old)["cause"] == "ok"


@pytest.mark.parametrize("loaded", [True, False])
def test_a_registry_that_takes_neither(hostile: Neighbourhood, loaded: bool) -> None:
    new, old = hostile.secret("new"), hostile.secret("old")
    registry = hostile.server("registry.test", registries.basic("robot", "another"))
    assert probed(hostile, registry, new, old if loaded else "")["cause"] == "unauthorized"


def test_a_redirect_that_would_take_it_along_is_said(hostile: Neighbourhood) -> None:
    new = hostile.secret("new")
    blobs = hostile.server("blobs.registry.test", registries.filled())
    app = registries.redirect_from("/blobs/", blobs.url, registries.filled())
    registry = hostile.server("registry.test", registries.basic("robot", new, app))
    result = probed(hostile, registry, new, images=(IMAGE,))
    assert "containerd will send the credentials in hosts.toml to https://blobs.registry.test" in result["message"]
    hostile.ledger.check(new=[registry])


def test_a_token_server_that_would_get_it_is_said(hostile: Neighbourhood) -> None:
    new = hostile.secret("new")
    tokens = hostile.server("token.test", registries.token_server("T0ken-of-nobody-4711"))
    registry = hostile.server("registry.test", registries.bearer(tokens.url + "/token", "T0ken-of-nobody-4711"))
    result = probed(hostile, registry, new)
    assert "containerd will send the credentials in hosts.toml to " + tokens.url in result["message"]
    hostile.ledger.check(new=[registry])


def test_the_diagnosis_masks_it_and_takes_its_table_for_no_endpoint(tmp_path: Path) -> None:
    folder = tmp_path / "certs.d" / MIRROR
    folder.mkdir(parents=True)
    value = registries.basic_header("robot", "new-password-4711")
    (folder / "hosts.toml").write_text(text_for("https://registry.test", value))
    (tmp_path / "config.toml").write_text("version = 3\n")
    secrets = loaded_secrets(str(tmp_path / "config.toml"))
    for line in ("sent %s here" % value.split()[1], "as new-password-4711 is"):
        assert "********" in redact(line, secrets)
    assert configured_mirrors(str(tmp_path / "certs.d"))["mirrors"] == {
        MIRROR: {"endpoint": ["https://registry.test/v2"]}
    }
