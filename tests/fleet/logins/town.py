# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that share an authority and a ledger."""

from __future__ import annotations

import ssl
from pathlib import Path

from tests.fleet import nodes
from tests.fleet.certificates import Issued, issue, load
from tests.fleet.logins.ledger import Ledger
from tests.fleet.logins.registry import BASIC, BEARER, LoginRegistry, TokenServer
from tests.fleet.logins.server import Server
from tests.fleet.logins.users import Users
from tests.fleet.state import Fleet

_MARK = "# town"


class Town:
    """A context manager: leaving it closes the servers.

    :param folder: for their certificates.
    :param ca: signs them.
    :param address: where they listen: this machine's in a fleet's network, or its loopback.
    """

    def __init__(self, folder: Path, ca: Issued, address: str = "127.0.0.1") -> None:
        self.ledger = Ledger()
        self.address = address
        self._folder = folder
        self._ca = ca
        self._servers: list[Server] = []

    @classmethod
    def of_fleet(cls, fleet: Fleet) -> Town:
        """Where the fleet's nodes reach it, with certificates of their registry's CA."""
        ca = load(fleet.folder / "pki" / "ca")
        return cls(fleet.folder / "town", ca, fleet.subnet.rpartition(".")[0] + ".1")

    def server(self, name: str, tls: bool = True, port: int = 0) -> Server:
        """One that nobody has said yet what it answers."""
        made = Server(name, self.ledger, self.address, port, self._context(name) if tls else None)
        self._servers.append(made)
        return made

    def registry(
        self, name: str, users: Users, asks: tuple[str, ...] = (BASIC,), tls: bool = True, port: int = 0
    ) -> LoginRegistry:
        """With a token server of its own where it wants one, at `tokens.` before its name.

        :param port: 443 for one that is a default endpoint.
        """
        tokens = TokenServer(self.server("tokens." + name, tls), users) if BEARER in asks else None
        return LoginRegistry(self.server(name, tls, port), users, asks, tokens)

    def expire(self, server: Server) -> None:
        """Its certificate has ended yesterday, from the next connection on."""
        if server.context is None:
            raise ValueError("%s speaks no TLS" % server.name)
        stem = self._folder / ("expired-" + server.name)
        issue(self._ca, server.name, (server.name, self.address), starts=-30, days=-1).write(stem)
        server.context.load_cert_chain("%s.crt" % stem, "%s.key" % stem)

    def names(self) -> str:
        """Lines for /etc/hosts."""
        found = sorted({one.name for one in self._servers})
        return "".join("%s %s %s\n" % (self.address, name, _MARK) for name in found)

    def introduce(self, fleet: Fleet) -> None:
        """Tell every node the names that there are by now, and no others of a town."""
        script = "sed '/%s$/d' /etc/hosts > /run/hosts; cat - >> /run/hosts; cat /run/hosts > /etc/hosts" % _MARK
        for node in fleet.nodes:
            nodes.execute(fleet, node.name, ["sh", "-ec", script], stdin=self.names().encode())

    def _context(self, name: str) -> ssl.SSLContext:
        stem = self._folder / name
        issue(self._ca, name, (name, self.address)).write(stem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("%s.crt" % stem, "%s.key" % stem)
        return context

    def __enter__(self) -> Town:
        return self

    def __exit__(self, *_error: object) -> None:
        for server in self._servers:
            server.close()
