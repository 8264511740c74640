# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS to a registry and to the servers that it refers to. Certificates and keys never become files that have a name."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import stat
import tempfile
import threading
from typing import Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin

_LARGEST_FILE = 1 << 20
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
                _load_pair(context, cert, key)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise RegistryFailure(
                "ca_invalid", access.host, advice="its CA or client certificate cannot be used: %s" % error, whole=True
            ) from error
        if own and access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _load_pair(context: ssl.SSLContext, cert: str, key: str) -> None:
    """OpenSSL takes a client certificate from files only."""
    with _file_with(cert) as cert_path, _file_with(key or cert) as key_path:
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(cert_path, key_path, password=lambda: "")


@contextlib.contextmanager
def _file_with(text: str) -> Iterator[str]:
    """A path at which a text can be read by this process alone, while the block runs.

    On Linux it is memory without a name in any folder: it ends with the process, however that ends. Elsewhere it is a
    file of mode 0600 in a folder of mode 0700.
    """
    content = text.encode("utf-8")
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with os.fdopen(os.memfd_create("k3sfleet-mirror"), "wb") as memory:
            memory.write(content)
            memory.flush()
            yield "/proc/self/fd/%d" % memory.fileno()
        return
    with tempfile.TemporaryDirectory(prefix="k3sfleet-mirror-") as folder:
        path = os.path.join(folder, "pem")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(content)
        yield path


def _read(host: str, key: str, path: str) -> str:
    if not path:
        return ""
    try:
        # A pipe in a file's place must not hold the run.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise OSError("it is no file")
            content = handle.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise OSError("it is larger than 1 MiB")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryFailure(
            "ca_unreadable",
            host,
            advice='%s (configs."%s".tls.%s) cannot be read on the machine that copies: %s. Ship it from the controller '
            "with %s, or run the mirror where the file is" % (path, host, key, error, key.replace("_file", "_src")),
            whole=True,
        ) from error
