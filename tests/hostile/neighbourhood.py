# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a hostile network: their servers, names, certificates and the ledger."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.hostile.certificates import Pki
from tests.hostile.ledger import Ledger
from tests.hostile.server import App, HostileServer
from tests.registry_faults.servers import server_context

_NUMBERS = count(1)


class Neighbourhood:
    """Servers with names, all of them closed with it.

    :param address: where all of them listen, for clients on other machines, who know the names from elsewhere. Ports
        are the real ones then.
    :ivar ca: the file with the authority that clients are to trust.
    """

    def __init__(self, folder: Path, pki: Pki | None = None, address: str = "") -> None:
        self._everywhere = address
        self.ledger = Ledger()
        self.pki = pki or Pki(folder)
        self.ca = self.pki.ca
        self._servers: dict[tuple[str, int], HostileServer] = {}
        self._addresses: dict[str, str] = {}

    def server(
        self,
        name: str,
        app: App,
        port: int = 5000,
        tls: bool = True,
        trusted: bool = True,
        certificate: Path | None = None,
    ) -> HostileServer:
        """A server that is known by its name.

        :param name: two servers of one name have the same address and other ports.
        :param trusted: whether its certificate is of the authority that the clients trust.
        :param certificate: the stem of another certificate than one for its name and address.
        """
        number = next(_NUMBERS)
        own = self._everywhere or f"127.66.{number // 250}.{number % 250 + 1}"
        address = self._addresses.setdefault(name, own)
        context = None
        if tls:
            stem = certificate or self.pki.server(f"{name}-{number}", (name, address), trusted)
            context = self.context(stem)
        made = HostileServer(name, 0 if self._everywhere else port, app, self.ledger, address, context)
        self._servers[name, made.port] = made
        return made

    def context(self, stem: Path) -> ssl.SSLContext:
        """A server's TLS: it needs no client's certificate, and asks for one so that the ledger knows who shows it."""
        context = server_context(stem, self.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def secret(self, name: str) -> str:
        """A text that nobody but its owner may learn. It has what has to be quoted in URLs, headers and YAML."""
        text = f"CANARY-{secrets.token_hex(6)} @/:%#&+{name}"
        self.ledger.secrets[name] = text
        return text

    def address_of(self, host: str, scheme: str = "https") -> tuple[str, int] | None:
        """Where a ``name`` or ``name:port`` really is, as a proxy has to know it."""
        name, _colon, port = host.rpartition(":") if host.rpartition(":")[2].isdigit() else (host, "", "")
        found = self._servers.get((name.lower(), int(port or (443 if scheme == "https" else 80))))
        return found.address if found is not None else None

    def getaddrinfo(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """A stand-in for ``socket.getaddrinfo`` that knows these names, this machine's own addresses and no others."""

        def look_up(host: Any, port: Any, *more: Any, **options: Any) -> Any:
            name = host.decode("idna") if isinstance(host, bytes) else str(host)
            name = name.encode("idna").decode("ascii").lower().rstrip(".") if ":" not in name else name.lower()
            found = self._servers.get((name, int(port or 0)))
            place = found.address if found is not None else None
            if place is None and name in self._addresses:
                # The host is there, and nothing listens at that port of it.
                place = self._addresses[name], int(port)
            if place is not None:
                return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]
            if name == "localhost" or name.startswith("127.") or name == "::1":
                return real(host, port, *more, **options)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        return look_up

    def close(self) -> None:
        for server in self._servers.values():
            server.close()
