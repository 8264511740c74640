# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a node what it lacks: look, send parcel after parcel, have it placed, and wait for the import.

Each step is one call of the module, so whatever is cut off, the next run begins with what the node has.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Protocol, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import Archive

from . import parcels
from .catalogue import Stored

_MOST_DAMAGED = 3
"""Parcels that may come damaged one after the other. TCP finds nearly all damage; more than that is a fault."""

_PATIENCE = 20.0
"""Seconds in which K3s imports what was in its folder before this run, as after its start, before it is asked again."""


class DeliveryProblem(Exception):
    """A node cannot be brought what it lacks; the text says why and what to do."""


class Node(Protocol):
    """What a delivery needs of a node."""

    def ask(self, operation: str, **more: Any) -> dict[str, Any]:
        """One call of the module."""

    def put(self, pieces: Sequence[parcels.Piece]) -> str:
        """Send a parcel; returns its path on the node."""

    def tell(self, line: str) -> None:
        """Show a line of progress."""


Fetch = Callable[[Sequence[Archive], int], "dict[str, Any]"]
"""Has the node take archives from its relay for some seconds, at so many bytes per second; returns what it says."""


@dataclass
class Settings:
    """How to deliver. Sizes and times as the module's options have them."""

    chunk_size: int = 16
    bandwidth_limit: int = 0
    import_timeout: int = 600
    progress_interval: int = 10


@dataclass
class Delivered:
    """What came of it. ``sent`` are bytes from the controller, ``relayed`` those from the site's relay, and ``actions``
    is by file: ``none``, ``sent``, ``imported`` or ``theirs``."""

    k3s: str = ""
    actions: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    relayed: int = 0
    superfluous: list[str] = field(default_factory=list)


class Delivery:
    """One node's."""

    def __init__(
        self,
        node: Node,
        stored: Iterable[Stored],
        settings: Settings,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        relay: Fetch | None = None,
    ) -> None:
        self._node = node
        self._stored = list(stored)
        self._archives = {item.archive.file: item.archive for item in self._stored}
        self._settings = settings
        self._now, self._sleep = now, sleep
        self._theirs: set[str] = set()
        self._relay = relay
        self.result = Delivered()

    def look(self) -> dict[str, int]:
        """One call: the files that the node lacks, with the bytes that have arrived of each. :attr:`result` then says
        what has to be done.

        :raises DeliveryProblem: if the node's answer is about other archives.
        """
        seen = self._node.ask("look", archives=[archive.as_dict() for archive in self._archives.values()])
        self.result.k3s = str(seen["state"])
        self.result.superfluous = [str(file) for file in seen["brought"]]
        there = {str(item["file"]): item for item in seen["found"]}
        if set(there) != set(self._archives):
            raise DeliveryProblem("the node has answered about other archives than it was asked for")
        lacking = set(seen["not_imported"])
        self._theirs = {file for file, item in there.items() if item["there"] == "theirs"}
        words = {"missing": "sent", "theirs": "theirs", "placed": "none"}
        for file, item in there.items():
            self.result.actions[file] = "imported" if file in lacking else words[item["there"]]
        return {file: int(item["have"]) for file, item in there.items() if item["there"] == "missing"}

    def deliver(self) -> Delivered:
        """Everything; returns what was done.

        :raises DeliveryProblem: if parcels keep coming damaged, or an image is not imported in time.
        """
        missing = self.look()
        lacking = [file for file, action in self.result.actions.items() if action == "imported"]
        wanted = [self._archives[file] for file in self._archives if file in missing or file in lacking]
        if not wanted:
            return self.result
        if missing:
            waiting = self._send([self._archives[file] for file in missing], missing, wanted)
        else:
            waiting = self._finish(wanted, [])
        self._wait(waiting, wanted, set(lacking) - self._theirs)
        return self.result

    def _send(self, missing: Sequence[Archive], arrived: Mapping[str, int], wanted: Sequence[Archive]) -> list[str]:
        """Send what is missing. The last parcel's call brings everything into K3s' folder; returns what waits there
        for its import."""
        have = {archive.sha256: 0 for archive in missing}
        have.update(self._verified([archive for archive in missing if arrived[archive.file]]))
        size = parcels.size_of(
            self._settings.chunk_size, self._settings.bandwidth_limit, self._settings.progress_interval
        )
        pace = _Pace(self._settings, sum(archive.size for archive in missing), sum(have.values()), self._now)
        left = {archive.file: archive for archive in missing}
        if self._relay is not None:
            have.update(self._from_relay(self._relay, missing, have, pace))
        damaged, why = 0, ""
        while damaged < _MOST_DAMAGED:
            pieces = parcels.next_parcel(left.values(), have, size)
            before = sum(have.values())
            said = self._parcel(pieces, have, left, wanted, pace) if pieces else self._finish_call(wanted, [])
            for file in said.get("placed") or ():
                left.pop(file, None)
            why = said.get("again") or why
            if said.get("again"):
                have.update(self._verified(list(left.values())))
            elif said.get("have"):
                have.update(self._have(said))
            if said.get("waiting") is not None and not left:
                return [str(file) for file in said["waiting"]]
            damaged = damaged + 1 if sum(have.values()) <= before else 0
        raise DeliveryProblem(
            "%s. That has happened %d times in a row: look at the node's disk and memory"
            % (why or "what was sent does not arrive", damaged)
        )

    def _from_relay(
        self, fetch: Fetch, missing: Sequence[Archive], have: Mapping[str, int], pace: _Pace
    ) -> dict[str, int]:
        """Have the node take what its relay has. What it does not bring is sent from here."""
        found = dict(have)
        stuck = 0
        while stuck < _MOST_DAMAGED and any(found[archive.sha256] < archive.size for archive in missing):
            before = sum(found.values())
            said = fetch(missing, self._settings.bandwidth_limit * 1000)
            found.update(self._have(said))
            now = sum(found.values())
            self.result.relayed += max(0, now - before)
            line = pace.after(max(0, now - before))
            if line:
                self._node.tell(line)
            if said.get("gone"):
                self._node.tell("%s; what is missing comes from the controller" % said["gone"])
                break
            stuck = stuck + 1 if now <= before else 0
        return found

    def _verified(self, archives: Sequence[Archive]) -> dict[str, int]:
        """How much of each is on the node and right."""
        if not archives:
            return {}
        return self._have(self._node.ask("verify", archives=[archive.as_dict(blocks=True) for archive in archives]))

    def _parcel(
        self, pieces: Sequence[parcels.Piece], have: Mapping[str, int], left: Mapping[str, Archive],
        wanted: Sequence[Archive], pace: _Pace,
    ) -> dict[str, Any]:  # fmt: skip
        after = dict(have)
        for piece in pieces:
            after[piece.archive.sha256] = piece.offset + piece.length
        last = all(after[archive.sha256] >= archive.size for archive in left.values())
        path = self._node.put(pieces)
        said = self._node.ask(
            "receive",
            archives=[piece.archive.as_dict(blocks=True) for piece in pieces],
            pieces=[piece.said for piece in pieces],
            parcel=path,
            finish=self._finish_request(wanted, []) if last else None,
        )
        count = sum(piece.length for piece in pieces)
        self.result.sent += count
        line = pace.after(count)
        if line:
            self._node.tell(line)
        if not last:
            self._sleep(pace.rest())
        return said

    def _have(self, said: Mapping[str, Any]) -> dict[str, int]:
        known = {archive.sha256: archive.size for archive in self._archives.values()}
        return {
            sha256: min(max(0, int(count)), known[sha256])
            for sha256, count in said["have"].items() if sha256 in known
        }  # fmt: skip

    def _finish_request(self, wanted: Sequence[Archive], again: Sequence[str]) -> dict[str, Any]:
        return {
            "archives": [archive.as_dict() for archive in wanted],
            "seconds": self._settings.progress_interval,
            "import_timeout": self._settings.import_timeout,
            "again": list(again),
        }

    def _finish_call(self, wanted: Sequence[Archive], again: Sequence[str]) -> dict[str, Any]:
        return self._node.ask("finish", **self._finish_request(wanted, again))

    def _finish(self, wanted: Sequence[Archive], again: Sequence[str]) -> list[str]:
        said = self._finish_call(wanted, again)
        if said.get("again"):
            raise DeliveryProblem("%s. Run this again: it comes anew" % said["again"])
        return [str(file) for file in said["waiting"]]

    def _wait(self, waiting: list[str], wanted: Sequence[Archive], before: set[str]) -> None:
        """Wait for the import.

        :param before: files that were in the folder before this run. If K3s has not imported them, it does so only if
            they leave and come again.
        """
        began, asked_again = self._now(), False
        while waiting:
            passed = self._now() - began
            if passed > self._settings.import_timeout:
                raise DeliveryProblem(self._not_imported(waiting))
            again: list[str] = []
            if not asked_again and passed > _PATIENCE and before & set(waiting):
                again, asked_again = sorted(before & set(waiting)), True
            self._node.tell("%d of %d archives imported" % (len(wanted) - len(waiting), len(wanted)))
            waiting = self._finish(wanted, again)

    def _not_imported(self, waiting: Sequence[str]) -> str:
        images = [image for file in waiting if file in self._archives for image in self._archives[file].images]
        return (
            "not imported and pinned after %d s: %s (in %s). The log of K3s on the node says why: look for "
            "'failed to import'. If it only needs longer, raise import_timeout" % (
                self._settings.import_timeout, ", ".join(images[:5]) + (", ..." if len(images) > 5 else ""),
                ", ".join(waiting[:3]) + (", ..." if len(waiting) > 3 else ""),
            )
        )  # fmt: skip


class _Pace:
    """How fast it goes: the lines that say so, and the pauses that a limit asks for."""

    def __init__(self, settings: Settings, total: int, had: int, now: Callable[[], float]) -> None:
        self._limit = settings.bandwidth_limit * 1000
        self._interval = settings.progress_interval
        self._total, self._had, self._now = total, had, now
        self._began = self._told = now()
        self._sent = 0

    def after(self, count: int) -> str:
        """The line to show after a parcel, "" if the last one was just now."""
        self._sent += count
        if self._now() - self._told < self._interval:
            return ""
        self._told = self._now()
        rate = self._sent / max(self._told - self._began, 0.001)
        done = min(self._had + self._sent, self._total)
        left = (self._total - done) / max(rate, 1.0)
        return "%.1f of %.1f MB (%d %%), %.1f MB/s, about %d s left" % (
            done / 1e6, self._total / 1e6, 100 * done // max(1, self._total), rate / 1e6, left,
        )  # fmt: skip

    def rest(self) -> float:
        """Seconds to wait before the next parcel."""
        if self._limit <= 0:
            return 0.0
        return max(0.0, self._began + self._sent / self._limit - self._now())
