# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that asks for logins: by Basic, by Bearer with a token server, or by either."""

from __future__ import annotations

import re
import secrets
import time
from typing import NamedTuple
from urllib.parse import parse_qs

from tests.fleet import contents
from tests.fleet.logins.server import Login, Reply, Request, Server, json_reply
from tests.fleet.logins.users import CURRENT, FORMER, IDENTITY, NOT_ASKED_FOR, UNKNOWN, Users, basic

BASIC, BEARER = "basic", "bearer"
_PULL = re.compile(r"^/v2/(?P<repository>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)$")


class _Token(NamedTuple):
    user: str
    repositories: frozenset[str]
    until: float


class TokenServer:
    """Hands out tokens to users, for the repositories that they ask for, at /token. Containerd asks by POST and, where
    that is not known, by GET with Basic; an identity token it sends by POST alone. Of a POST the form counts, as
    OAuth 2 has it: a containerd that sends a header with every request sends that one too.

    :ivar seconds: how long a token is good; changed at run time.
    """

    def __init__(self, server: Server, users: Users, seconds: float = 300.0) -> None:
        self.users = users
        self.seconds = seconds
        self.realm = server.url + "/token"
        self._tokens: dict[str, _Token] = {}
        server.app = self._answer

    def _answer(self, request: Request) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        header = request.headers.get("authorization", "")
        given = basic(header)
        also: tuple[Login, ...] = ()
        in_form = self._of_form(form)
        if in_form is not None:
            also = () if given is None else (self._login(given),)
            given = in_form
        if given is None:
            scheme = header.partition(" ")[0]
            return json_reply({"errors": [{"code": "UNAUTHORIZED"}]}, 401, Login(scheme, "", UNKNOWN if scheme else ""))
        login = self._login(given)
        if login.state != CURRENT:
            return json_reply({"errors": [{"code": "UNAUTHORIZED"}]}, 401, login)._replace(also=also)
        scopes = " ".join([*request.query.get("scope", []), form.get("scope", "")]).split()
        allowed = {scope.split(":")[1] for scope in scopes if scope.count(":") >= 2}
        token = secrets.token_urlsafe(24)
        self._tokens[token] = _Token(given[0], frozenset(allowed), time.monotonic() + self.seconds)
        content = {"token": token, "access_token": token, "expires_in": int(self.seconds)}
        return json_reply(content, 200, login)._replace(also=also)

    @staticmethod
    def _of_form(form: dict[str, str]) -> tuple[str, str] | None:
        if form.get("grant_type") == "refresh_token":
            return IDENTITY, form.get("refresh_token", "")
        return (form["username"], form.get("password", "")) if form.get("username") else None

    def _login(self, given: tuple[str, str]) -> Login:
        return Login("Basic", given[0], self.users.judge(*given))

    def judge(self, token: str, repository: str) -> Login:
        """What a registry makes of a token."""
        found = self._tokens.get(token)
        if found is None:
            return Login("Bearer", "", UNKNOWN)
        good = time.monotonic() < found.until and repository in ("", *found.repositories)
        return Login("Bearer", found.user, CURRENT if good else FORMER)


class LoginRegistry:
    """Serves images to whoever logs in.

    :param asks: `basic`, `bearer` or both, in the order of the challenges; nothing for a registry that is open.
    :ivar redirects: `manifests` or `blobs` to the address that these are to be had from instead; changed at run time.
    """

    def __init__(
        self, server: Server, users: Users, asks: tuple[str, ...] = (BASIC,), tokens: TokenServer | None = None
    ) -> None:
        if BEARER in asks and tokens is None:
            raise ValueError("a registry that takes tokens needs somebody who hands them out")
        self.server = server
        self.users = users
        self.asks = asks
        self.redirects: dict[str, str] = {}
        self._tokens = tokens
        self._manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self._blobs: dict[str, bytes] = {}
        server.app = self._answer

    @property
    def host(self) -> str:
        return self.server.host

    @property
    def url(self) -> str:
        return self.server.url

    def add(self, name: str) -> str:
        """An image, such as `team/app:1`, for every architecture of the fleet; returns its index's digest."""
        repository, _colon, tag = name.rpartition(":")
        image = contents.built(name)
        self._blobs.update(image.blobs)
        for digest, manifest in image.manifests.items():
            self._manifests[repository, digest] = (contents.MANIFEST, manifest)
        for reference in (tag, contents.digest(image.index)):
            self._manifests[repository, reference] = (contents.INDEX, image.index)
        return contents.digest(image.index)

    def _answer(self, request: Request) -> Reply:
        pull = _PULL.match(request.path)
        login = self._login(request.headers.get("authorization", ""), pull["repository"] if pull else "")
        if self.asks and login.state != CURRENT:
            body = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            return json_reply(body, 401, login, WWW_Authenticate="\n".join(self._challenges(pull)))
        if request.path in ("/v2", "/v2/"):
            return json_reply({}, 200, login, Docker_Distribution_Api_Version="registry/2.0")
        if pull and pull["kind"] in self.redirects:
            return Reply(307, {"Location": self.redirects[pull["kind"]] + request.path}, b"", login)
        found = self._found(pull) if pull else None
        if found is None:
            return json_reply({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404, login)
        kind, content = found
        return Reply(200, {"Content-Type": kind, "Docker-Content-Digest": contents.digest(content)}, content, login)

    def _login(self, header: str, repository: str) -> Login:
        scheme, _space, text = header.partition(" ")
        if not header:
            return Login()
        given = basic(header)
        if given is not None:
            state = self.users.judge(*given)
            if BASIC not in self.asks and state == CURRENT:
                # Good where tokens are handed out, and not taken here.
                state = NOT_ASKED_FOR
            return Login("Basic", given[0], state)
        if scheme.lower() == "bearer" and self._tokens is not None and BEARER in self.asks:
            return self._tokens.judge(text, repository)
        return Login(scheme, "", UNKNOWN)

    def _challenges(self, pull: re.Match[str] | None) -> list[str]:
        found = []
        for kind in self.asks:
            if kind == BASIC:
                found.append('Basic realm="%s"' % self.server.name)
            elif self._tokens is not None:
                scope = ',scope="repository:%s:pull"' % pull["repository"] if pull else ""
                found.append('Bearer realm="%s",service="%s"%s' % (self._tokens.realm, self.server.name, scope))
        return found

    def _found(self, pull: re.Match[str]) -> tuple[str, bytes] | None:
        if pull["kind"] == "manifests":
            return self._manifests.get((pull["repository"], pull["reference"]))
        content = self._blobs.get(pull["reference"])
        return None if content is None else ("application/octet-stream", content)
