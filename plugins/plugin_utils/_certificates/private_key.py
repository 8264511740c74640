# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private key of a client certificate. Nothing of it, not even the library's words about it, leaves this module."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import certificates as rules
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import Rule

from .certificate import is_usable_in_go, key_type
from .pem import Block

try:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
except ImportError:
    load_der_private_key = None  # type: ignore[assignment]  # check_bundle says so before anything here is called

_CONVERT = "openssl pkey -in {file} -out new.key"


class PrivateKey(NamedTuple):
    """What is known of a usable key: its kind and its public half (DER), to compare with the certificate's."""

    key_type: str
    public_key: bytes


class Unusable(NamedTuple):
    """Why a key cannot be used. `command` is how to make it usable, with `{file}` for its file."""

    rule: Rule
    problem: str
    command: str


def load(block: Block) -> PrivateKey | Unusable:
    """Reads the key as Go's X509KeyPair would."""
    if block.label == "ENCRYPTED PRIVATE KEY" or any("ENCRYPTED" in header for header in block.headers):
        return Unusable(rules.KEY_ENCRYPTED, "is encrypted with a passphrase", _CONVERT)
    if block.label == "OPENSSH PRIVATE KEY":
        return Unusable(
            rules.KEY_UNREADABLE, "is in OpenSSH's format, which Go does not read", "ssh-keygen -p -m PKCS8 -f {file}"
        )
    try:
        key = load_der_private_key(block.content, password=None)
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except TypeError:
        return Unusable(rules.KEY_ENCRYPTED, "is encrypted with a passphrase", _CONVERT)
    except Exception:  # noqa: BLE001 - the library's text may quote the key: it is dropped
        return Unusable(rules.KEY_UNREADABLE, f"({block.label}) cannot be parsed", _CONVERT)
    if not is_usable_in_go(key):
        return Unusable(rules.KEY_TYPE, f"is of a kind that Go's TLS does not know ({key_type(key)})", "")
    return PrivateKey(key_type(key), public)
