# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking archives from the relay of a site, for as long as one call of the module may take."""

from __future__ import annotations

import http.client
import ssl
import time
from typing import Any, Callable, Iterable, Mapping, NamedTuple

from . import part
from .archive import BLOCK, Archive
from .places import Places
from .relay_problems import RelayProblem
from .relay_server import NAME, PATH

_PATIENCE = 30.0


class Relay(NamedTuple):
    """Where a relay is, and by what it is known."""

    address: str
    port: int
    certificate: str


class _Connection(http.client.HTTPSConnection):
    """TLS with a server that is known by its certificate, whatever the address it is reached at."""

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=NAME)  # type: ignore[attr-defined]


def fetch(
    relay: Relay, token: str, places: Places, archives: Iterable[Archive], seconds: float, limit: int,
    now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:  # fmt: skip
    """Continue with each archive where it stopped; returns how much there is of each after ``seconds``.

    :param limit: bytes per second, on average; 0 is no limit.
    :raises RelayProblem: if it does not answer, or not as a relay of this run.
    :raises WrongContent: if a block has another digest. What is right is kept.
    :raises FileProblem: if something cannot be written.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=relay.certificate)
    pace = _Pace(limit, seconds, now, sleep)
    have: dict[str, int] = {}
    connection = _Connection(relay.address, relay.port, timeout=_PATIENCE, context=context)
    try:
        for archive in archives:
            path = places.part(archive.sha256)
            have[archive.sha256] = part.verified(path, archive)
            if have[archive.sha256] < archive.size and not pace.is_over():
                have[archive.sha256] = _one(connection, token, path, archive, have[archive.sha256], pace)
    except (OSError, http.client.HTTPException) as error:
        raise RelayProblem("the relay at %s:%d does not answer as the relay of this run: %s" % (
            relay.address, relay.port, error)) from error  # fmt: skip
    finally:
        connection.close()
    return have


def _one(
    connection: http.client.HTTPConnection, token: str, path: str, archive: Archive, begin: int, pace: _Pace
) -> int:
    headers = {"Authorization": "Bearer " + token, "Range": "bytes=%d-" % begin}
    connection.request("GET", PATH + archive.sha256, headers=headers)
    response = connection.getresponse()
    if response.status != 206:
        response.read(0)
        connection.close()
        why = {401: "it does not know this host", 404: "it does not have %s" % archive.file}
        raise RelayProblem("the relay refuses with status %d: %s" % (
            response.status, why.get(response.status, "it is no relay of this collection")))  # fmt: skip
    while begin < archive.size and not pace.is_over():
        content = response.read(min(BLOCK - begin % BLOCK, archive.size - begin))
        if not content:
            raise http.client.IncompleteRead(b"", archive.size - begin)
        begin = part.append(path, archive, begin, content)
        pace.after(len(content))
    if begin < archive.size:
        # The rest comes with the next call.
        connection.close()
    return begin


class _Pace:
    def __init__(
        self, limit: int, seconds: float, now: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:  # fmt: skip
        self._limit, self._now, self._sleep = limit, now, sleep
        self._began, self._count = now(), 0
        self._until = self._began + seconds

    def is_over(self) -> bool:
        return self._now() >= self._until and self._count > 0

    def after(self, count: int) -> None:
        self._count += count
        if self._limit:
            self._sleep(max(0.0, self._began + self._count / self._limit - self._now()))


def relay_of(said: Mapping[str, Any]) -> Relay:
    """From a request."""
    return Relay(str(said["address"]), int(said["port"]), str(said["certificate"]))
