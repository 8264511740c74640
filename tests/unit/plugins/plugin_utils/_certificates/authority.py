# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes certificates for the tests: an authority that issues whatever a test asks for, good or bad."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def key_of(kind: str) -> Any:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "rsa-1024":
        return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - weak on purpose
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"ec": ec.SECP256R1(), "brainpool": ec.BrainpoolP256R1()}[kind])


class Issued:
    """A certificate with its key, and what can be issued with them."""

    def __init__(self, certificate: x509.Certificate, key: Any) -> None:
        self.certificate = certificate
        self.private = key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key(self) -> str:
        return self.key_as(serialization.PrivateFormat.PKCS8)

    def key_as(self, form: serialization.PrivateFormat, password: bytes | None = None) -> str:
        encryption: Any = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password)
        return self.private.private_bytes(serialization.Encoding.PEM, form, encryption).decode()

    def issue(self, name: str, **options: Any) -> Issued:
        return issue(name, issuer=self, **options)


def issue(
    name: str,
    *,
    issuer: Issued | None = None,
    ca: bool | None = False,
    kind: str = "ec",
    start: datetime.datetime = NOW - 100 * DAY,
    end: datetime.datetime = NOW + 100 * DAY,
    dns: tuple[str, ...] = (),
    addresses: tuple[str, ...] = (),
    usage: tuple[str, ...] = (),
    sign: bool | None = None,
) -> Issued:
    """A certificate; self-signed without issuer, without basicConstraints where `ca` is None."""
    key = key_of(kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if sign is not None:
        flags = dict.fromkeys(
            ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"], True
        )
        builder = builder.add_extension(
            x509.KeyUsage(key_cert_sign=sign, crl_sign=sign, encipher_only=False, decipher_only=False, **flags),
            critical=True,
        )
    names: list[x509.GeneralName] = [x509.DNSName(item) for item in dns]
    names += [x509.IPAddress(ipaddress.ip_address(item)) for item in addresses]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage:
        known = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}
        builder = builder.add_extension(x509.ExtendedKeyUsage([known[item] for item in usage]), critical=False)
    signer = issuer.private if issuer else key
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signer, algorithm), key)
