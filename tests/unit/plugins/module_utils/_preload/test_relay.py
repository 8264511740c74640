# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay on this machine, over TLS: who gets what, from where on, and when it ends."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload import relay_client, relay_server
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.part import WrongContent
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.places import Places
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.relay_client import (
    Relay,
    fetch,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.relay_problems import (
    CannotServe,
    RelayProblem,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.relay_server import (
    NAME,
    PATH,
    Offer,
    Server,
    context_of,
    digest_of_token,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.relay_identity import new_identity

from .conftest import BLOCK, described

CONTENT = bytes(range(50))
ARCHIVE = described(CONTENT)
TOKEN = "token-of-agent-1"


@pytest.fixture(scope="module")
def identity() -> Any:
    return new_identity()


@pytest.fixture
def relay(tmp_path: Path, identity: Any) -> Iterator[Relay]:
    """It has one archive, and serves one host."""
    (tmp_path / "archive").write_bytes(CONTENT)
    offer = Offer({ARCHIVE.sha256: str(tmp_path / "archive")}, frozenset([digest_of_token(TOKEN)]))
    server = Server(0, context_of(identity.certificate, identity.key), offer)
    wanted = threading.Event()
    wanted.set()
    thread = threading.Thread(target=relay_server.serve, args=(server, wanted.is_set, 60.0))
    thread.start()
    yield Relay("127.0.0.1", server.server_address[1], identity.certificate)
    wanted.clear()
    thread.join()


def _ask(relay: Relay, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=relay.certificate)
    connection = relay_client._Connection(relay.address, relay.port, timeout=20, context=context)
    connection.request("GET", path, headers={"Authorization": "Bearer " + TOKEN, **headers})
    response = connection.getresponse()
    found = response.status, response.read(), dict(response.headers)
    connection.close()
    return found


def test_an_archive_comes_whole(relay: Relay, places: Places) -> None:
    assert fetch(relay, TOKEN, places, [ARCHIVE], 60, 0) == {ARCHIVE.sha256: len(CONTENT)}
    assert Path(places.part(ARCHIVE.sha256)).read_bytes() == CONTENT


@pytest.mark.parametrize("begin", range(0, len(CONTENT), 7))
def test_it_continues_after_any_byte(relay: Relay, places: Places, begin: int) -> None:
    Path(places.part(ARCHIVE.sha256)).write_bytes(CONTENT[:begin])
    assert fetch(relay, TOKEN, places, [ARCHIVE], 60, 0) == {ARCHIVE.sha256: len(CONTENT)}
    assert Path(places.part(ARCHIVE.sha256)).read_bytes() == CONTENT


def test_a_call_ends_after_its_time_and_the_next_continues(relay: Relay, places: Places) -> None:
    counts = []
    while not counts or counts[-1] < len(CONTENT):
        counts.append(fetch(relay, TOKEN, places, [ARCHIVE], 0, 0)[ARCHIVE.sha256])
    assert counts == [*range(BLOCK, len(CONTENT), BLOCK), len(CONTENT)]


@pytest.mark.parametrize("token", ["", "token-of-agent-2", TOKEN + "x", digest_of_token(TOKEN)])
def test_a_host_of_another_site_gets_nothing(relay: Relay, places: Places, token: str) -> None:
    with pytest.raises(RelayProblem, match="401: it does not know this host"):
        fetch(relay, token, places, [ARCHIVE], 60, 0)
    assert not os.path.exists(places.part(ARCHIVE.sha256))


def test_a_server_with_another_certificate_is_told_no_token(places: Places, relay: Relay) -> None:
    other = new_identity()
    with pytest.raises(RelayProblem, match="(?i)certificate verify failed"):
        fetch(relay._replace(certificate=other.certificate), TOKEN, places, [ARCHIVE], 60, 0)


def test_what_it_does_not_have_is_not_found_whatever_the_path(relay: Relay, places: Places) -> None:
    with pytest.raises(RelayProblem, match="404: it does not have"):
        fetch(relay, TOKEN, places, [described(b"another")], 60, 0)
    for path in ("/", "/etc/passwd", PATH + "../../etc/passwd", PATH, PATH + ARCHIVE.sha256 + "/.."):
        assert _ask(relay, path)[:2] == (404, b"")


@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        (None, 200, CONTENT), ("bytes=0-", 206, CONTENT), ("bytes=49-", 206, CONTENT[49:]), ("bytes=50-", 416, b""),
        ("bytes=-5", 416, b""), ("bytes=1-2,4-", 416, b""), ("lines=1-", 416, b""),
    ],
)  # fmt: skip
def test_ranges(relay: Relay, wanted: str | None, status: int, body: bytes) -> None:
    found = _ask(relay, PATH + ARCHIVE.sha256, **({"Range": wanted} if wanted else {}))
    assert found[:2] == (status, body)
    if status == 206:
        assert found[2]["Content-Range"] == "bytes %d-49/50" % (50 - len(body))


def test_another_method_is_refused(relay: Relay) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=relay.certificate)
    connection = relay_client._Connection(relay.address, relay.port, timeout=20, context=context)
    connection.request("DELETE", PATH + ARCHIVE.sha256, headers={"Authorization": "Bearer " + TOKEN})
    assert connection.getresponse().status == 501
    connection.close()


def test_a_relay_that_serves_damaged_content_is_found_out(relay: Relay, places: Places, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(CONTENT[:20] + b"\xff" + CONTENT[21:])
    with pytest.raises(WrongContent) as wrong:
        fetch(relay, TOKEN, places, [ARCHIVE], 60, 0)
    assert wrong.value.offset == 16
    assert Path(places.part(ARCHIVE.sha256)).read_bytes() == CONTENT[:16]


def test_a_connection_that_says_nothing_holds_nobody_up(relay: Relay, places: Places) -> None:
    with socket.create_connection((relay.address, relay.port)):
        assert fetch(relay, TOKEN, places, [ARCHIVE], 60, 0) == {ARCHIVE.sha256: len(CONTENT)}


def test_a_limit_is_kept(relay: Relay, places: Places) -> None:
    slept: list[float] = []
    fetch(relay, TOKEN, places, [ARCHIVE], 60, 10, lambda: 0.0, slept.append)
    # The clock stands, so each pause is what all bytes until then need.
    assert slept[-1] == pytest.approx(len(CONTENT) / 10)


def test_nobody_answers_after_its_end(identity: Any, tmp_path: Path, places: Places) -> None:
    server = Server(0, context_of(identity.certificate, identity.key), Offer({}, frozenset()))
    gone = Relay("127.0.0.1", server.server_address[1], identity.certificate)
    began = time.monotonic()
    relay_server.serve(server, lambda: True, 0.6)
    assert time.monotonic() - began >= 0.6
    with pytest.raises(RelayProblem, match="does not answer"):
        fetch(gone, TOKEN, places, [ARCHIVE], 60, 0)


def test_it_outlives_the_module_and_ends_with_the_run(
    identity: Any, tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_server, "RUNNING", str(tmp_path / "run"))
    (tmp_path / "archive").write_bytes(CONTENT)
    offer = Offer({ARCHIVE.sha256: str(tmp_path / "archive")}, frozenset([digest_of_token(TOKEN)]))
    server = Server(0, context_of(identity.certificate, identity.key), offer)
    running = Relay("127.0.0.1", server.server_address[1], identity.certificate)
    relay_server.start(server, "0a", 60.0)
    assert os.listdir(tmp_path / "run") == ["0a"]
    assert fetch(running, TOKEN, places, [ARCHIVE], 60, 0) == {ARCHIVE.sha256: len(CONTENT)}
    relay_server.stop("0a")
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((running.address, running.port), 1).close()
        except OSError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    relay_server.stop("0a")
    with pytest.raises(ValueError, match="names no run"):
        relay_server.stop("../../etc/passwd")


def test_a_port_that_is_taken_is_named(identity: Any, relay: Relay) -> None:
    with pytest.raises(CannotServe, match="cannot listen on port %d" % relay.port):
        relay_server.listening(relay.port, context_of(identity.certificate, identity.key), Offer({}, frozenset()))


def test_its_name_is_no_host_of_anybody_s() -> None:
    assert NAME.endswith(".invalid")
