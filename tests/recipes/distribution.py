# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CNCF distribution itself as a pull-through cache: Debian's 2.8, or version 3.

What is behind the cache is small servers, since that is where its faults come from.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.mirror.registries import LocalRegistry, free_port
from tests.recipes.products import Registry, error, filled
from tests.registry_faults.servers import HttpServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.recipes.stage import App

HOST = "https://cache.example.com:5000"
ENDPOINT = "cache.example.com:5000"
DEBIAN = "docker-registry"
LOGIN = {"username": "reader", "password": "pw-of-the-cache"}
#: What may happen behind a cache. ``kept``: it has the image, and nobody is behind it any more; ``lost``: it has not.
STATES = ("good", "kept", "login", "basic-login", "private", "limit", "missing", "lost")
_SERVED = ("good", "kept", "login")
_LIMIT = error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
_ACCEPT = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


def image_of(program: str, state: str) -> str:
    """The image in a state: one of its own, so that a containerd which has another has no part of it."""
    build = "debian" if program == DEBIAN else "recent"
    return f"docker.io/example/{state}-{build}:1.0"


def cause_of(program: str, state: str) -> str:
    """What a pull through a cache in a state comes to: whatever its upstream refuses is a 404 to the nodes."""
    # Version 2.8 logs in at token servers only.
    served = state in _SERVED or (state == "basic-login" and program != DEBIAN)
    return "ok" if served else "not_found"


def relay(port: int) -> App:
    """What the server at a port of this machine answers."""

    def ask(request: Request) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        query = "?" + urlencode(request.query, doseq=True) if request.query else ""
        try:
            connection.request(request.method, request.path + query, request.body or None, request.headers)
            response = connection.getresponse()
            content = response.read()
            kept = {name: value for name, value in response.getheaders() if name.lower() != "transfer-encoding"}
            return Reply(response.status, kept, content)
        finally:
            connection.close()

    return ask


@contextlib.contextmanager
def cache(program: str, state: str, folder: Path) -> Iterator[LocalRegistry]:
    """A pull-through cache in one of the states.

    :param program: the build of distribution.
    """
    port = free_port()
    with contextlib.ExitStack() as stack:
        image = image_of(program, state).partition("/")[2]
        server = stack.enter_context(HttpServer(_upstream(image, state, port), port=port))
        proxy = {"remoteurl": f"http://127.0.0.1:{port}", **(LOGIN if "login" in state else {})}
        made = LocalRegistry(folder, program=program, proxy=proxy)
        stack.callback(made.stop)
        if state == "kept":
            fetch(made, image)
        if state in ("kept", "lost"):
            server.__exit__()
        yield made


def _upstream(image: str, state: str, port: int) -> App:
    """The registry behind the cache."""
    if state == "missing":
        return filled()
    if state == "limit":
        return Registry(filled(image), refused={"example/": _LIMIT})
    if state in ("private", "login", "basic-login"):
        realm = "" if state == "basic-login" else f"http://127.0.0.1:{port}/token"
        return Registry(filled(image), (LOGIN["username"], LOGIN["password"]), realm=realm, service="upstream")
    return filled(image)


def fetch(registry: LocalRegistry, image: str) -> None:
    """Have a cache fetch an image, as nodes do."""
    repository, _colon, tag = image.partition(":")
    ask = relay(registry.port)

    def get(kind: str, name: str) -> dict[str, object]:
        reply = ask(Request("GET", f"/v2/{repository}/{kind}/{name}", {}, {"accept": _ACCEPT}, b""))
        assert reply.status == 200, (kind, name, reply)
        found: dict[str, object] = json.loads(reply.body) if kind == "manifests" else {}
        return found

    index = get("manifests", tag)
    for entry in index["manifests"]:  # type: ignore[attr-defined]
        manifest = get("manifests", entry["digest"])
        for part in [manifest["config"], *manifest["layers"]]:  # type: ignore[misc]
            get("blobs", part["digest"])  # type: ignore[index]
