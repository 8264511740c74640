# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registries of the recipes where a fleet's nodes reach them, under the names that the pages give them."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.fleet.certificates import authority, issue
from tests.integration.recipes.readers import READERS, mirrored
from tests.mirror.registries import LocalRegistry, free_port
from tests.recipes import distribution
from tests.recipes.products import Registry, filled
from tests.registry_faults.servers import HttpServer, Reply, Request, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cluster import Cluster
    from tests.recipes.stage import App

_CACHES = {
    "https://cache.example.com:5000": ("library/nginx:1.29",),
    "https://cache.example.com:5001": ("example/app:1.0",),
}
_FILLED = "https://registry.example.com:5000"
SOURCE = "https://source.example.com"
_NOTHING = filled()
_SOURCE = filled("library/filled:1.0")
#: The digest of what mirror_images brings.
FILLED_IMAGE = digest_of(_SOURCE.manifests["library/filled", "1.0"][1])
_CA = "/usr/local/share/ca-certificates/recipes.crt"


class Registries:
    """Listens at this machine's address in the fleet's network, over TLS; a context manager.

    :ivar ca: the file with the authority's certificate.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self._asked: list[str] = []
        self.ca = folder / "ca.crt"
        self._address = address
        self._folder = folder
        self._stack = ExitStack()
        self._good: dict[str, App] = {}
        self._apps: dict[str, App] = {}

    def __enter__(self) -> Registries:
        for reader in READERS:
            self._good.update(reader.recipe.apps(reader.without_files()))
        self._distribution()
        self._good[SOURCE] = _SOURCE
        self._apps = dict(self._good)
        names = self._names()
        ca = authority("recipes CA")
        ca.write(self._folder / "ca")
        issue(ca, "recipes", names).write(self._folder / "server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "server.crt", self._folder / "server.key")
        for port in sorted({urlsplit(origin).port or 443 for origin in self._good}):
            self._stack.enter_context(HttpServer(self._answer, context, self._address, port))
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _names(self) -> tuple[str, ...]:
        hosts = {urlsplit(origin).hostname or "" for origin in self._good}
        return tuple(sorted({*hosts, *mirrored()}))

    def _distribution(self) -> None:
        """Debian's, as the caches of two registries, and as one that takes uploads."""
        for number, (origin, images) in enumerate(_CACHES.items()):
            port = free_port()
            self._stack.enter_context(HttpServer(_upstream(port, *images), port=port))
            self._local(origin, f"cache-{number}", {"remoteurl": f"http://127.0.0.1:{port}"})
        self._local(_FILLED, "filled", None)

    def _local(self, origin: str, folder: str, proxy: dict[str, str] | None) -> None:
        made = LocalRegistry(self._folder / folder, proxy=proxy)
        self._stack.callback(made.stop)
        self._good[origin] = distribution.relay(made.port)

    def _answer(self, request: Request) -> Reply:
        origin = "https://" + request.headers["host"]
        namespace = f"?ns={request.query['ns'][0]}" if "ns" in request.query else ""
        self._asked.append(f"{request.method} {origin}{request.path}{namespace}")
        # The registries that have a mirror here have nothing themselves.
        return self._apps.get(origin, _NOTHING)(request)

    def take(self) -> list[str]:
        """What was asked since the last call: method and URL, with ``?ns=`` if the request has that."""
        asked, self._asked = self._asked, []
        return asked

    def break_all(self) -> None:
        """Every recipe's typical fault."""
        for reader in READERS:
            self._apps.update(reader.fault.apps(reader.without_files()))

    def repair(self) -> None:
        self._apps = dict(self._good)

    def introduce(self, cluster: Cluster) -> None:
        """The nodes know the names, and trust the authority as their system's, like that of bought certificates."""
        lines = "".join(f"{self._address} {name}\n" for name in self._names())
        cluster.everywhere("cat >> /etc/hosts", lines.encode())
        cluster.everywhere(f"cat > {_CA}; update-ca-certificates >/dev/null 2>&1", self.ca.read_bytes())


def _upstream(port: int, *images: str) -> App:
    """The registry behind a cache: anybody's images, and a private one."""
    login = (distribution.LOGIN["username"], distribution.LOGIN["password"])
    realm = f"http://127.0.0.1:{port}/token"
    private = Registry(filled("example/private:1.0"), login, realm=realm, service="upstream")
    public = filled(*images)

    def app(request: Request) -> Reply:
        is_private = request.path == "/token" or request.path.startswith("/v2/example/private/")
        return (private if is_private else public)(request)

    return app
