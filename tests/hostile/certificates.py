# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the hostile servers: right ones, wrong ones, and some that take readers of certificates in."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fleet import certificates
from tests.fleet.certificates import Issued

ESCAPES = "evil\x1b[2K\x1b[1A\rok: [node]\n[2/2] copied\x9b31m\u202e"
"""What would paint over the lines of a terminal, were it printed as it is."""


class Pki:
    """An authority that clients trust, and one that they do not; the files are ``<folder>/<name>.crt`` and ``.key``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = certificates.authority("hostile CA")
        self.authority.write(folder / "ca")
        self.stranger = certificates.authority("unknown CA")
        self.stranger.write(folder / "unknown-ca")
        self.ca = folder / "ca.crt"

    def server(self, name: str, hosts: tuple[str, ...], trusted: bool = True, **options: Any) -> Path:
        """The stem of a server's certificate and key."""
        issuer = self.authority if trusted else self.stranger
        certificates.issue(issuer, options.pop("common_name", name), hosts, **options).write(self.folder / name)
        return self.folder / name

    def client(self, name: str = "node") -> Path:
        """The stem of a client's certificate and key."""
        certificates.issue(self.authority, name, client=True).write(self.folder / f"client-{name}")
        return self.folder / f"client-{name}"

    def with_escapes(self, name: str, hosts: tuple[str, ...], trusted: bool = True) -> Path:
        """A server whose certificate's names are escape sequences."""
        issuer = self.authority if trusted else self.stranger
        made = certificates.issue(issuer, ESCAPES[:60], hosts)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, ESCAPES[:60]),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, ESCAPES),
            ]
        )
        builder = x509.CertificateBuilder(extensions=list(made.certificate.extensions)).subject_name(subject)
        return self._signed(builder, made, issuer, name)

    def unreadable(self, name: str, hosts: tuple[str, ...]) -> Path:
        """A certificate of the trusted authority that OpenSSL takes and simple readers of DER stumble over.

        Its first day is in the year 0, which no calendar of a programming language has.
        """
        made = certificates.issue(self.authority, "unreadable", hosts)
        der = made.certificate.public_bytes(certificates.serialization.Encoding.DER)
        stem = self.folder / name
        made.write(stem)
        _write_der(stem, _in_year_zero(der, self.authority))
        return stem

    def _signed(self, builder: x509.CertificateBuilder, made: Issued, issuer: Issued, name: str) -> Path:
        certificate = (
            builder.issuer_name(issuer.certificate.subject)
            .public_key(made.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(made.certificate.not_valid_before_utc)
            .not_valid_after(made.certificate.not_valid_after_utc)
            .sign(issuer.key, hashes.SHA256())
        )
        Issued(certificate, made.key).write(self.folder / name)
        return self.folder / name


def _write_der(stem: Path, der: bytes) -> None:
    stem.with_name(stem.name + ".crt").write_text(ssl.DER_cert_to_PEM_cert(der), encoding="ascii")


def tlv(tag: int, content: bytes) -> bytes:
    """One element of DER."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def _in_year_zero(der: bytes, issuer: Issued) -> bytes:
    """The same certificate with another first day, signed anew."""
    body = _content(der)
    tbs, algorithm = _elements(body)[:2]
    fields = _elements(_content(tbs))
    dates = _elements(_content(fields[4]))
    fields[4] = tlv(0x30, tlv(0x18, b"00000101000000Z") + dates[1])
    changed = tlv(0x30, b"".join(fields))
    signature = issuer.key.sign(changed, ec.ECDSA(hashes.SHA256()))
    return tlv(0x30, changed + algorithm + tlv(0x03, b"\0" + signature))


def _content(element: bytes) -> bytes:
    return element[_header(element) :]


def _header(element: bytes) -> int:
    return 2 + (element[1] & 0x7F if element[1] & 0x80 else 0)


def _elements(content: bytes) -> list[bytes]:
    """The elements of a content, each whole."""
    found = []
    while content:
        header = _header(content)
        length = int.from_bytes(content[2:header], "big") if content[1] & 0x80 else content[1]
        found.append(content[: header + length])
        content = content[header + length :]
    return found
