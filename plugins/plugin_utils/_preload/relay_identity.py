# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a relay and the hosts of its site know each other by, for one run."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import os
import sys
from typing import NamedTuple

from ansible.errors import AnsibleError
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.relay_server import NAME

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

_FOREVER = datetime.timedelta(days=3650)


class Identity(NamedTuple):
    """``certificate`` and ``key`` are the relay's, as PEM; from ``secret`` each host's token is derived."""

    certificate: str
    key: str
    secret: str


class Running(NamedTuple):
    """A relay that serves, as the other processes of the run on the controller find it."""

    address: str
    port: int
    certificate: str
    secret: str


def new_identity() -> Identity:
    """For one run. The key is used for as long as the relay runs, so the certificate's times say nothing: nodes without
    a clock of their own wake up in another year.

    :raises AnsibleError: if the controller has no cryptography.
    """
    if not HAS_CRYPTOGRAPHY:
        raise AnsibleError(
            "a relay needs a certificate, and the Python library cryptography is not installed on the controller."
            " Install it for %s: `pip install cryptography`." % sys.executable
        )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _FOREVER)
        .not_valid_after(now + _FOREVER)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Identity(
        certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii"),
        os.urandom(32).hex(),
    )


def token_of(secret: str, host: str) -> str:
    """A host's own token: another host's says nothing about it."""
    return hmac.new(bytes.fromhex(secret), host.encode("utf-8"), hashlib.sha256).hexdigest()


def run_of(site: str, secret: str) -> str:
    """The name of a relay's run on its node; it gives nothing away."""
    return hashlib.sha256(("%s %s" % (secret, site)).encode("utf-8")).hexdigest()[:32]


def remember(folder: str, site: str, running: Running) -> None:
    """For the other processes of this run, and nobody else.

    :raises OSError: if it cannot be written.
    """
    path = _path(folder, site)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as out:
        json.dump(running._asdict(), out)
    os.replace(path + ".new", path)


def recall(folder: str, site: str) -> Running | None:
    """The relay of a site, None if none runs."""
    try:
        with open(_path(folder, site), encoding="utf-8") as handle:
            return Running(**json.load(handle))
    except FileNotFoundError:
        return None


def forget(folder: str, site: str) -> Running | None:
    """The relay of a site, which is about to end."""
    found = recall(folder, site)
    if found is not None:
        os.unlink(_path(folder, site))
    return found


def _path(folder: str, site: str) -> str:
    return os.path.join(folder, "k3sfleet-relay-" + hashlib.sha256(site.encode("utf-8")).hexdigest()[:32])
