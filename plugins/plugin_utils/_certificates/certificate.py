# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One X.509 certificate: what the checks and the report need to know about it. Imports cryptography."""

from __future__ import annotations

import datetime
import ipaddress
import re
from functools import cached_property
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True
    _RSA = (rsa.RSAPublicKey, rsa.RSAPrivateKey)
    _ECDSA = (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)

# The curves of Go's crypto/elliptic.
_GO_CURVES = {"secp224r1": "P-224", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_LONGEST_NAME = 500


class Certificate:
    """A parsed certificate and its place in its file. Raises ValueError if the content is not a certificate."""

    def __init__(self, content: bytes, number: int) -> None:
        self.number = number
        self._x509 = x509.load_der_x509_certificate(content)
        self.content = content
        # The library parses these on first use: use them here, so that a bad one fails here.
        self._extensions = self._x509.extensions
        self.subject = _name(self._x509.subject)
        self.issuer = _name(self._x509.issuer)
        self.not_before = self._x509.not_valid_before_utc
        self.not_after = self._x509.not_valid_after_utc

    @cached_property
    def sha256(self) -> str:
        """The fingerprint as `openssl x509 -fingerprint -sha256` prints it."""
        return self._x509.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def title(self) -> str:
        """How messages name it."""
        return self.subject or f"without subject, SHA-256 {self.sha256[:23]}..."

    @cached_property
    def public_key(self) -> bytes | None:
        """The public key in DER, None if cryptography does not know its kind."""
        key = self._public_key
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if key is not None else None

    @cached_property
    def key_type(self) -> str:
        """`RSA 2048`, `ECDSA P-256`, `Ed25519`, or the name of another kind."""
        return key_type(self._public_key) if self._public_key is not None else "unknown"

    @cached_property
    def is_self_signed(self) -> bool:
        return self._x509.issuer == self._x509.subject and self.issued(self)

    def issued(self, other: Certificate) -> bool:
        """Whether this certificate's key signed the other one, whose issuer it is by name."""
        if other._x509.issuer != self._x509.subject:
            return False
        try:
            other._x509.verify_directly_issued_by(self._x509)
        except InvalidSignature:
            return False
        except Exception:  # noqa: BLE001 - kinds of key or signature that cryptography does not check (SHA-1 ...)
            return True  # the names match; claiming a broken chain would be a guess
        return True

    @cached_property
    def is_ca(self) -> bool:
        """Whether it may verify others: the CA flag, or version 1, which knows no flags and which Go accepts."""
        constraints = self._extension(x509.BasicConstraints)
        return self._x509.version == x509.Version.v1 if constraints is None else bool(constraints.ca)

    @cached_property
    def may_sign_certificates(self) -> bool:
        usage = self._extension(x509.KeyUsage)
        return usage is None or bool(usage.key_cert_sign)

    @cached_property
    def is_for_clients(self) -> bool:
        usage = self._extension(x509.ExtendedKeyUsage)
        wanted = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
        return usage is None or any(oid in wanted for oid in usage)

    @cached_property
    def names(self) -> list[str]:
        """DNS names and IP addresses of the subject alternative names."""
        names = self._extension(x509.SubjectAlternativeName)
        if names is None:
            return []
        return [visible(name[:_LONGEST_NAME]) for name in names.get_values_for_type(x509.DNSName)] + [
            str(address) for address in names.get_values_for_type(x509.IPAddress)
        ]

    def is_for_host(self, host: str) -> bool:
        """Whether Go's VerifyHostname accepts it for `host` (a name or an IP address, brackets allowed)."""
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        try:
            address = ipaddress.ip_address(bare.split("%")[0])
        except ValueError:
            return any(_matches(name.lower(), bare.lower().rstrip(".")) for name in self.names)
        return str(address) in self.names

    @property
    def kind(self) -> str:
        """`root`, `intermediate`, `self-signed` (no CA) or `leaf`."""
        if self.is_ca:
            return "root" if self.is_self_signed else "intermediate"
        return "self-signed" if self.is_self_signed else "leaf"

    @cached_property
    def weakness(self) -> str:
        """What current TLS libraries object to, empty if nothing. Nobody checks a root's own signature."""
        key = self._public_key
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
            return f"has an RSA key of only {key.key_size} bits"
        algorithm = self._signature_hash()
        if algorithm in ("sha1", "md5") and not self.is_self_signed:
            return f"is signed with {algorithm.upper().replace('SHA1', 'SHA-1')}"
        return ""

    @cached_property
    def is_usable_in_go(self) -> bool:
        return is_usable_in_go(self._public_key)

    def days_left(self, now: datetime.datetime) -> int:
        """Whole days until it expires, negative afterwards."""
        return (self.not_after - now) // datetime.timedelta(days=1)

    @cached_property
    def _public_key(self) -> Any:
        try:
            return self._x509.public_key()
        except Exception:  # noqa: BLE001 - UnsupportedAlgorithm, ValueError, by version
            return None

    def _signature_hash(self) -> str:
        try:
            algorithm = self._x509.signature_hash_algorithm
        except Exception:  # noqa: BLE001
            return ""
        return algorithm.name if algorithm is not None else ""

    def _extension(self, kind: Any) -> Any:
        try:
            return self._extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None


def key_type(key: Any) -> str:
    """`RSA 2048`, `ECDSA P-256`, `Ed25519` ... of a public or private key of cryptography."""
    if isinstance(key, _RSA):
        return f"RSA {key.key_size}"
    if isinstance(key, _ECDSA):
        return f"ECDSA {_GO_CURVES.get(key.curve.name, key.curve.name)}"
    return re.sub(r"^_*|(Public|Private)Key$", "", type(key).__name__)


def is_usable_in_go(key: Any) -> bool:
    """Whether Go's TLS can use a public or private key of this kind."""
    if isinstance(key, _ECDSA):
        return key.curve.name in _GO_CURVES
    return isinstance(key, (*_RSA, ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey))


def _name(name: x509.Name) -> str:
    return visible(name.rfc4514_string()[:_LONGEST_NAME])


def _matches(pattern: str, host: str) -> bool:
    """A wildcard stands for exactly the first label, as in Go's matchHostnames."""
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:] and bool(host.partition(".")[0])
    return bool(host) and pattern == host
