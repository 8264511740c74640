# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a host's name to a connection, as Go's resolver and dialler get there, under a deadline."""

from __future__ import annotations

import socket
import threading
from typing import Any

from .deadline import Deadline
from .failure import Failure, connection_failure
from .wire import Plain

# Go gives each address its share of the time, but no less than this, if there is that much.
_LEAST_PER_ADDRESS = 2.0
_FALLBACK_DELAY = 0.3

Address = Any


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The addresses of a host, as ``getaddrinfo`` gives them.

    The call cannot be interrupted, so it runs in a thread that is left behind when the deadline passes.

    :raises Failure: ``dns_failure``, also if nothing came in time.
    """
    doing = f"look up {host}"
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(deadline.left(doing))
    if not found:
        raise Failure("dns_failure", f"{doing}: no answer within {deadline.seconds:g} s")
    if isinstance(found[0], Exception):
        reason = getattr(found[0], "strerror", None) or "not a name that can be looked up"
        raise Failure("dns_failure", f"{doing}: {reason}")
    return list(found[0])


def connect(addresses: list[Address], name: str, deadline: Deadline) -> Plain:
    """A connection to the first address that takes one, chosen as Go's ``net.Dialer`` does.

    The addresses of the other family (usually IPv4) get their chance at the same time when those of the first have not
    connected within 300 ms, so that a node whose IPv6 leads nowhere is as fast as its containerd.

    :param name: ``host:port``, for the failure's text.
    :raises Failure: of the first address, as Go reports it.
    """
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    if not others:
        return _connect_in_turn(addresses, name, deadline)
    race = _Race(name, deadline)
    race.start(first)
    race.wait(_FALLBACK_DELAY)
    race.start(others)
    return race.winner()


class _Race:
    """Families of addresses that are tried at the same time; what connects too late is closed again."""

    def __init__(self, name: str, deadline: Deadline) -> None:
        self._name = name
        self._deadline = deadline
        self._changed = threading.Condition()
        self._running = 0
        self._won: Plain | None = None
        self._failure: Failure | None = None
        self._over = False

    def start(self, addresses: list[Address]) -> None:
        with self._changed:
            if self._won is None:
                self._running += 1
                threading.Thread(target=self._try, args=(addresses,), daemon=True).start()

    def _try(self, addresses: list[Address]) -> None:
        connected = failure = None
        try:
            connected = _connect_in_turn(addresses, self._name, self._deadline)
        except Failure as caught:
            failure = caught
        with self._changed:
            self._running -= 1
            if connected is not None and self._won is None and not self._over:
                self._won = connected
            elif connected is not None:
                connected.close()
            self._failure = self._failure or failure
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Until one family has connected, all that were started have failed, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._won is not None or not self._running, seconds)

    def winner(self) -> Plain:
        """:raises Failure: of the family that failed first, if none has connected."""
        doing = f"connect to {self._name}"
        try:
            self.wait(self._deadline.left(doing))
        finally:
            with self._changed:
                self._over = True
        if self._won is not None:
            return self._won
        raise self._failure or self._deadline.passed(doing)


def _connect_in_turn(addresses: list[Address], name: str, deadline: Deadline) -> Plain:
    first: Failure | None = None
    for number, (family, kind, protocol, _name, address) in enumerate(addresses):
        doing = f"connect to {name}"
        if address[0] not in name:
            doing += f" ({address[0]})"
        try:
            left = deadline.left(doing)
        except Failure as failure:
            raise first or failure from None
        share = max(left / (len(addresses) - number), min(left, _LEAST_PER_ADDRESS))
        opened = None
        try:
            opened = socket.socket(family, kind, protocol)
            opened.settimeout(share)
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Plain(opened, deadline)
        except OSError as error:
            if opened is not None:
                opened.close()
            first = first or connection_failure(error, doing)
    raise first or Failure("dns_failure", f"look up {name}: no address")
