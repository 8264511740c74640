# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries of this process: what each has and refuses is the case's, and every request is written down.

Those that images are named after are reached through a proxy which leads to one server for all of them, so that nothing
leaves the machine. The others are this machine's, each on a port of its own.
"""

from __future__ import annotations

import base64
import binascii
import platform
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tests.fleet import certificates, contents
from tests.registry_faults import servers
from tests.registry_faults.servers import HttpServer, Reply, Request, json_reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

PUBLIC = ("docker.io", "quay.io", "ghcr.io", "registry.example.com:5000")
"""Registries as images name them."""
DOCKER_HUB = "registry-1.docker.io"
_PRIVATE = {"ghcr.io": "token"}

PASSWORDS = {"robot": "canary-robot-2f6e", "reader": "canary-reader-77b1"}
WRONG = "canary-wrong-0c5d"
UNREADABLE = "team/"
"""Where the reader's rights end."""

_FOREIGN = "amd64" if platform.machine() == "aarch64" else "arm64"
_PATH = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)")


class Entry(NamedTuple):
    """A request for something of an image, and what it was answered."""

    url: str
    kind: str
    status: int


@dataclass
class Copy:
    """What one registry has under one name: ``broken`` is ``layer``, ``config``, ``platform``, ``page`` or ""."""

    image: contents.Image
    broken: str = ""

    @property
    def digest(self) -> str:
        return contents.digest(self.image.index)


def copy_of(name: str, broken: str = "") -> Copy:
    """An image that no other name gives; with ``platform`` it is not for this machine."""
    return Copy(contents.built(name, (_FOREIGN,) if broken == "platform" else contents.ARCHITECTURES), broken)


@dataclass
class World:
    """What all registries have and do at the moment.

    :ivar copies: by host, repository and tag.
    :ivar faults: the status that a host answers to everything.
    :ivar rename: what a server makes of the repository of a request, given its host, the path below /v2 and the
        registry that the image is named after: for a containerd without rewrites, in whose place the server does it.
    :ivar silent: registries that are not to be asked themselves, and say that they have nothing.
    """

    copies: dict[tuple[str, str, str], Copy] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    rename: Any = None
    silent: frozenset[str] = frozenset()
    log: list[Entry] = field(default_factory=list)

    def take(self) -> list[Entry]:
        """The requests since the last call."""
        entries, self.log = self.log, []
        return entries

    def find(self, host: str, repository: str, reference: str) -> Copy | None:
        if ":" not in reference:
            return self.copies.get((host, repository, reference))
        here = [copy for (at, name, _tag), copy in self.copies.items() if (at, name) == (host, repository)]
        return next((copy for copy in here if reference in (copy.digest, *copy.image.manifests)), None)

    def blob(self, host: str, repository: str, digest: str) -> bytes | None:
        for (at, name, _tag), copy in self.copies.items():
            if (at, name) == (host, repository) and digest in copy.image.blobs:
                content = copy.image.blobs[digest]
                is_config = content.startswith(b"{")
                if copy.broken != ("config" if is_config else "layer"):
                    return content
        return None


class Place:
    """A registry: what it is called in an endpoint, how it answers, and whom it lets in.

    :param login: "", ``basic`` or ``token``.
    :ivar storage: another place, which hands out its blobs; None if it does so itself.
    """

    def __init__(self, world: World, host: str, scheme: str, login: str = "") -> None:
        self.world, self.host, self.scheme, self.login = world, host, scheme, login
        self.storage: Place | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    def __call__(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._token(request)
        if request.path.startswith("/storage/"):
            return self._stored(request.path.rpartition("/")[2])
        found = _PATH.fullmatch(request.path)
        if found is None:
            return json_reply({})
        repository, kind, reference = found.groups()
        namespace = "".join(request.query.get("ns", ()))
        if namespace and self.world.rename is not None:
            repository = self.world.rename(self.host, repository, namespace)
        reply = self._answer(request, repository, kind, reference, namespace)
        self.world.log.append(
            Entry(f"{self.url}/v2/{repository}/{kind}/{reference}", kind, reply.status),
        )
        return reply

    def _answer(self, request: Request, repository: str, kind: str, reference: str, namespace: str) -> Reply:
        fault = self.world.faults.get(self.host)
        if fault is not None:
            # So long that nobody waits for it.
            return Reply(fault, {"Retry-After": "3600"} if fault == 429 else {})
        if not namespace and self.host in self.world.silent:
            return _missing("MANIFEST_UNKNOWN")
        refused = self._refused(request, repository)
        if refused is not None:
            return refused
        if kind == "blobs":
            blob = self.world.blob(self.host, repository, reference)
            if blob is not None and self.storage is not None:
                return Reply(307, {"Location": f"{self.storage.url}/storage/{reference}"})
            return _MISSING_BLOB if blob is None else Reply(200, _BYTES, blob)
        copy = self.world.find(self.host, repository, reference)
        if copy is None:
            return _missing("MANIFEST_UNKNOWN")
        if copy.broken == "page":
            return servers.web_page(request)
        content = copy.image.manifests.get(reference, copy.image.index)
        media_type = contents.MANIFEST if reference in copy.image.manifests else contents.INDEX
        return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": contents.digest(content)}, content)

    def _stored(self, digest: str) -> Reply:
        """For whoever was sent here."""
        blobs = (copy.image.blobs.get(digest) for copy in self.world.copies.values())
        blob = next(filter(None, blobs), None)
        return _MISSING_BLOB if blob is None else Reply(200, _BYTES, blob)

    def _refused(self, request: Request, repository: str) -> Reply | None:
        if not self.login:
            return None
        given = request.headers.get("authorization", "")
        if self.login == "basic":
            user = _basic_user(given)
            challenge = 'Basic realm="rehearsal"'
        else:
            user = given[len("Bearer for-") :] if given.startswith("Bearer for-") else ""
            scope = f"repository:{repository}:pull"
            challenge = f'Bearer realm="{self.url}/token",service="rehearsal",scope="{scope}"'
        if user not in PASSWORDS:
            return json_reply({"errors": [{"code": "UNAUTHORIZED"}]}, 401, **{"WWW-Authenticate": challenge})
        if user == "reader" and UNREADABLE in repository + "/":
            return json_reply({"errors": [{"code": "DENIED"}]}, 403)
        return None

    def _token(self, request: Request) -> Reply:
        user = _basic_user(request.headers.get("authorization", ""))
        if request.method == "POST":
            form = servers.parse_qs(request.body.decode())
            name = "".join(form.get("username", ()))
            user = name if PASSWORDS.get(name) == "".join(form.get("password", ())) else ""
        if user not in PASSWORDS:
            return json_reply({"errors": [{"code": "UNAUTHORIZED"}]}, 401)
        return json_reply({"token": "for-" + user, "access_token": "for-" + user, "expires_in": 300})


def _missing(code: str) -> Reply:
    return json_reply({"errors": [{"code": code}]}, 404)


_MISSING_BLOB = _missing("BLOB_UNKNOWN")
_BYTES = {"Content-Type": "application/octet-stream"}


def _basic_user(header: str) -> str:
    """Whose password a header gives, "" if nobody's."""
    try:
        user, _colon, password = base64.b64decode(header.partition("Basic ")[2]).decode().partition(":")
    except (binascii.Error, ValueError):
        return ""
    return user if PASSWORDS.get(user) == password else ""


class Town:
    """All places, and what a containerd needs to reach and to trust them.

    :ivar places: those that an endpoint can name, by what is peculiar to them.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.world = World()
        self._stack = stack
        public, private = certificates.authority("public CA"), certificates.authority("private CA")
        public.write(folder / "public")
        private.write(folder / "private")
        self.ca, self.cert, self.key = folder / "private.crt", folder / "client.crt", folder / "client.key"
        certificates.issue(private, "node", client=True).write(folder / "client")
        certificates.issue(private, "another", client=True).write(folder / "another")
        self.missing, self.other_key = folder / "missing.crt", folder / "another.key"
        here = ("127.0.0.1",)
        for name, days, hosts in (("good", 365, here), ("expired", -0.5, here), ("other", 365, ("elsewhere.test",))):
            certificates.issue(private, name, hosts, days=days).write(folder / name)
        good = servers.server_context(folder / "good")
        mutual = servers.server_context(folder / "good", self.ca)
        self.places = {
            "http": self._open(),
            "plain": self._open(),
            "tls": self._open(good),
            "second": self._open(good),
            "third": self._open(good),
            "password": self._open(good, "basic"),
            "token": self._open(good, "token"),
            "mutual": self._open(mutual),
            "expired": self._open(servers.server_context(folder / "expired")),
            "other-name": self._open(servers.server_context(folder / "other")),
            "down": Place(self.world, f"127.0.0.1:{stack.enter_context(servers.closed_port())}", "https"),
        }
        for name in ("third", "token"):
            self.places[name].storage = self.places["second"]
        names = tuple(name.partition(":")[0] for name in (*PUBLIC, DOCKER_HUB))
        certificates.issue(public, "public", names).write(folder / "public-server")
        self.itself = {name: Place(self.world, DOCKER_HUB if name == "docker.io" else name, "https") for name in PUBLIC}
        by_host = {place.host: place for place in self.itself.values()}
        everybody = HttpServer(
            lambda request: by_host[request.headers["host"]](request),
            servers.server_context(folder / "public-server"),
        )
        proxy = servers.RawServer(servers.tunnel_to(stack.enter_context(everybody).port))
        address = f"http://127.0.0.1:{stack.enter_context(proxy).port}"
        self.environment = {
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), address),
            **{"NO_PROXY": "", "no_proxy": "", "SSL_CERT_FILE": str(folder / "public.crt")},
            "SSL_CERT_DIR": str(folder / "none"),
        }

    def _open(self, context: ssl.SSLContext | None = None, login: str = "") -> Place:
        place = Place(self.world, "", "http" if context is None else "https", login)
        server = self._stack.enter_context(HttpServer(place, context))
        place.host = f"127.0.0.1:{server.port}"
        return place

    @property
    def private(self) -> list[str]:
        """The hosts that want a login."""
        return [place.host for place in (*self.places.values(), *self.itself.values()) if place.login]

    def renamer(self, config: Mapping[str, Any]) -> Any:
        """Rewrites as K3s' containerd would have asked, for one that knows none."""

        def rename(host: str, path: str, registry: str) -> str:
            # A mirror without endpoints leaves its registry to the one for all others.
            named = (config["mirrors"].get(name) or {} for name in (registry, "*"))
            mirrors = ((mirror, endpoint) for mirror in named for endpoint in mirror.get("endpoint", ()))
            mirror, endpoint = next(one for one in mirrors if urlsplit(one[1]).netloc == host)
            _before, has_prefix, prefix = endpoint.partition("/v2/")
            prefix += "/" * bool(has_prefix)
            repository = path[len(prefix) :]
            for pattern, replacement in mirror.get("rewrite", {}).items():
                repository = re.sub(pattern, replacement.replace("$1", r"\1"), repository)
            return prefix + repository

        return rename
