# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the mirror reaches one registry, and the private folder from which skopeo and ssl read its secrets."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import tempfile
import threading
from typing import Any, Mapping, NamedTuple

_PREFIX = "k3sfleet-mirror-"
_FOLDER = re.compile(_PREFIX + r"(\d+)-")


class Access(NamedTuple):
    """How one registry is reached.

    :ivar host: ``host[:port]``.
    :ivar scheme: ``https`` or ``http``.
    :ivar ca: PEM text, ``cert`` and ``key`` as well; "" where the corresponding ``*_file`` or nothing applies.
    :ivar ca_file: a path on the machine that copies, ``cert_file`` and ``key_file`` as well.
    :ivar insecure: certificates are not checked; only where the configuration says so for this very host.
    """

    host: str
    scheme: str = "https"
    username: str = ""
    password: str = ""
    identity_token: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure: bool = False

    @property
    def has_credentials(self) -> bool:
        return bool(self.username or self.identity_token)

    @property
    def basic(self) -> str:
        """The value of ``Authorization`` for basic authentication."""
        return "Basic " + base64.b64encode(("%s:%s" % (self.username, self.password)).encode("utf-8")).decode("ascii")


def access_from(host: str, given: Mapping[str, Any]) -> Access:
    """An :class:`Access` out of what JSON carries; unknown keys are ignored."""
    fields = {key: given[key] for key in Access._fields if key in given and key != "host"}
    return Access(host=host, **fields)


class SecretFileProblem(Exception):
    """A certificate file cannot be read on the machine that copies; the text names host and path."""


class PrivateFolder:
    """A folder of mode 0700 that goes away with the ``with`` block: auth files and certificates, 0600 each.

    It lies in memory where the machine has /dev/shm. What an earlier process left behind that was killed is removed.
    """

    def __init__(self, parent: str = "") -> None:
        self._parent = parent or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())  # noqa: S108
        self.path = ""
        self._lock = threading.Lock()
        self._certificates: dict[Access, str] = {}

    def __enter__(self) -> PrivateFolder:
        _remove_abandoned(self._parent)
        self.path = tempfile.mkdtemp(prefix="%s%d-" % (_PREFIX, os.getpid()), dir=self._parent)
        return self

    def __exit__(self, *unused: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name: str, content: str) -> str:
        """Write a file that only its owner may read, from its first moment on; returns its path."""
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as handle:
            handle.write(content)
        return path

    def auth_file(self, side: str, access: Access | None) -> str:
        """The auth file of one side, as skopeo reads it; an empty one so that no other is read."""
        entries = {}
        if access is not None and access.identity_token:
            entries[access.host] = {"auth": _base64(access.username + ":"), "identitytoken": access.identity_token}
        elif access is not None and access.has_credentials:
            entries[access.host] = {"auth": _base64("%s:%s" % (access.username, access.password))}
        name = "%s-%s.json" % (side, _file_name(access.host) if access is not None else "none")
        return self.write(name, json.dumps({"auths": entries}))

    def certificates(self, access: Access) -> str:
        """The folder with ``ca.crt``, ``client.cert`` and ``client.key`` of a registry, as skopeo reads it.

        :raises SecretFileProblem: when a file that the configuration names cannot be read here.
        """
        with self._lock:
            if access not in self._certificates:
                self._certificates[access] = self._write_certificates(access)
            return self._certificates[access]

    def _write_certificates(self, access: Access) -> str:
        folder = "certificates-%d" % len(self._certificates)
        for name, part in (("ca.crt", "ca"), ("client.cert", "cert"), ("client.key", "key")):
            text = getattr(access, part) or _read(access.host, part + "_file", getattr(access, part + "_file"))
            if text:
                self.write(os.path.join(folder, name), text)
        path = os.path.join(self.path, folder)
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _file_name(host: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "_", host)


def _read(host: str, key: str, path: str) -> str:
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFileProblem(
            '%s (configs."%s".tls.%s) cannot be read on the machine that copies: %s. Ship it from the controller with '
            "%s, or run the mirror where the file is" % (path, host, key, error, key.replace("_file", "_src"))
        ) from error


def _remove_abandoned(parent: str) -> None:
    """Folders of processes that are gone: a kill -9 leaves no chance to tidy up."""
    for name in os.listdir(parent):
        found = _FOLDER.match(name)
        path = os.path.join(parent, name)
        if found and not os.path.exists("/proc/%s" % found.group(1)) and os.path.exists("/proc/self"):
            try:
                if os.stat(path).st_uid == os.getuid():
                    shutil.rmtree(path, ignore_errors=True)
            except OSError:
                continue
