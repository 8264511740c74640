# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small registries that ask for a login and refuse as a product's documentation, or its source, says.

They are not the products: each shows the paths, the challenge, the token server and the refusals, and nothing else. The
pages that are tried with them say so, and name where the answers are documented.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.fleet import contents
from tests.recipes.taking import TakingStore
from tests.registry_faults.servers import INDEX, MANIFEST, Reply, Request, Store, json_reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.recipes.stage import App

PAGE = Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"<!DOCTYPE html><html><body>Sign in</body></html>")


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """An error in the form that the distribution specification gives it."""
    return json_reply({"errors": [{"code": code, "message": message}]}, status, **headers)


def filled(*images: str) -> Store:
    """A registry's images, by ``repository:tag``. It takes uploads."""
    store = TakingStore()
    for image in images:
        repository, _colon, tag = image.rpartition(":")
        built = contents.built(repository)
        store.blobs.update(built.blobs)
        for manifest in built.manifests.values():
            store.manifest(repository, contents.digest(manifest), MANIFEST, manifest)
        store.manifest(repository, tag, INDEX, built.index)
    return store


def login_of(config: Mapping[str, Any], host: str) -> tuple[str, str]:
    """The user and the password that a page's configuration has for a host."""
    auth = config["configs"][host]["auth"]
    return auth["username"], auth["password"]


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


class Registry:
    """A registry with one login, and the token server that it names.

    :param store: its images.
    :param login: the user and the password that it knows; None takes everybody.
    :param realm: the URL of its token server, at this host or another; "" asks for Basic.
    :param service: as the token server is told.
    :param bad_login: what another login is answered: by the token server if there is one.
    :param post: what the token server answers to POST, which containerd tries first; None: it takes it.
    :param refused: what is answered for repositories, by how they begin, to whoever has logged in.
    :param push: what an upload is answered.
    """

    def __init__(
        self,
        store: Store,
        login: tuple[str, str] | None = None,
        realm: str = "",
        service: str = "",
        bad_login: Reply | None = None,
        post: Reply | None = None,
        refused: Mapping[str, Reply] | None = None,
        push: Reply | None = None,
    ) -> None:
        self._store = store
        self._login = login
        self._realm = realm
        self._service = service
        self._bad_login = bad_login or error(401, "UNAUTHORIZED", "authentication required")
        self._post = post
        self._refused = refused or {}
        self._push = push

    def __call__(self, request: Request) -> Reply:
        if self._realm and request.path == urlsplit(self._realm).path:
            return self._token(request)
        if not self._has_logged_in(request):
            return self._challenge(request)
        return self._refusal(request) or self._store(request)

    def _has_logged_in(self, request: Request) -> bool:
        if self._login is None:
            return True
        key = "Bearer token-of-" + self._login[0] if self._realm else _basic(self._login)
        return request.headers.get("authorization") == key

    def _challenge(self, request: Request) -> Reply:
        if not self._realm:
            challenge = f'Basic realm="{self._service}"'
            answer = self._bad_login if "authorization" in request.headers else None
        else:
            challenge, answer = self.bearer(_repository(request)), None
        answer = answer or error(401, "UNAUTHORIZED", "authentication required")
        return answer._replace(headers={**answer.headers, "WWW-Authenticate": challenge})

    def bearer(self, repository: str, failed: str = "") -> str:
        """The challenge of a registry with a token server."""
        scope = f',scope="repository:{repository}:pull"' if repository else ""
        reason = f',error="{failed}"' if failed else ""
        return f'Bearer realm="{self._realm}",service="{self._service}"{scope}{reason}'

    def _token(self, request: Request) -> Reply:
        if request.method == "POST" and self._post is not None:
            return self._post
        form = parse_qs(request.body.decode())
        given = request.headers.get("authorization", "")
        if request.method == "POST":
            given = _basic((form.get("username", [""])[0], form.get("password", [""])[0]))
        if self._login is None or given != _basic(self._login):
            return self._bad_login
        return self._granted("token-of-" + self._login[0])

    def _granted(self, token: str) -> Reply:
        return json_reply({"token": token, "access_token": token, "expires_in": 300})

    def _refusal(self, request: Request) -> Reply | None:
        if request.method in ("POST", "PUT", "PATCH") and self._push is not None:
            return self._push
        repository = _repository(request)
        for beginning, reply in self._refused.items():
            if repository.startswith(beginning):
                return reply
        return None


class WithoutScope(Registry):
    """Refuses as distribution does, and with it Docker Hub, GitLab and others: the token does not allow it."""

    def _refusal(self, request: Request) -> Reply | None:
        if request.path in ("/v2", "/v2/"):
            return None
        challenge = self.bearer(_repository(request), "insufficient_scope")
        denied = error(401, "UNAUTHORIZED", "authentication required")
        return denied._replace(headers={**denied.headers, "WWW-Authenticate": challenge})


class Harbor(Registry):
    """Harbor: whoever asks gets a token, which says what they may do. To whoever may not, Harbor answers 401.

    Source: src/core/service/token/creator.go and src/server/middleware/v2auth/auth.go of goharbor/harbor.

    :param robot: whether the robot is one that is still valid.
    :param projects: those that there are.
    """

    def __init__(self, store: Store, robot: bool, projects: tuple[str, ...], **more: Any) -> None:
        super().__init__(
            store, service="harbor-registry", realm="https://harbor.example.com/service/token",
            post=Reply(405), **more,
        )  # fmt: skip
        self._robot = robot
        self._projects = projects

    def __call__(self, request: Request) -> Reply:
        if request.path == "/service/token":
            known = (
                self._robot and self._login is not None and request.headers.get("authorization") == _basic(self._login)
            )
            if request.method == "POST" or not (known or request.query.get("scope")):
                return Reply(405 if request.method == "POST" else 401)
            return self._granted("token-of-" + self._login[0] if known and self._login else "token-of-nobody")
        return super().__call__(request)

    def _challenge(self, request: Request) -> Reply:
        if "authorization" not in request.headers:
            return super()._challenge(request)
        words = f"unauthorized to access repository: {_repository(request)}, action: pull"
        return error(401, "UNAUTHORIZED", words, **{"WWW-Authenticate": 'Basic realm="harbor"'})

    def _refusal(self, request: Request) -> Reply | None:
        project = _repository(request).partition("/")[0]
        if project and project not in self._projects:
            return error(401, "UNAUTHORIZED", f"project {project} not found", **{"WWW-Authenticate": ""})
        return super()._refusal(request)


def _repository(request: Request) -> str:
    path = request.path[len("/v2/") :]
    for kind in ("/manifests/", "/blobs/"):
        if kind in path:
            return path.partition(kind)[0]
    return ""


def always(reply: Reply) -> App:
    """A server that says one thing."""
    return lambda _request: reply
