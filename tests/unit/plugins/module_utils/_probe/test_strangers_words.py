# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What strangers send: text for a terminal, JSON, certificates and headers without an end."""

from __future__ import annotations

import contextlib
import ssl
import time

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.certificate import CertificateError, decode
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.platform import is_runnable
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import (
    json_object,
    taken,
    text_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import shown
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from tests.fleet import certificates
from tests.hostile.certificates import Pki, tlv


@given(st.text())
def test_what_is_visible_is_one_line_of_text(text: str) -> None:
    shown_as = visible(text)
    assert shown_as.isprintable()
    assert text.isprintable() == (shown_as == text)


def test_escapes_can_be_read() -> None:
    assert visible("a\x1b[2K\r\n\u202e\x9b b") == r"a\x1b[2K\r\n\u202e\x9b b"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b"null",
        b"{",
        b"\xff",
        b'{"a":' + b"[" * 300_000,
        b'{"a":' + b"9" * 1000 + b"}",
        b'{"a":-' + b"9" * 99 + b"}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":[-Infinity]}',
        b'{"a":1e400}',
        b'{"a":-1' + b"0" * 400 + b".5}",
    ],
)
def test_json_that_is_none(content: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        json_object(content)
    with pytest.raises(ValueError, match="."):
        taken(content, len)


def test_json_that_is_one() -> None:
    content = b'{"size": 12345678901234, "digest": "d", "float": 1.5}'
    assert json_object(content) == {"size": 12345678901234, "digest": "d", "float": 1.5}
    assert taken(content, lambda fields: text_of(fields["digest"]) + text_of(fields["size"])) == "d"


def test_a_long_variant_costs_nothing() -> None:
    started = time.monotonic()
    assert is_runnable({"architecture": "arm", "variant": "v" + "9" * 3_000_000}, ("arm64", "v8"))
    assert time.monotonic() - started < 1


def test_urls_are_shown_in_reasonable_length() -> None:
    assert len(shown("https://registry.test/" + "a" * 5000)) < 100
    assert shown("https://[") == "a URL that is none"


def der(name: str = "registry.test") -> bytes:
    return certificates.issue(certificates.authority("CA"), name, (name,)).certificate.public_bytes(Encoding.DER)


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_a_damaged_certificate_is_read_or_refused(position: int, damage: bytes) -> None:
    content = DER[: position % len(DER)] + damage + DER[position % len(DER) + len(damage) :]
    with contextlib.suppress(CertificateError):
        decode(content)


DER = der()


def test_certificates_that_are_made_to_be_expensive(tmp_path_factory: pytest.TempPathFactory) -> None:
    started = time.monotonic()
    long_oid = tlv(6, b"\xff" * 200_000 + b"\x01")
    name = tlv(0x30, tlv(0x31, tlv(0x30, long_oid + tlv(12, b"x"))))
    with pytest.raises(CertificateError):
        decode(_with_subject(name))
    many = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\x04\x03") + tlv(12, b"x" * 1000))) * 2000)
    assert len(decode(_with_subject(many)).subject) <= 300
    assert time.monotonic() - started < 5
    folder = tmp_path_factory.mktemp("odd")
    year_zero = Pki(folder).unreadable("year-zero", ("registry.test",))
    pem = year_zero.with_suffix(".crt").read_text()
    with pytest.raises(CertificateError):
        decode(ssl.PEM_cert_to_DER_cert(pem))


def _with_subject(name: bytes) -> bytes:
    """The fields that are looked at, with this as both names."""
    dates = tlv(0x30, tlv(23, b"250101000000Z") * 2)
    fields = tlv(2, b"\x01") + tlv(0x30, b"") + name + dates + name + tlv(0x30, b"")
    return tlv(0x30, tlv(0x30, fields))
