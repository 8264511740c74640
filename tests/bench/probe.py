# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a node takes to probe many endpoints of which some are dead: one deadline, however many there are.

The module runs as a program, as on a node; the registries are servers of this process, over TLS.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.bench.measurement import Measurement
from tests.bench.shortest import shortest
from tests.fleet import certificates
from tests.registry_faults import servers

# isort: split
from ansible_collections.k3sfleet.registries.plugins.modules import k3s_registry_probe

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDPOINTS, DEAD = 50, 10
DEADLINE = 4.0
"""Seconds for each endpoint."""

SPARE = 1.0
"""Seconds that the whole run may take beyond that, Python's start included."""


class Unanswering:
    """A port whose queue is full: the kernel drops what else would connect, as a firewall does."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self._listening.getsockname()[1]
        self._waiting = [socket.socket() for _number in range(4)]
        for waiting in self._waiting:
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.port))

    def __enter__(self) -> Unanswering:
        return self

    def __exit__(self, *_error: object) -> None:
        for each in [*self._waiting, self._listening]:
            each.close()


def probe(data_dir: Path) -> dict[str, Any]:
    """Runs the module on this machine with what K3s would have generated below a data directory."""
    options = {"_ansible_remote_tmp": "/tmp", "data_dir": str(data_dir), "timeout": DEADLINE}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", k3s_registry_probe.__file__],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode(),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measurements() -> Iterator[Measurement]:
    """The time of a run with dead endpoints, and beside it that of one without."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-probe-")))
        ca = certificates.authority("bench CA")
        ca.write(folder / "ca")
        certificates.issue(ca, "registry", ("127.0.0.1",)).write(folder / "server")
        context = servers.server_context(folder / "server")
        store = servers.Store()
        alive = [stack.enter_context(servers.HttpServer(store, context)).port for _number in range(ENDPOINTS)]
        dead = [stack.enter_context(servers.RawServer(servers.silent)).port for _number in range(DEAD // 2)]
        dead += [stack.enter_context(Unanswering()).port for _number in range(DEAD - len(dead))]
        for ports, budget in ((dead + alive[: ENDPOINTS - DEAD], DEADLINE + SPARE), (alive, None)):
            _configure(folder, ports)
            expected = ["timeout"] * len(set(ports) - set(alive))

            def run(expected: list[str] = expected) -> float:
                started = time.monotonic()
                results = probe(folder)["endpoints"]
                seconds = time.monotonic() - started
                failed = [entry["cause"] for entry in results if entry["cause"] != "ok"]
                assert len(results) == ENDPOINTS, len(results)
                assert failed == expected, failed
                return seconds

            seconds = shortest(run, budget, most=3)
            name = f"probe {ENDPOINTS} endpoints, {len(expected)} dead, deadline {DEADLINE:.0f} s"
            yield Measurement(name, seconds, "s", budget)


def _configure(data_dir: Path, ports: list[int]) -> None:
    """One registry with one mirror for each port."""
    for number, port in enumerate(ports):
        folder = data_dir / "agent/etc/containerd/certs.d" / f"r{number}.example.com"
        folder.mkdir(parents=True, exist_ok=True)
        ca = json.dumps([str(data_dir / "ca.crt")])
        text = f'[host."https://127.0.0.1:{port}/v2"]\n  capabilities = ["pull", "resolve"]\n  ca = {ca}\n'
        (folder / "hosts.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    found = list(measurements())
    print("\n".join(measurement.line for measurement in found))
    sys.exit(int(any(measurement.is_over for measurement in found)))
