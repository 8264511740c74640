# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture does what its users rely on: the ledger finds what it should, and the servers are as bad as they say."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.hostile import answers, bounds, proxies, registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.server import HostileServer
from tests.registry_faults.servers import Reply, status


def trusting(hostile: Neighbourhood, client: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(hostile.ca))
    if client is not None:
        context.load_cert_chain(f"{client}.crt", f"{client}.key")
    return context


def ask(url: str, hostile: Neighbourhood, headers: dict[str, str] | None = None, body: bytes | None = None) -> int:
    """Without proxies and redirects."""
    parts = urllib.parse.urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=10, context=trusting(hostile))
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("POST" if body else "GET", parts.path or "/", body, headers or {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize("tls", [True, False])
def test_a_secret_is_found_in_every_form(hostile: Neighbourhood, tls: bool) -> None:
    secret = hostile.secret("password")
    ways = {
        "header": ({"X": secret}, None),
        "basic": ({"Authorization": registries.basic_header("robot", secret)}, None),
        "urlsafe": ({"X": base64.urlsafe_b64encode(f"a:{secret}".encode()).decode().rstrip("=")}, None),
        "form": ({}, urllib.parse.urlencode({"password": secret}).encode()),
        "quoted": ({"X": urllib.parse.quote(secret)}, None),
        "form in base64": ({"X": base64.b64encode(urllib.parse.quote(secret).encode()).decode()}, None),
        "base64 in a form": ({}, urllib.parse.urlencode({"a": base64.b64encode(secret.encode())}).encode()),
    }
    for number, (headers, body) in enumerate(ways.values()):
        server = hostile.server(f"server-{number}.test", status(200), tls=tls)
        assert ask(server.url, hostile, headers, body) == 200
        assert server.own_place in hostile.ledger.places("password"), list(ways)[number]
        with pytest.raises(AssertionError, match="password reached"):
            hostile.ledger.check()
    quiet = hostile.server("quiet.test", status(200), tls=tls)
    assert ask(quiet.url, hostile, {"X": "nothing"}) == 200
    assert quiet.own_place not in hostile.ledger.places("password")
    hostile.ledger.check(password=[f"{server.scheme}://server-{number}.test:5000" for number in range(len(ways))])


def test_a_tls_server_hears_plain_http_as_another_place(hostile: Neighbourhood) -> None:
    secret = hostile.secret("password")
    server = hostile.server("registry.test", status(200))
    assert ask(server.url, hostile, {"X": secret}) == 200
    hostile.ledger.check(password=[server])
    assert ask("http" + server.url[len("https") :], hostile, {"X": secret}) == 200
    assert hostile.ledger.places("password") == ["http://registry.test:5000", "https://registry.test:5000"]
    with pytest.raises(AssertionError, match="http://registry"):
        hostile.ledger.check(password=[server])


def test_names_have_any_port_and_nothing_leaves_this_machine(hostile: Neighbourhood) -> None:
    server = hostile.server("registry.test", status(200), port=443)
    other = hostile.server("registry.test", status(204), port=8443)
    assert (server.url, other.url) == ("https://registry.test", "https://registry.test:8443")
    assert ask(server.url, hostile) == ask("https://REGISTRY.test:443", hostile) == ask(server.direct, hostile) == 200
    assert ask(other.url, hostile) == 204
    with pytest.raises(ConnectionRefusedError):
        ask("https://registry.test:9443", hostile)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.com", 443)


def test_a_client_certificate_that_is_shown_is_a_secret(hostile: Neighbourhood) -> None:
    server = hostile.server("registry.test", status(200))
    assert ask(server.url, hostile) == 200
    hostile.ledger.check()
    handler = urllib.request.HTTPSHandler(context=trusting(hostile, hostile.pki.client()))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
    assert opener.open(server.url, timeout=10).status == 200
    assert hostile.ledger.places("certificate") == [server.own_place]
    with pytest.raises(AssertionError, match="certificate reached"):
        hostile.ledger.check()


@pytest.mark.parametrize("tls", [True, False])
def test_a_proxy_tunnels_and_the_ledger_hears_both_ends(hostile: Neighbourhood, tls: bool) -> None:
    secret = hostile.secret("password")
    registry = hostile.server("registry.test", registries.filled())
    proxy = hostile.server("proxy.test", proxies.honest(hostile), port=3128, tls=tls)
    connection = socket.create_connection(proxy.address, timeout=10)
    if tls:
        connection = trusting(hostile).wrap_socket(connection, server_hostname="proxy.test")
    connection.sendall(b"CONNECT registry.test:5000 HTTP/1.1\r\nHost: registry.test:5000\r\n\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner = trusting(hostile).wrap_bio(incoming, outgoing, server_hostname="registry.test")
    asked = b"GET /v2/ HTTP/1.1\r\nX: %s\r\n\r\n" % secret.encode()
    said: object = b""
    for step in (inner.do_handshake, lambda: inner.write(asked), inner.read):
        while True:
            try:
                said = step() or b""
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        connection.sendall(outgoing.read())
    connection.close()
    assert isinstance(said, bytes)
    assert said.startswith(b"HTTP/1.1 200")
    hostile.ledger.check(password=[registry])
    assert b"CONNECT" in hostile.ledger.heard(proxy.own_place)[0].received


def test_a_plain_proxy_hands_requests_on(hostile: Neighbourhood) -> None:
    registry = hostile.server("registry.test", registries.filled(), tls=False)
    proxy = hostile.server("proxy.test", proxies.honest(hostile), port=3128, tls=False)
    connection = http.client.HTTPConnection(*proxy.address, timeout=10)
    connection.request("GET", f"{registry.url}/v2/", headers={"Proxy-Authorization": "Basic x"})
    assert connection.getresponse().read() == b"{}"
    connection.close()
    assert "proxy-authorization" not in registry.requests[0].headers


def test_an_endless_answer_ends_with_its_client(hostile: Neighbourhood) -> None:
    for name, app in answers.ENDLESS.items():
        server: HostileServer = hostile.server(f"{name.replace('_', '-')}.test", app, tls=False)
        with socket.create_connection(server.address, timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert connection.recv(100)
        assert server.requests


def test_escapes_reach_a_client_that_does_not_look(hostile: Neighbourhood) -> None:
    server = hostile.server("registry.test", answers.escapes(), tls=False)
    connection = http.client.HTTPConnection(server.name, server.port, timeout=10)
    connection.request("GET", "/v2/")
    answer = connection.getresponse()
    said = json.loads(answer.read())["errors"][0]["message"]
    assert "\x1b" in answer.reason
    assert "\x1b" in (answer.headers["X-Words"] or "")
    assert "\nok: [node]" in said.replace("\r", "\n")
    connection.close()


def test_a_certificate_that_cannot_be_read_is_accepted_by_openssl(hostile: Neighbourhood) -> None:
    """Or what is tested with it would prove nothing."""
    stem = hostile.pki.unreadable("year-zero", ("registry.test",))
    server = hostile.server("registry.test", lambda _request: Reply(200), certificate=stem)
    assert ask(server.url, hostile) == 200
    odd = hostile.pki.with_escapes("escapes", ("odd.test",))
    assert ask(hostile.server("odd.test", status(200), certificate=odd).url, hostile) == 200


def test_bounds_fail() -> None:
    with pytest.raises(AssertionError, match="MiB"), bounds.bounded(60, 8):
        assert bytes(16 << 20)
    with pytest.raises(AssertionError, match="s of"), bounds.bounded(-1, 1000):
        pass
    with bounds.bounded(60, 8):
        assert bytes(1 << 20)
