# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks each server's API four times a second, at its own address, past the collection and past any load balancer.

An API is *up* while it answers for itself: it is ready, or says that etcd is not. It is *ready* while /readyz says so.
The two differ for a moment where etcd elects a leader after one has lost its power: that no restart can help.
"""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import tempfile
import threading
import time
from typing import Any, NamedTuple

import yaml

from tests.fleet import nodes
from tests.fleet.state import Fleet, Node

_EVERY = 0.25
# A machine that is busy answers late: that is no answer only when it takes longer than this.
_PATIENCE = 5.0


class Seen(NamedTuple):
    """One answer: asked at ``at``; ``status`` is 0 for none."""

    at: float
    status: int

    @property
    def up(self) -> bool:
        return self.status in (200, 500)

    @property
    def ready(self) -> bool:
        return self.status == 200


class Watcher:
    """``with Watcher(fleet) as watcher``; afterwards ``fewer_than`` tells how many were there at the same time."""

    def __init__(self, fleet: Fleet) -> None:
        self.servers = fleet.servers
        self.seen: dict[str, list[Seen]] = {node.name: [] for node in self.servers}
        self._context, self._headers = _credentials(fleet)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(node,), daemon=True) for node in self.servers]

    def __enter__(self) -> Watcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, node: Node) -> None:
        while not self._stop.is_set():
            at = time.time()
            self.seen[node.name].append(Seen(at, self._ask(node.address)))
            self._stop.wait(max(0.0, at + _EVERY - time.time()))

    def _ask(self, address: str) -> int:
        connection = http.client.HTTPSConnection(address, 6443, timeout=_PATIENCE, context=self._context)
        try:
            connection.request("GET", "/readyz", headers=self._headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def fewer_than(self, number: int, what: str = "up") -> list[tuple[float, float]]:
        """The stretches of time, from and to, in which fewer than ``number`` servers were ``up`` or ``ready``.

        An answer holds from the moment of the question until the next one of that server.
        """
        moments = sorted((seen.at, name, getattr(seen, what)) for name, list_ in self.seen.items() for seen in list_)
        now: dict[str, bool] = {}
        stretches: list[tuple[float, float]] = []
        since: float | None = None
        for at, name, well in moments:
            now[name] = well
            few = len(now) == len(self.seen) and sum(now.values()) < number
            if few and since is None:
                since = at
            elif not few and since is not None:
                stretches.append((since, at))
                since = None
        if since is not None:
            stretches.append((since, moments[-1][0]))
        return stretches

    def longest(self, number: int, what: str = "ready") -> float:
        """Seconds of the longest of :meth:`fewer_than`."""
        return max((until - since for since, until in self.fewer_than(number, what)), default=0.0)

    def first_up(self, name: str, after: float) -> float | None:
        """When this server was first seen ready after ``after``."""
        return next((seen.at for seen in self.seen[name] if seen.at >= after and seen.ready), None)


def _credentials(fleet: Fleet) -> tuple[ssl.SSLContext, dict[str, str]]:
    path = "%s/%s.yaml" % (fleet.config_dir, fleet.distribution)
    kubeconfig = yaml.safe_load(nodes.execute(fleet, fleet.servers[0].name, ["cat", path]).stdout)
    user: dict[str, Any] = kubeconfig["users"][0]["user"]
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if "token" in user:
        return context, {"Authorization": "Bearer " + user["token"]}
    with tempfile.TemporaryDirectory() as folder:
        pair = os.path.join(folder, "admin.pem")
        with open(os.open(pair, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as handle:
            handle.write(base64.b64decode(user["client-certificate-data"]) + b"\n")
            handle.write(base64.b64decode(user["client-key-data"]))
        context.load_cert_chain(pair)
    return context, {}
