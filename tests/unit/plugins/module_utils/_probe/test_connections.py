# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault between the node and the registry's HTTP, made by a real server on this machine, has its own cause."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from probing import mirrored, one, probe

from tests.fleet import certificates
from tests.registry_faults import servers

OK = servers.Store()


def trusting(pki: Any, **more: Any) -> dict[str, Any]:
    return {"ca_file": str(pki.ca), **more}


def client_of(pki: Any, name: str, key: str = "") -> dict[str, Any]:
    files = {"cert_file": str(pki.folder / f"{name}.crt"), "key_file": str(pki.folder / f"{key or name}.key")}
    return trusting(pki, **files)


def test_a_good_registry_is_ok_with_its_certificate_and_times(pki: Any, opened: Callable[[Any], Any]) -> None:
    server = opened(servers.HttpServer(OK, servers.server_context(pki.folder / "server")))
    result = one(mirrored(server.port, tls=trusting(pki)))
    assert (result["cause"], result["status"], result["auth"], result["fix"]) == ("ok", 200, "none", "")
    assert result["certificate"]["subject"] == "CN=server"
    assert result["certificate"]["issuer"] == "CN=Test CA"
    assert result["certificate"]["days_left"] in (364, 365)
    assert result["certificate"]["protocol"] == "TLSv1.3"
    assert result["endpoint"] == f"https://127.0.0.1:{server.port}/v2"
    assert result["url"] == f"https://127.0.0.1:{server.port}/v2/"
    assert all(result["times"][phase] >= 0 for phase in ("dns", "tcp", "tls", "http", "total"))
    assert result["times"]["total"] >= result["times"]["http"]


@pytest.mark.parametrize(
    ("hosts", "options", "cause"),
    [
        (("127.0.0.1",), {"days": -1, "starts": -20}, "tls_expired"),
        (("127.0.0.1",), {"days": 20, "starts": 5}, "tls_not_yet_valid"),
        (("127.0.0.2", "registry.example.com"), {}, "tls_name_mismatch"),
        (("registry.example.com",), {}, "tls_no_san"),
        ((), {"common_name": "127.0.0.1"}, "tls_no_san"),
    ],
)
@pytest.mark.parametrize("ca", ["ca", "other-ca"])
def test_faults_of_a_certificate_are_named_in_the_order_of_go(
    pki: Any,
    opened: Callable[[Any], Any],
    tmp_path: Path,
    ca: str,
    hosts: tuple[str, ...],
    options: dict[str, Any],
    cause: str,
) -> None:
    """Time comes before the name and the name before the authority: what is wrong with the certificate is said first,
    whether or not its authority is known."""
    stem = pki.server(f"{tmp_path.name}-server", hosts, **options)
    server = opened(servers.HttpServer(OK, servers.server_context(stem)))
    result = one(mirrored(server.port, tls={"ca_file": str(pki.folder / f"{ca}.crt")}))
    assert result["cause"] == cause
    assert result["status"] is None
    assert result["certificate"]["subject"].startswith("CN=")


def test_a_name_is_checked_against_names_and_the_common_name_alone_does_not_count(
    pki: Any, opened: Callable[[Any], Any]
) -> None:
    stem = pki.server("common-name", (), common_name="localhost")
    server = opened(servers.HttpServer(OK, servers.server_context(stem)))
    config = mirrored(server.port, host="localhost", tls=trusting(pki))
    assert one(config)["cause"] == "tls_no_san"
    assert one(mirrored(server.port, host="localhost", tls={"insecure_skip_verify": True}))["cause"] == "ok"


def test_a_certificate_of_another_authority(pki: Any, opened: Callable[[Any], Any]) -> None:
    server = opened(servers.HttpServer(OK, servers.server_context(pki.folder / "server")))
    without = one(mirrored(server.port, tls={"ca_file": ""}))
    wrong = one(mirrored(server.port, tls={"ca_file": str(pki.folder / "other-ca.crt")}))
    assert without["cause"] == wrong["cause"] == "tls_unknown_authority"
    assert "other-ca.crt" in wrong["message"]
    assert f'configs."127.0.0.1:{server.port}".tls.ca_file' in wrong["fix"]


def test_any_certificate_of_the_ca_file_is_an_anchor(pki: Any, opened: Callable[[Any], Any]) -> None:
    """As in Go: the server's own certificate, which is no CA, may stand there."""
    server = opened(servers.HttpServer(OK, servers.server_context(pki.folder / "server")))
    assert one(mirrored(server.port, tls={"ca_file": str(pki.folder / "server.crt")}))["cause"] == "ok"


@pytest.mark.parametrize("tls12", [False, True])
@pytest.mark.parametrize(
    ("client", "cause"), [("", "client_cert_required"), ("stranger", "client_cert_rejected"), ("client", "ok")]
)
def test_client_certificates(pki: Any, opened: Callable[[Any], Any], tls12: bool, client: str, cause: str) -> None:
    context = servers.server_context(pki.folder / "server", client_ca=pki.ca, tls12=tls12)
    server = opened(servers.HttpServer(OK, context))
    tls = client_of(pki, client) if client else trusting(pki)
    assert one(mirrored(server.port, tls=tls))["cause"] == cause


def test_files_that_cannot_be_used(pki: Any, opened: Callable[[Any], Any], tmp_path: Path) -> None:
    server = opened(servers.HttpServer(OK, servers.server_context(pki.folder / "server")))
    garbage = tmp_path / "garbage.crt"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    expected = {
        "ca_unreadable": {"ca_file": str(tmp_path / "missing.crt")},
        "ca_invalid": {"ca_file": str(garbage)},
        "client_key_mismatch": client_of(pki, "client", key="stranger"),
        "client_cert_unreadable": {"cert_file": str(tmp_path / "missing.crt"), "key_file": str(pki.folder / "ca.key")},
    }
    for cause, tls in expected.items():
        result = one(mirrored(server.port, tls=tls))
        assert result["cause"] == cause
        assert "tls." in result["fix"]
        assert server.requests == []
    half = one(mirrored(server.port, tls={"cert_file": str(pki.folder / "client.crt")}))
    assert half["cause"] == "client_cert_unreadable"


def test_a_pipe_in_the_place_of_a_file_keeps_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with servers.closed_port() as port:
        for cause, tls in (
            ("ca_unreadable", {"ca_file": str(tmp_path / "pipe")}),
            ("client_cert_unreadable", {"cert_file": str(tmp_path / "pipe"), "key_file": str(tmp_path / "pipe")}),
        ):
            result = one(mirrored(port, tls=tls), timeout=2)
            assert result["cause"] == cause
            assert "not a regular file" in result["message"]


def test_the_wrong_scheme(pki: Any, opened: Callable[[Any], Any]) -> None:
    plain = opened(servers.HttpServer(OK))
    secure = opened(servers.HttpServer(OK, servers.server_context(pki.folder / "server")))
    answers_400 = opened(servers.RawServer(lambda c: (c.recv(999), c.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nno"))))
    answers_tls = opened(servers.RawServer(lambda c: (c.recv(999), c.sendall(b"\x15\x03\x01\x00\x02\x02\x46"))))
    speaks_http = opened(servers.RawServer(lambda c: (c.recv(999), c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))))
    assert one(mirrored(plain.port, "http"))["cause"] == "ok"
    assert one(mirrored(speaks_http.port, "https"))["cause"] == "http_server_https_client"
    # Python's server answers a TLS handshake with a page and no status line.
    assert one(mirrored(plain.port, "https"))["cause"] == "not_tls"
    assert one(mirrored(secure.port, "http"))["cause"] == "connection_reset"
    assert one(mirrored(answers_400.port, "http"))["cause"] == "not_http"
    assert one(mirrored(answers_tls.port, "http"))["cause"] == "not_http"


def test_an_http_endpoint_with_tls_settings_is_tried_over_https_first(pki: Any, opened: Callable[[Any], Any]) -> None:
    secure = opened(servers.HttpServer(OK, servers.server_context(pki.folder / "server")))
    result = one(mirrored(secure.port, "http", tls=trusting(pki)))
    assert result["cause"] == "ok"
    assert result["certificate"]["protocol"] == "TLSv1.3"

    def plain_http(connection: Any) -> None:
        asked = connection.recv(999)
        body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" if asked[:3] == b"GET" else b"HTTP/1.0 400 No\r\n\r\n"
        connection.sendall(body)

    plain = opened(servers.RawServer(plain_http))
    assert one(mirrored(plain.port, "http", tls=trusting(pki)))["cause"] == "ok"


@pytest.mark.parametrize(
    ("behave", "https", "http"),
    [
        (servers.ssh, "not_tls", "not_http"),
        (servers.reset, "connection_reset", "connection_reset"),
        (servers.hang_up, "connection_reset", "connection_reset"),
    ],
)
def test_what_is_no_registry_at_all(opened: Callable[[Any], Any], behave: Any, https: str, http: str) -> None:
    server = opened(servers.RawServer(behave))
    assert one(mirrored(server.port, "https"))["cause"] == https
    assert one(mirrored(server.port, "http"))["cause"] == http


def test_nothing_listens_and_no_such_name() -> None:
    with servers.closed_port() as port:
        refused = one(mirrored(port))
        unknown = one(mirrored(port, host="no-such-host.invalid"))
    assert refused["cause"] == "connection_refused"
    assert refused["times"]["tcp"] is None
    assert unknown["cause"] == "dns_failure"
    assert unknown["times"]["dns"] is None


@pytest.mark.parametrize("behave", [servers.silent, servers.drip])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_endpoint_has_its_deadline_whatever_it_does(opened: Callable[[Any], Any], behave: Any, scheme: str) -> None:
    server = opened(servers.RawServer(behave))
    started = time.monotonic()
    result = one(mirrored(server.port, scheme), timeout=0.6)
    # Without a deadline of its own it would take for ever.
    assert time.monotonic() - started < 10
    if not (behave is servers.drip and scheme == "https"):
        # What drips is no TLS, which is seen at once.
        assert result["cause"] == "timeout"
        assert result["times"]["total"] >= 500


def test_many_endpoints_take_one_deadline(opened: Callable[[Any], Any]) -> None:
    dead = opened(servers.RawServer(servers.silent))
    alive = opened(servers.HttpServer(servers.status(200)))
    config = {
        "mirrors": {
            f"r{number}.example.com": {
                "endpoint": [f"http://127.0.0.1:{dead.port if number % 4 == 0 else alive.port}/{number}/v2"]
            }
            for number in range(24)
        }
    }
    started = time.monotonic()
    results = probe(config, timeout=1.0)
    # One after the other the six dead ones would take six.
    assert time.monotonic() - started < 5
    expected = ["timeout" if number % 4 == 0 else "ok" for number in range(24)]
    by_registry = {result["registry"]: result["cause"] for result in results}
    assert [by_registry[f"r{number}.example.com"] for number in range(24)] == expected


def test_a_short_key_is_taken_as_go_takes_it(pki: Any, opened: Callable[[Any], Any], tmp_path: Path) -> None:
    """OpenSSL's settings in distributions would refuse what containerd accepts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - weak on purpose
    issued = certificates.issue(pki.authority, "short", ("127.0.0.1",))
    builder = x509.CertificateBuilder(extensions=list(issued.certificate.extensions))
    certificate = (
        builder.subject_name(issued.certificate.subject)
        .issuer_name(issued.certificate.issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(issued.certificate.not_valid_before_utc)
        .not_valid_after(issued.certificate.not_valid_after_utc)
        .sign(pki.authority.key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "short.crt").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "short.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = servers.server_context(tmp_path / "short", short_keys=True)
    server = opened(servers.HttpServer(OK, context))
    assert one(mirrored(server.port, tls=trusting(pki)))["cause"] == "ok"


def test_an_authority_may_be_limited_to_other_names(pki: Any, opened: Callable[[Any], Any], tmp_path: Path) -> None:
    limits = x509.NameConstraints([x509.DNSName("internal.example.com")], None)
    limited = certificates.authority("limited", (limits,))
    limited.write(tmp_path / "limited")
    certificates.issue(limited, "server", ("localhost",)).write(tmp_path / "server")
    server = opened(servers.HttpServer(OK, servers.server_context(tmp_path / "server")))
    result = one(mirrored(server.port, host="localhost", tls={"ca_file": str(tmp_path / "limited.crt")}))
    assert result["cause"] == "tls_name_mismatch"


def test_an_answer_that_ends_early(opened: Callable[[Any], Any]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    for rest in (b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}"):
        answer = head + rest
        server = opened(servers.RawServer(lambda c, answer=answer: (c.recv(999), c.sendall(answer))))
        assert one(mirrored(server.port, "http"))["cause"] == "connection_reset", rest


def test_a_body_may_end_with_the_connection(opened: Callable[[Any], Any]) -> None:
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}"
    server = opened(servers.RawServer(lambda c: (c.recv(999), c.sendall(answer))))
    assert one(mirrored(server.port, "http"))["cause"] == "ok"
