# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the cluster's API, with a kubeconfig that the stand-in wrote."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
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
        host, _unused, port = self.address.rpartition(":")
        connection = http.client.HTTPSConnection(
            host.strip("[]"), int(port), timeout=self.timeout, context=self.context
        )
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(str(error)) from error
        finally:
            connection.close()
        is_json = "json" in (response.headers.get("Content-Type") or "")
        content: Any = json.loads(text) if is_json else text
        if response.status > 299:
            raise Refused(response.status, content if is_json else {"message": text, "reason": "InternalError"})
        return content
