# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries at a distance: each answer takes its time, and how many were under way at once is written down."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.fleet import contents
from tests.registry_faults.servers import Reply, Request, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fleet.contents import Image


class Ledger:
    """Requests that are under way, by whatever they are told apart by; "" is all of them together.

    :ivar most: the most that there have been at once.
    :ivar total: how many there have been.
    """

    def __init__(self) -> None:
        self.most: Counter[str] = Counter()
        self.total: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def under_way(self, *keys: str) -> Iterator[None]:
        keys = ("", *keys)
        with self._lock:
            for key in keys:
                self._now[key] += 1
                self.total[key] += 1
                self.most[key] = max(self.most[key], self._now[key])
        try:
            yield
        finally:
            with self._lock:
                for key in keys:
                    self._now[key] -= 1


class Distant:
    """An app that has one image under every name, ``distance`` seconds away.

    :param keys: what the ledger tells a request apart by.
    :param refuses: an answer instead of the usual one, or None.
    """

    def __init__(
        self,
        ledger: Ledger,
        distance: float,
        keys: Callable[[Request], tuple[str, ...]],
        refuses: Callable[[], Reply | None] = lambda: None,
    ) -> None:
        self._ledger, self._distance, self._keys, self._refuses = ledger, distance, keys, refuses

    def __call__(self, request: Request) -> Reply:
        with self._ledger.under_way(*self._keys(request)):
            time.sleep(self._distance)
            return self._refuses() or _answer(request)


_IMAGE: Image = contents.built("distant", ("amd64", "arm64"))


def _answer(request: Request) -> Reply:
    reference = request.path.rpartition("/")[2]
    if "/blobs/" in request.path:
        blob = _IMAGE.blobs.get(reference)
        return json_reply({}, 404) if blob is None else Reply(200, {"Content-Type": "application/octet-stream"}, blob)
    manifest = _IMAGE.manifests.get(reference)
    content, media_type = (_IMAGE.index, contents.INDEX) if manifest is None else (manifest, contents.MANIFEST)
    return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": contents.digest(content)}, content)
