# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as containerd has it for a host: the system's CAs and those configured, the client certificate, the checks.

Source: ``updateTLSConfigFromHost`` in containerd's ``core/remotes/docker/config/hosts.go`` and Go's
``crypto/x509/root_unix.go``.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import ssl
import threading
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import client_pair
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import regular_only
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure

_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
# Any certificate in the pool is an anchor to Go, not only self-signed ones. Python names the flag from 3.10 on.
_PARTIAL_CHAIN = 0x80000


class Trust:
    """The system's CAs as containerd sees them.

    :param environment: of the service: ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` count.
    :param files: what files of the settings will hold, by path, that are not there yet or will be others.
    """

    def __init__(self, environment: Mapping[str, str], files: Mapping[str, bytes] | None = None) -> None:
        self._der = _der(_system_pem(environment))
        self._files = files or {}
        self._made: dict[str, Contexts] = {}
        self._locks: dict[str, threading.Lock] = {}

    def contexts(self, settings: Mapping[str, Any]) -> Contexts:
        """What the settings of a host (as :mod:`hosts_file` gives them) make of TLS.

        Taking in the system's CAs takes longer than a handshake, so hosts with the same settings share them.

        :raises Failure: if a file of theirs cannot be used.
        """
        key = repr(sorted(settings.items()))
        with self._locks.setdefault(key, threading.Lock()):
            if key not in self._made:
                self._made[key] = Contexts(self._der, settings, self._files)
            return self._made[key]


class Shake(NamedTuple):
    """How to shake hands with one side.

    :ivar verifies: false if its certificate is taken as it is.
    :ivar shows_certificate: whether it is shown a client certificate.
    """

    context: ssl.SSLContext
    verifies: bool
    shows_certificate: bool


class Contexts:
    """How to shake hands with a host that has these settings, and with others that it refers to.

    ``insecure_skip_verify`` and the client certificate are the host's own. containerd uses them wherever the host sends
    it; here a server elsewhere is never shown the certificate, and is verified wherever a credential is at stake.

    :ivar own: the host itself.
    :ivar look: only to see what certificate is shown: nothing is verified, nothing shown, nothing may be sent.
    :ivar verifies: false if the host's certificate is to be taken as it is (``skip_verify``).
    """

    def __init__(self, system: bytes, settings: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        self.verifies = not settings.get("insecure_skip_verify", False)
        pairs = list(settings.get("client_pairs", ()))
        self._anchors = system + b"".join(_authorities(path, files) for path in settings.get("ca_files", ()))
        self._files = files
        self._lock = threading.Lock()
        self.look = Shake(_context([], files), False, False)
        self._elsewhere: Shake | None = None
        if self.verifies:
            self.own = Shake(self._verifying(pairs), True, bool(pairs))
            self._elsewhere = None if pairs else self.own
        else:
            self.own = Shake(_context(pairs, files), False, bool(pairs)) if pairs else self.look

    @property
    def elsewhere(self) -> Shake:
        """A server elsewhere that may get a credential: verified, and shown no certificate."""
        with self._lock:
            # Taking in the CAs takes longer than a handshake, and few registries need it.
            if self._elsewhere is None:
                self._elsewhere = Shake(self._verifying([]), True, False)
            return self._elsewhere

    @property
    def elsewhere_without_credentials(self) -> Shake:
        """A server elsewhere that gets none: as little verified as containerd does, and shown no certificate."""
        return self.elsewhere if self.verifies else self.look

    def _verifying(self, pairs: list[tuple[str, str]]) -> ssl.SSLContext:
        context = _context(pairs, self._files)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= _PARTIAL_CHAIN  # type: ignore[assignment]
        if self._anchors:
            context.load_verify_locations(cadata=self._anchors)
        return context


def _context(pairs: list[tuple[str, str]], files: Mapping[str, bytes]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The name is checked by Go's rules afterwards.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Distributions refuse keys of 1024 bits, which Go takes.
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    for certificate, key in pairs:
        _load_pair(context, certificate, key or certificate, files)
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str, files: Mapping[str, bytes]) -> None:
    contents = [_read(path, "client_cert_unreadable", files) for path in (certificate, key)]
    try:
        if max(map(len, contents)) > client_pair.LARGEST:
            raise OSError("too large")
        client_pair.load_texts(context, *contents)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = str(getattr(error, "reason", "") or "")
        mismatch = "MISMATCH" in reason or "DIFFERENT" in reason
        cause = "client_key_mismatch" if mismatch else "client_cert_unreadable"
        raise Failure(cause, f"{certificate}, {key}: {reason.lower().replace('_', ' ') or 'no PEM'}") from None


def _read(path: str, cause: str, files: Mapping[str, bytes]) -> bytes:
    if path in files:
        return files[path]
    try:
        with open(path, "rb", opener=regular_only) as file:
            return file.read(1 << 22)
    except OSError as error:
        raise Failure(cause, f"{path}: {error.strerror}") from None


def _authorities(path: str, files: Mapping[str, bytes]) -> bytes:
    found = _der(_read(path, "ca_unreadable", files))
    if not found:
        raise Failure("ca_invalid", f"{path}: no PEM certificate in it")
    return found


def _der(pem: bytes) -> bytes:
    """The certificates of a PEM text one after the other, as OpenSSL takes them; what is none is left out, as in Go."""
    found = []
    for body in _CERTIFICATE.findall(pem):
        try:
            found.append(base64.b64decode(b"".join(body.split()), validate=True))
        except (binascii.Error, ValueError):
            continue
    if not _is_accepted(b"".join(found)):
        found = [der for der in found if _is_accepted(der)]
    return b"".join(found)


def _is_accepted(der: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _system_pem(environment: Mapping[str, str]) -> bytes:
    named = environment.get("SSL_CERT_FILE")
    content = b""
    for path in (named,) if named else _SYSTEM_FILES:
        try:
            with open(path, "rb", opener=regular_only) as file:
                content = file.read()
            break
        except OSError:
            continue
    for folder in filter(None, environment.get("SSL_CERT_DIR", "").split(":")):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            try:
                with open(os.path.join(folder, name), "rb", opener=regular_only) as file:
                    content += b"\n" + file.read(1 << 20)
            except OSError:
                continue
    return content
