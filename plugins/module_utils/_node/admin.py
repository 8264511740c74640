# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the API of this server, or of another one, with this server's admin credentials.

Every server of a cluster accepts them. Without ``kubectl``, which takes a process of 60 MB for each question, and which
cannot ask one server while its configuration names another.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from . import client_pair, files
from .paths import NodePaths

_LONGEST = 4 * 1024 * 1024


class Answer(NamedTuple):
    """``status`` 0 means that there was none, and ``text`` says why."""

    status: int
    text: str

    def json(self) -> Any:
        """The answer as JSON, None if it is none or no success."""
        if self.status != 200:
            return None
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class Credentials(NamedTuple):
    """``address`` is this server's own API, as K3s wrote it into the kubeconfig."""

    address: tuple[str, int]
    context: ssl.SSLContext
    token: str


class NoCredentials(Exception):
    """There is no kubeconfig, or nothing in it that an API would accept."""


def credentials(paths: NodePaths) -> Credentials:
    """Read them from the admin kubeconfig, or from the one that the server has for itself below its data directory,
    which is there even if the other has been moved or is not written at all.

    :raises NoCredentials: if neither serves.
    """
    why = ""
    own = os.path.join(paths.data_dir, "server", "cred", "admin.kubeconfig")
    for place in (paths.admin_kubeconfig, own):
        try:
            found = _credentials(_read(place).decode("utf-8", "replace"))
            if place != own or paths.distribution == "rke2":
                return found
            # There K3s names the API server itself, which listens on loopback, one port above the one for everybody.
            return found._replace(address=(found.address[0], found.address[1] - 1))
        except (OSError, ValueError, files.FileProblem) as problem:
            why = why or "%s cannot be used: %s" % (place, problem)
    raise NoCredentials(why)


def get(found: Credentials, address: tuple[str, int], path: str, timeout: float) -> Answer:
    """Ask ``path`` of the API at ``address``."""
    headers = {"Authorization": "Bearer " + found.token} if found.token else {}
    connection = http.client.HTTPSConnection(address[0], address[1], timeout=timeout, context=found.context)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(_LONGEST).decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException) as problem:
        return Answer(0, reason_of(problem))
    finally:
        connection.close()


def reason_of(problem: Exception) -> str:
    """``Connection refused``, without the number; the type if it has no text."""
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return "no answer in time" if "timed out" in text else str(text)


def _credentials(text: str) -> Credentials:
    """From a kubeconfig with one user and one cluster, as K3s and RKE2 write it, in YAML or JSON."""
    address = urlsplit(_value(text, "server"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The certificate is of the cluster's own CA. It names only the addresses that K3s has been told of so far.
    context.check_hostname = False
    authority = _content(text, "certificate-authority")
    if not authority:
        raise ValueError("it names no certificate authority")
    context.load_verify_locations(cadata=authority.decode("ascii"))
    certificate, key, token = _content(text, "client-certificate"), _content(text, "client-key"), _value(text, "token")
    if certificate and key:
        client_pair.load_texts(context, certificate, key)
    elif not token:
        raise ValueError("it has no client certificate")
    return Credentials((address.hostname or "127.0.0.1", address.port or 6443), context, token)


def _content(text: str, key: str) -> bytes:
    """What stands below ``key-data`` in base64, or in the file that ``key`` names."""
    data = _value(text, key + "-data")
    if data:
        return base64.b64decode(data, validate=True)
    path = _value(text, key)
    return _read(path) if path else b""


def _read(path: str) -> bytes:
    content = files.read(path).content
    if content is None:
        raise ValueError("%s is not there" % path)
    return content


def _value(text: str, key: str) -> str:
    """The plain value of ``key``, with or without quotation marks."""
    found = re.search(r"""["']?(?<![-\w])%s["']?[ \t]*:[ \t]*["']?([^\s"',}]+)""" % re.escape(key), text)
    return found.group(1) if found else ""
