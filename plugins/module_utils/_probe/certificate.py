# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a server's certificate: who it is for, who signed it, from when to when.

Python's ``ssl`` tells nothing about a certificate that does not verify, which is the one that matters here. So the few
fields that a probe shows are read from its DER encoding (RFC 5280), and its names are matched by the rules of Go's
``crypto/x509`` (``VerifyHostname``), since Go is what has to accept it.
"""

from __future__ import annotations

import calendar
import ipaddress
import re
import time
from typing import Iterator, NamedTuple

_COMMON_NAME = "2.5.4.3"
_ALTERNATIVE_NAMES = "2.5.29.17"
_SHORT_NAMES = {
    _COMMON_NAME: "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.25": "DC",
}
_SEQUENCE, _SET, _OID, _OCTETS, _UTC_TIME, _VERSION, _EXTENSIONS = 0x30, 0x31, 6, 4, 23, 0xA0, 0xA3
_DNS, _IP = 0x82, 0x87
_UTF16, _UTF32 = 30, 28
_LONGEST_TEXT, _LONGEST_OID = 300, 64


class CertificateError(ValueError):
    """The bytes are no certificate."""


class Certificate(NamedTuple):
    """Its texts are as they stand in it, control characters included.

    ``not_before`` and ``not_after`` are epoch times; ``dns`` and ``addresses`` the subjectAltNames;
    ``has_names`` whether there is such an extension at all."""

    subject: str
    issuer: str
    common_name: str
    not_before: float
    not_after: float
    dns: list[str]
    addresses: list[str]
    has_names: bool

    def days_left(self, now: float) -> int:
        """Whole days until it expires, rounded down; negative afterwards."""
        return int((self.not_after - now) // 86400)


def decode(der: bytes) -> Certificate:
    """:raises CertificateError: if it cannot be read."""
    try:
        return _certificate(der)
    except (IndexError, ValueError, OverflowError) as error:
        raise CertificateError(f"not a certificate: {error}") from None


def utc_text(moment: float) -> str:
    """An epoch time as ISO 8601, such as ``2026-11-25T15:00:00Z``."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    except (ValueError, OverflowError, OSError):
        return ""


def name_problem(certificate: Certificate, host: str) -> str:
    """The cause why Go does not accept a certificate for a host; "" if it does.

    :param host: a name, or an address without brackets.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _dns_problem(certificate, host.lower().rstrip("."))
    if any(ipaddress.ip_address(given) == address for given in certificate.addresses):
        return ""
    return "tls_name_mismatch" if certificate.addresses else "tls_no_san"


def _dns_problem(certificate: Certificate, host: str) -> str:
    if any(_matches(pattern.lower().rstrip("."), host) for pattern in certificate.dns):
        return ""
    # The common name counts for nothing; Go says so if it would have fitted.
    if not certificate.has_names and _matches(certificate.common_name.lower(), host):
        return "tls_no_san"
    return "tls_name_mismatch"


def _matches(pattern: str, host: str) -> bool:
    """A wildcard stands for the whole first label and nothing else."""
    if not pattern or not host:
        return False
    wanted, given = pattern.split("."), host.split(".")
    if wanted[0] == "*" and len(wanted) > 1 and given[0]:
        wanted, given = wanted[1:], given[1:]
    return wanted == given


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (tag, content) pairs that a DER content is made of."""
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[position : position + count], "big")
            position += count
        if position + length > len(data):
            raise ValueError("it ends early")
        yield tag, data[position : position + length]
        position += length


def _certificate(der: bytes) -> Certificate:
    outer = next(_elements(der), (0, b""))[1]
    fields = list(_elements(next(_elements(outer), (0, b""))[1]))
    if fields and fields[0][0] == _VERSION:
        fields = fields[1:]
    if len(fields) < 6:
        raise ValueError("fields are missing")
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, extensions
    issuer, _issuer_name = _name(fields[2][1])
    subject, common_name = _name(fields[4][1])
    begin, end = [_moment(tag, content) for tag, content in _elements(fields[3][1])]
    dns, addresses, has_names = _alternative_names([content for tag, content in fields[6:] if tag == _EXTENSIONS])
    return Certificate(subject, issuer, common_name, begin, end, dns, addresses, has_names)


def _name(content: bytes) -> tuple[str, str]:
    """A distinguished name as text, such as ``CN=registry,O=Example``, and its last common name."""
    parts, common_name = [], ""
    for _set_tag, relative in _elements(content):
        for _sequence_tag, pair in _elements(relative):
            (_oid_tag, raw_oid), (kind, raw) = list(_elements(pair))[:2]
            oid, text = _oid(raw_oid), _text(kind, raw)
            if oid == _COMMON_NAME:
                common_name = text
            # As RFC 4514 has it: a comma in a name begins no part of it.
            escaped = re.sub(r"([,+\"\\<>;])", r"\\\1", text)
            parts.append(f"{_SHORT_NAMES.get(oid, oid)}={escaped}")
    return ",".join(parts)[:_LONGEST_TEXT], common_name


def _text(kind: int, raw: bytes) -> str:
    encoding = {_UTF16: "utf-16-be", _UTF32: "utf-32-be"}.get(kind, "utf-8")
    text = raw.decode(encoding, "replace")
    return text[:_LONGEST_TEXT]


def _oid(raw: bytes) -> str:
    if len(raw) > _LONGEST_OID:
        raise ValueError("an object identifier that is too long")
    numbers, value = [], 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in [first, numbers[0] - 40 * first, *numbers[1:]])


def _moment(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return float(calendar.timegm(time.strptime(text[:14], "%Y%m%d%H%M%S")))


def _alternative_names(extensions: list[bytes]) -> tuple[list[str], list[str], bool]:
    dns: list[str] = []
    addresses: list[str] = []
    for wrapped in extensions:
        for _tag, extension in _elements(next(_elements(wrapped), (0, b""))[1]):
            parts = list(_elements(extension))
            if _oid(parts[0][1]) != _ALTERNATIVE_NAMES:
                continue
            for tag, content in _elements(next(_elements(parts[-1][1]), (0, b""))[1]):
                if tag == _DNS:
                    dns.append(content.decode("ascii", "replace"))
                elif tag == _IP and len(content) in (4, 16):
                    addresses.append(str(ipaddress.ip_address(content)))
            return dns, addresses, True
    return dns, addresses, False
