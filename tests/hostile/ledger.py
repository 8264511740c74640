# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every server was told, and whether a secret is among it."""

from __future__ import annotations

import base64
import re
import threading
from typing import Iterable
from urllib.parse import unquote_to_bytes

CERTIFICATE = "certificate"
"""The name under which a client's certificate that was shown counts as a secret."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}={0,2}")


class Heard:
    """One connection: where it arrived, what came through it (without TLS) and how much was sent back."""

    def __init__(self, place: str, certificate: str = "") -> None:
        self.place = place
        self.certificate = certificate
        self.received = bytearray()
        self.sent = 0


class Ledger:
    """Everything that arrived anywhere. A place is ``scheme://name:port``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self.secrets: dict[str, str] = {}

    def open(self, place: str, certificate: str = "") -> Heard:
        """A new connection's page."""
        heard = Heard(place, certificate)
        with self._lock:
            self._heard.append(heard)
        return heard

    def heard(self, place: str = "") -> list[Heard]:
        """The connections to a place, or all of them."""
        with self._lock:
            return [heard for heard in self._heard if place in ("", heard.place)]

    def places(self, secret: str) -> list[str]:
        """Where a secret arrived, by its name."""
        if secret == CERTIFICATE:
            return sorted({heard.place for heard in self.heard() if heard.certificate})
        wanted = self.secrets[secret].encode()
        return sorted({heard.place for heard in self.heard() if _holds(bytes(heard.received), wanted)})

    def check(self, **allowed: Iterable[object]) -> None:
        """Fails where a secret arrived at a place that is not allowed for it; without an entry it is allowed nowhere.

        :param allowed: the secret's name to servers (their own scheme) or places.
        """
        for name in allowed:
            assert name in self.secrets or name == CERTIFICATE, f"there is no secret {name}"
        for name in [*self.secrets, CERTIFICATE]:
            belongs = {str(getattr(place, "own_place", place)) for place in allowed.get(name, ())}
            leaked = [place for place in self.places(name) if place not in belongs]
            assert not leaked, f"{name} reached {', '.join(leaked)}, and belongs to {sorted(belongs) or 'nobody'}"


def _holds(received: bytes, wanted: bytes) -> bool:
    """In clear, quoted as in URLs and forms, in base64 with others around it, or one within the other."""
    readings = [received]
    for _level in range(2):
        readings += [reading for text in readings for reading in _readings(text)]
        if any(wanted in reading for reading in readings):
            return True
    return False


def _readings(text: bytes) -> list[bytes]:
    found = []
    if b"%" in text or b"+" in text:
        found += [unquote_to_bytes(text), unquote_to_bytes(text.replace(b"+", b" "))]
    decoded = bytearray()
    for run in _BASE64.findall(text):
        plain = run.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        if len(plain) % 4 == 1:
            plain = plain[:-1]
        decoded += base64.b64decode(plain + b"=" * (-len(plain) % 4)) + b"\n"
    return found + ([bytes(decoded)] if decoded else [])
