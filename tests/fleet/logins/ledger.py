# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which login every request bore: whose it was and whether it was good, never what it was."""

from __future__ import annotations

import threading
from typing import NamedTuple

from tests.fleet.logins.users import FORMER


class Entry(NamedTuple):
    """One request, or one of the logins of a request that bore several.

    :ivar place: where it arrived, `https://name:port`.
    :ivar address: who asked.
    :ivar scheme: of its Authorization, `Basic`, `Bearer`, another, or nothing.
    :ivar user: whose password or token that was, as far as it says so.
    :ivar login: `current`, `former`, `unknown`, or `not asked for`, which is a good password where only tokens are
        taken; nothing where it bore none.
    """

    at: float
    place: str
    address: str
    method: str
    path: str
    status: int
    scheme: str
    user: str
    login: str


class Ledger:
    """Of all servers of a test."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)

    def entries(self, place: str = "", since: float = 0.0, path: str = "") -> list[Entry]:
        """In their order; ``path`` is a part of the path."""
        with self._lock:
            return [
                entry
                for entry in self._entries
                if place in ("", entry.place) and entry.at >= since and path in entry.path
            ]

    def users(self, place: str = "", since: float = 0.0) -> set[str]:
        """Whose logins arrived there."""
        return {entry.user for entry in self.entries(place, since) if entry.user}

    def logins(self, place: str, since: float = 0.0) -> set[tuple[str, str, str]]:
        """What arrived there: scheme, user, and whether it was good."""
        return {(entry.scheme, entry.user, entry.login) for entry in self.entries(place, since) if entry.scheme}

    def tries_of_former(self, since: float = 0.0) -> list[Entry]:
        """Requests with a password that was good once: accounts are locked for these."""
        return [entry for entry in self.entries(since=since) if entry.login == FORMER]
