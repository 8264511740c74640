# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificates, made fresh for each fleet: the registry's, its clients', the cluster's, and bad ones."""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


class Issued:
    """A certificate with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key

    def write(self, stem: Path) -> None:
        """``<stem>.crt`` (0644) and ``<stem>.key`` (0600)."""
        stem.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(stem.with_name(stem.name + ".key"), self.key_pem)
        stem.with_name(stem.name + ".crt").write_bytes(self.pem)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return _key_pem(self.key)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, from its first moment on."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)


def load(stem: Path) -> Issued:
    certificate = x509.load_pem_x509_certificate(stem.with_name(stem.name + ".crt").read_bytes())
    key = serialization.load_pem_private_key(stem.with_name(stem.name + ".key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Issued(certificate, key)


def authority(name: str, extensions: tuple[x509.ExtensionType, ...] = ()) -> Issued:
    """A self-signed CA, with further critical extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = _builder(subject, subject, key, 3650).add_extension(x509.BasicConstraints(True, None), True)
    builder = builder.add_extension(usage, True)
    for extension in extensions:
        builder = builder.add_extension(extension, True)
    return Issued(builder.sign(key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: float, starts: float = -1
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )


def issue(
    ca: Issued,
    name: str,
    hosts: tuple[str, ...] = (),
    client: bool = False,
    days: float = 365,
    starts: float = -1,
    organization: str = "",
) -> Issued:
    """A certificate of ``ca`` for a server (names and addresses in ``hosts``) or a client; valid from ``starts`` to
    ``days`` days from now. Without ``hosts`` a server has only its common name; a client with ``hosts`` is a server
    too, as the members of etcd are."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, ca.certificate.subject, key, days, starts)
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
    if hosts or not client:
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
    builder = builder.add_extension(x509.BasicConstraints(False, None), True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), False)
    return Issued(builder.sign(ca.key, hashes.SHA256()), key)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def make_pki(folder: Path, registry_hosts: tuple[str, ...]) -> None:
    """Everything the fleet's registry and its clients need, and what tests give them instead."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca = authority("k3sfleet registry CA")
    ca.write(folder / "ca")
    issue(ca, registry_hosts[0], registry_hosts).write(folder / "server")
    issue(ca, "k3s node", client=True).write(folder / "client")
    bad = folder / "bad"
    issue(ca, "expired client", client=True, starts=-30, days=-1).write(bad / "expired-client")
    issue(ca, "client that expires soon", client=True, days=10).write(bad / "expiring-client")
    issue(ca, "client not yet valid", client=True, starts=10, days=20).write(bad / "future-client")
    other = authority("another CA")
    other.write(bad / "other-ca")
    issue(other, "client of another CA", client=True).write(bad / "other-ca-client")
    write_private(bad / "other.key", _key_pem(ec.generate_private_key(ec.SECP256R1())))
