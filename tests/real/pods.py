# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.real.pods``: what a rollout's restarts do to pods and to the API, on a real K3s.

Every node runs a pod, and every server's API is asked four times a second, while ``site.yml`` restarts all nodes: once
with one server, once with three. It fails if a pod's process was another one afterwards. What it prints stands in
docs/questions.md.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Sequence

from tests.bench.fleet_runs import SITE, FleetRuns
from tests.fleet import contents, nodes, real_pods, up, workloads
from tests.fleet.process import FleetError, say
from tests.fleet.state import Fleet, Node

EVERY = 0.25
"""Seconds between two questions to one server."""
_PATIENCE = 1.0
_IMAGE = "docker.io/" + contents.PAUSE
# The pod's own process: its number, and when it was started, in ticks since the machine's start.
_PROCESS = (
    "for id in $(k3s crictl ps --quiet --name app); do "
    "pid=$(k3s crictl inspect --output go-template --template '{{.info.pid}}' $id); "
    "echo $pid $(cut -d' ' -f22 /proc/$pid/stat); done"
)


class Api:
    """The API of one server, asked again and again. ``answered`` are the moments of the questions that it answered
    within a second."""

    def __init__(self, fleet: Fleet, server: Node, folder: Path) -> None:
        self.name, self._address = server.name, server.address
        text = nodes.execute(fleet, server.name, ["cat", "%s/k3s.yaml" % fleet.config_dir]).stdout
        found = dict(re.findall(r"^ +([\w-]+)-data: (\S+)$", str(text), re.M))
        plain = {name: base64.b64decode(value) for name, value in found.items()}
        pair = folder / (server.name + ".pem")
        pair.touch(mode=0o600)
        pair.write_bytes(plain["client-certificate"] + plain["client-key"])
        self._context = ssl.create_default_context(cadata=plain["certificate-authority"].decode())
        self._context.load_cert_chain(pair)
        self.questions = 0
        self.answered: list[float] = []

    def ask(self) -> None:
        began = time.monotonic()
        connection = http.client.HTTPSConnection(self._address, 6443, timeout=_PATIENCE, context=self._context)
        try:
            connection.request("GET", "/api/v1/nodes?limit=1")
            well = connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            well = False
        finally:
            connection.close()
        self.questions += 1
        if well:
            self.answered.append(began)

    def ask_until(self, over: threading.Event) -> None:
        while not over.wait(EVERY):
            self.ask()


def away(apis: Sequence[Api]) -> float:
    """The longest time in which none of these servers answered, in seconds."""
    answered = sorted(moment for api in apis for moment in api.answered)
    return max((later - earlier for earlier, later in zip(answered, answered[1:])), default=0.0)


def processes(fleet: Fleet) -> dict[str, str]:
    return {node.name: str(nodes.execute(fleet, node.name, ["sh", "-c", _PROCESS]).stdout) for node in fleet.nodes}


def measure(servers: int, agents: int, folder: Path) -> list[str]:
    """One fleet; what is to be said about it.

    :raises FleetError: if a pod's process has changed, or pods cannot run here.
    """
    name = "realpods"
    up.down(name)
    fleet = up.up(name, servers, agents, "k3s", "auto", 40)
    try:
        real_pods.allow(fleet)
        for node in fleet.nodes:
            workloads.pod(fleet, "on-" + node.name, node.name, _IMAGE)
        for node in fleet.nodes:
            workloads.until_running(fleet, "on-" + node.name, 120.0)
        before = processes(fleet)
        if not all(before.values()):
            raise FleetError("the pods have no processes: %s" % before)
        apis = [Api(fleet, server, folder) for server in fleet.servers]
        over = threading.Event()
        threads = [threading.Thread(target=api.ask_until, args=(over,)) for api in apis]
        for thread in threads:
            thread.start()
        try:
            run = FleetRuns(fleet, folder).play(SITE)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        restarted = run.output.count("restarted and healthy")
        if restarted != len(fleet.nodes):
            raise FleetError("%d of %d nodes were restarted:\n%s" % (restarted, len(fleet.nodes), run.output[-3000:]))
        after = processes(fleet)
        if after != before:
            raise FleetError("pods have other processes than before: %s, now %s" % (before, after))
        return _lines(fleet, apis, restarted)
    finally:
        up.down(name)


def _lines(fleet: Fleet, apis: Sequence[Api], restarted: int) -> list[str]:
    asked = sum(api.questions for api in apis)
    lines = ["%s, %d servers: %d of %d pods kept their process through %d restarts" % (
        fleet.release, len(apis), len(fleet.nodes), len(fleet.nodes), restarted
    )]  # fmt: skip
    lines += ["  the API of %s was away for %.1f s at the longest" % (api.name, away([api])) for api in apis]
    lines.append("  no server answered for %.1f s at the longest (%d questions)" % (away(apis), asked))
    return lines


def main() -> int:
    said: list[str] = []
    try:
        for servers in (1, 3):
            with tempfile.TemporaryDirectory(prefix="k3sfleet-pods-") as folder:
                said += measure(servers, 1, Path(folder))
    except FleetError as error:
        sys.stderr.write("%s\n" % error)
        return 1
    for line in said:
        say(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
