# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS to a registry and to the servers that it refers to. Certificates and keys never become files that have a name."""

from __future__ import annotations

import re
import ssl
import threading

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import client_pair
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin

from .access import Access
from .failures import RegistryFailure

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class TlsSettings:
    """The registry's client certificate and exceptions are for the registry itself: its scheme, host and port.

    Its CA counts for the servers that it refers to as well, since a site's token server has the site's CA too.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._made: dict[bool, ssl.SSLContext] = {}

    def of(self, origin: Origin) -> ssl.SSLContext:
        """:raises RegistryFailure: if a certificate cannot be read, or is none."""
        own = origin == self._access.origin
        with self._lock:
            if own not in self._made:
                self._made[own] = self._context(own)
            return self._made[own]

    def shows_certificate(self, origin: Origin) -> bool:
        """Whether a server is shown a client certificate."""
        return origin == self._access.origin and bool(self._access.cert or self._access.cert_file)

    def _context(self, own: bool) -> ssl.SSLContext:
        access = self._access
        context = ssl.create_default_context()
        ca = access.ca or _read(access.host, "ca_file", access.ca_file)
        cert = key = ""
        if own:
            cert = access.cert or _read(access.host, "cert_file", access.cert_file)
            key = access.key or _read(access.host, "key_file", access.key_file)
        try:
            if ca:
                # People write remarks between certificates, which OpenSSL skips in a file and not in a text.
                context.load_verify_locations(cadata="\n".join(_CERTIFICATE.findall(ca)))
            if cert:
                client_pair.load_texts(context, cert.encode("utf-8"), (key or cert).encode("utf-8"))
        except (ssl.SSLError, OSError, ValueError) as error:
            raise RegistryFailure(
                "ca_invalid", access.host, advice="its CA or client certificate cannot be used: %s" % error, whole=True
            ) from error
        if own and access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _read(host: str, key: str, path: str) -> str:
    if not path:
        return ""
    try:
        return client_pair.content_of(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryFailure(
            "ca_unreadable",
            host,
            advice='%s (configs."%s".tls.%s) cannot be read on the machine that copies: %s. Ship it from the '
            "controller with %s, or run the mirror where the file is"
            % (path, host, key, error, key.replace("_file", "_src")),
            whole=True,
        ) from error
