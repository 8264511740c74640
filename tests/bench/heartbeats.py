# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a node's kubelet has last been heard of, as its cluster's API says: the sign that K3s works again after a
restart."""

from __future__ import annotations

import base64
import contextlib
import datetime
import http.client
import json
import os
import ssl
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

import yaml

from tests.fleet import nodes
from tests.fleet.certificates import write_private
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet, Node

POLL = 0.05
"""Seconds between two questions."""
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"
_NODE = "/api/v1/nodes/"


class Sign(NamedTuple):
    """A heartbeat or a renewal of the Lease: when the node gave it, and when it was seen, as epoch times."""

    given: float
    seen: float


class Heartbeats:
    """Asks the API of a fleet's first server, with the administrator's certificate."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet, server = fleet, fleet.servers[0]
        text = nodes.execute(fleet, server.name, ["cat", fleet.config_dir + "/k3s.yaml"]).stdout
        kubeconfig = yaml.safe_load(text)
        self._address, self._port = server.address, int(kubeconfig["clusters"][0]["cluster"]["server"].split(":")[-1])
        self._context = _context(kubeconfig)

    @contextlib.contextmanager
    def watched(self, node: Node) -> Iterator[list[Sign]]:
        """The signs of a node while the block lasts, each as soon as it is there."""
        signs: list[Sign] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(POLL):
                last = self._heard_of(node)
                if last > (signs[-1].given if signs else 0.0):
                    signs.append(Sign(last, time.time()))

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield signs
        finally:
            over.set()
            watching.join()

    def restarted_at(self, node: Node) -> float:
        """The epoch time at which systemd began the last restart of the node's K3s."""
        command = ["systemctl", "show", "--property=ActiveExitTimestampMonotonic", "--value", self._fleet.service(node)]
        # A container's monotonic clock is that of its machine.
        exited = int(nodes.execute(self._fleet, node.name, command).stdout) / 1e6
        return time.time() - time.monotonic() + exited

    def _heard_of(self, node: Node) -> float:
        """The epoch time; 0.0 while the API does not answer."""
        try:
            lease, status = self._get(_LEASE + node.name), self._get(_NODE + node.name)
        except (OSError, ValueError, http.client.HTTPException):
            return 0.0
        return latest(lease, status)

    def _get(self, path: str) -> Any:
        connection = http.client.HTTPSConnection(self._address, self._port, timeout=5, context=self._context)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            content = json.loads(answer.read())
            # What is not there is answered with a Status.
            return content if answer.status == 200 else {}
        finally:
            connection.close()


def seconds_of_restart(began: float, signs: Sequence[Sign]) -> float:
    """From a restart's begin to when its first sign was seen.

    :raises FleetError: if there is none.
    """
    for sign in signs:
        if sign.given > began:
            return sign.seen - began
    raise FleetError("no heartbeat since the restart, of %d" % len(signs))


def latest(lease: Mapping[str, Any], node: Mapping[str, Any]) -> float:
    """The epoch time of the last sign in a Lease and in a Node's conditions; 0.0 without one."""
    conditions = (node.get("status") or {}).get("conditions") or []
    times = [(lease.get("spec") or {}).get("renewTime"), *(item.get("lastHeartbeatTime") for item in conditions)]
    return max((_epoch(text) for text in times if text), default=0.0)


def _epoch(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _context(kubeconfig: Mapping[str, Any]) -> ssl.SSLContext:
    """The cluster's CA and the administrator's pair. Ssl reads the pair from files only."""
    ca = base64.b64decode(kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=ca)
    context.check_hostname = False
    user = kubeconfig["users"][0]["user"]
    with TemporaryDirectory(prefix="k3sfleet-bench-") as folder:
        pair = [os.path.join(folder, name) for name in ("certificate", "key")]
        for path, part in zip(pair, ("client-certificate-data", "client-key-data")):
            write_private(Path(path), base64.b64decode(user[part]))
        context.load_cert_chain(*pair)
    return context
