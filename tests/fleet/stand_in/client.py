# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the cluster's API, with a kubeconfig that the stand-in wrote."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
from typing import Any

# As K3s writes them, a kubeconfig has one cluster and one user.
_SETTING = re.compile(r"^ +(server|(?:certificate-authority|client-certificate|client-key)(?:-data)?): (\S+)$", re.M)


class Refused(Exception):
    """The API answered with an error. ``status`` is its Status object, or one made of its text."""

    def __init__(self, code: int, status: dict[str, Any]) -> None:
        super().__init__(status.get("message", ""))
        self.code = code
        self.reason: str = status.get("reason", "")


class Unreachable(Exception):
    """No API there."""


def _content(found: dict[str, str], name: str) -> bytes:
    if name + "-data" in found:
        return base64.b64decode(found[name + "-data"])
    with open(found[name], "rb") as handle:
        return handle.read()


def _readable(found: dict[str, str], name: str) -> str:
    """A path under which OpenSSL can read it, without a file where the kubeconfig itself has the text."""
    if name in found:
        return found[name]
    descriptor = os.memfd_create(name)
    os.write(descriptor, _content(found, name))
    return "/proc/self/fd/%d" % descriptor


class Client:
    """:raises OSError: when the kubeconfig cannot be read."""

    def __init__(self, kubeconfig: str, timeout: float = 10.0) -> None:
        with open(kubeconfig, encoding="utf-8") as handle:
            found = dict(_SETTING.findall(handle.read()))
        self.address = found["server"].rpartition("/")[2]
        self.context = ssl.create_default_context(cadata=_content(found, "certificate-authority").decode())
        self.context.load_cert_chain(_readable(found, "client-certificate"), _readable(found, "client-key"))
        self.timeout = timeout

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer, or its text where it is not JSON.

        :raises Refused: for any status above 299.
        :raises Unreachable: without an answer.
        """
        try:
            code, is_json, text = self._exchange(method, path, b"" if body is None else json.dumps(body).encode())
        except (OSError, ValueError) as error:
            raise Unreachable(str(error)) from error
        content: Any = json.loads(text) if is_json else text
        if code > 299:
            raise Refused(code, content if is_json else {"message": text, "reason": "InternalError"})
        return content

    def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, bool, str]:
        """The answer's code, whether it is JSON, and its text. By hand: http.client takes longer to import than
        kubectl has to do here, and tests call kubectl thousands of times.

        :raises OSError: without an answer.
        :raises ValueError: for one that is not HTTP.
        """
        host, _unused, port = self.address.rpartition(":")
        host = host.strip("[]")
        head = "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection((host, int(port)), self.timeout) as plain, self.context.wrap_socket(
            plain, server_hostname=host
        ) as connection:
            connection.sendall((head % (method, path, self.address, len(body))).encode() + body)
            with connection.makefile("rb") as stream:
                code = int((stream.readline().split() + [b"", b"0"])[1])
                fields = {}
                for line in iter(stream.readline, b"\r\n"):
                    if not line:
                        raise ConnectionError("the server ended its answer early")
                    name, _colon, value = line.decode("ascii", "replace").partition(":")
                    fields[name.lower()] = value.strip()
                text = stream.read(int(fields.get("content-length", 0)))
        if len(text) < int(fields.get("content-length", 0)):
            raise ConnectionError("the server ended its answer early")
        return code, "json" in fields.get("content-type", ""), text.decode("utf-8", "replace")
