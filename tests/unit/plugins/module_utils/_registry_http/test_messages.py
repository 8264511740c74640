# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of an answer is taken at the most, whatever its server sends around the content."""

from __future__ import annotations

from itertools import chain, cycle
from typing import Any, Iterable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import TooLarge
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import ask, content_of

LIMIT = 64 << 10
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Endless:
    """A connection to a server that goes on for ever."""

    gone = False
    doing = "GET"

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""
        self.taken = 0

    def send(self, data: bytes) -> None:
        pass

    def receive_into(self, buffer: Any) -> int:
        while len(self._rest) < len(buffer):
            self._rest += next(self._pieces)
        buffer[:], self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        self.taken += len(buffer)
        assert self.taken < 100 * LIMIT, "nobody stops"
        return len(buffer)


@pytest.mark.parametrize("told", [None, LIMIT])
@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n"),
        (CHUNKED, b"1;" + b"x" * 1000 + b"\r\n \r\n"),
    ],
)
def test_what_stands_around_the_content_is_bounded(begin: bytes, again: bytes, told: int | None) -> None:
    """Whether who asks knows the limit at once, as the probe does, or only when it reads the body, as the mirror."""
    server = Endless(chain([begin], cycle([again])))
    response = ask(server, "GET", "http://registry.test/v2/", {"Host": "registry.test"}, limit=told)  # type: ignore[arg-type]
    with pytest.raises(TooLarge):
        content_of(response, "read", LIMIT)
    assert server.taken < 4 * LIMIT


def test_content_is_taken_up_to_the_limit() -> None:
    server = Endless(chain([CHUNKED], cycle([b"1000\r\n" + b" " * 4096 + b"\r\n"])))
    response = ask(server, "GET", "http://registry.test/v2/", {"Host": "registry.test"})  # type: ignore[arg-type]
    assert content_of(response, "read", LIMIT) == (b" " * LIMIT, False)
