# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that ask for credentials, send clients elsewhere, and lie."""

from __future__ import annotations

import base64

from tests.hostile.server import Answer, App, Request
from tests.registry_faults.servers import Reply, Store, json_reply

REPOSITORY, TAG = "team/app", "1"
DENIED = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}


def filled() -> Store:
    """A store with one image, for every architecture that a test may run on."""
    store = Store()
    store.image(REPOSITORY, TAG, ("amd64", "arm64", "386", "arm", "riscv64", "s390x", "ppc64le"))
    return store


def asking(challenge: str | list[str], accepted: App, *headers: str) -> App:
    """401 with one challenge or several, until one of the headers ``Authorization`` comes."""

    def app(request: Request) -> Answer:
        if request.authorization in headers:
            return accepted(request)
        reply = json_reply(DENIED, 401)
        return reply._replace(headers={**reply.headers, "WWW-Authenticate": challenge})  # type: ignore[dict-item]

    return app


def basic_header(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def basic(username: str, password: str, accepted: App | None = None) -> App:
    """Wants a user and a password."""
    return asking('Basic realm="registry"', accepted or filled(), basic_header(username, password))


def bearer(realm: str, token: str, accepted: App | None = None, service: str = "registry") -> App:
    """Wants the token of the server that it names."""
    challenge = f'Bearer realm="{realm}",service="{service}",scope="repository:{REPOSITORY}:pull"'
    return asking(challenge, accepted or filled(), f"Bearer {token}")


def redirect(to: str, status: int = 307, whole: bool = False) -> App:
    """Sends everybody to the same path at another place, or to exactly ``to``."""
    return lambda request: Reply(status, {"Location": to if whole else to + request.target})


def redirect_from(part: str, to: str, otherwise: App, status: int = 307) -> App:
    """Only the paths that hold ``part``."""

    def app(request: Request) -> Answer:
        return redirect(to, status)(request) if part in request.path else otherwise(request)

    return app


def token_server(token: str) -> App:
    """Gives a token to everybody."""
    return lambda _request: json_reply({"token": token, "access_token": token, "expires_in": 300})


def without_post(app: App, status: int = 404) -> App:
    """A token server that knows GET only."""
    return lambda request: Reply(status) if request.method == "POST" else app(request)


def lying(store: Store, digest: str) -> App:
    """Says of every manifest that it has another digest than its content."""

    def app(request: Request) -> Answer:
        reply = store(request)  # type: ignore[arg-type]
        if "/manifests/" not in request.path:
            return reply
        return reply._replace(headers={**reply.headers, "Docker-Content-Digest": digest})

    return app


def substituting(store: Store, other: bytes, kind: str) -> App:
    """Answers whichever manifest is asked for, by digest too, with this one."""

    def app(request: Request) -> Answer:
        if "/manifests/" not in request.path:
            return store(request)  # type: ignore[arg-type]
        return Reply(200, {"Content-Type": kind}, other)

    return app
