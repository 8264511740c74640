# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is sent and how long it takes to load that, compared with Ansible's own modules; and a node on a slow
link.

The seconds on the slow link are measured: Ansible reaches the node through a relay of 1 Mbit/s and 200 ms.
"""

from __future__ import annotations

import base64
import io
import re
import zipfile
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Callable, Iterator, NamedTuple

from tests.bench.ansible_run import Run
from tests.bench.fleet_runs import SITE, FleetRuns, bench_fleet
from tests.bench.measurement import Measurement
from tests.bench.slow_link import SlowLink
from tests.fleet import nodes, podman

NODE = "agent-1"
RATE, ROUND_TRIP = 1e6, 0.2
"""Bits per second and seconds."""
_ROUNDS = 5
_COLLECTION = "ansible_collections.k3sfleet.registries.plugins.modules."
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{4000,}={0,2}")
_IMPORT = """\
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
import ansible.module_utils.basic
shared = time.perf_counter()
__import__(sys.argv[2])
print(shared - began, time.perf_counter() - shared)
"""


class Payload(NamedTuple):
    """What a module is to a node: all bytes of it, the packed modules in it, and what it is imported as."""

    size: int
    packed: bytes
    module: str


def measurements() -> Iterator[Measurement]:
    """The lines of the report, as they come."""
    with TemporaryDirectory(prefix="k3sfleet-bench-") as folder:
        runs = FleetRuns(bench_fleet(), Path(folder))
        runs.settle()
        yield from _sizes_and_imports(runs, Path(folder))
        yield from _slow(runs)


def packed_in(program: bytes) -> bytes:
    """The ZIP file in a module as it is sent.

    :raises LookupError: if there is none.
    """
    for found in sorted(_BASE64.findall(program), key=len, reverse=True):
        content = base64.b64decode(found)
        if zipfile.is_zipfile(io.BytesIO(content)):
            return content
    raise LookupError("no packed modules in what is sent to a node")


def module_in(packed: bytes) -> str:
    """The name by which the node imports the module of a ZIP file, which holds what that needs as well."""
    names = (name[: -len(".py")].replace("/", ".") for name in zipfile.ZipFile(io.BytesIO(packed)).namelist())
    return next(name for name in names if name.startswith((_COLLECTION, "ansible.modules.")) and "__init__" not in name)


def _sizes_and_imports(runs: FleetRuns, folder: Path) -> Iterator[Measurement]:
    limit = ("--limit", NODE)
    sent: dict[str, Callable[[dict[str, str]], Run]] = {
        "k3s_registries": lambda given: _whole_way(runs, environment=given),
        "ping": lambda given: runs.ping(*limit, notes=True, environment=given),
        "stat": lambda given: runs.module("stat", "path=/etc/hosts", *limit, notes=True, environment=given),
        "copy": lambda given: runs.module("copy", "content=x dest=/run/k3sfleet-bench", *limit, notes=True,
                                          environment=given),
    }  # fmt: skip
    for name, run in sent.items():
        payload = _payload(run, folder / name)
        yield Measurement(f"{name}: sent to a node", payload.size / 1e3, "kB")
        yield Measurement("  of that, packed modules", len(payload.packed) / 1e3, "kB")
        shared, own = _imported(runs, payload)
        yield Measurement("  loading Ansible's part on the node", shared * 1000, "ms")
        yield Measurement("  loading its own", own * 1000, "ms")


def _whole_way(runs: FleetRuns, *arguments: str, environment: dict[str, str] | None = None) -> Run:
    """Has a node do everything that an unchanged one may be spared, without changing it."""
    runs.add_mirror()
    try:
        return runs.play(SITE, "--check", "--limit", NODE, *arguments, notes=True, environment=environment)
    finally:
        runs.remove_mirror()


def _payload(run: Callable[[dict[str, str]], Run], folder: Path) -> Payload:
    """The largest of what a run has sent: the module itself, not a question before it."""
    folder.mkdir()
    run({"BENCH_PAYLOADS": str(folder)})
    program = max((path.read_bytes() for path in folder.iterdir()), key=len)
    packed = packed_in(program)
    return Payload(len(program), packed, module_in(packed))


def _imported(runs: FleetRuns, payload: Payload) -> tuple[float, float]:
    """Seconds for what every module imports, and for what this one does after that: medians of several processes."""
    path = "/run/k3sfleet-bench.zip"
    with TemporaryDirectory() as folder:
        packed = Path(folder) / "packed.zip"
        packed.write_bytes(payload.packed)
        podman.podman("cp", str(packed), "%s:%s" % (runs.fleet.container(NODE), path))
    command = ["python3", "-c", _IMPORT, path, payload.module]
    times = [nodes.execute(runs.fleet, NODE, command).stdout.split() for _round in range(_ROUNDS)]
    return median(float(shared) for shared, _own in times), median(float(own) for _shared, own in times)


def _slow(runs: FleetRuns) -> Iterator[Measurement]:
    far = f"{RATE / 1e6:.0f} Mbit/s, {ROUND_TRIP * 1000:.0f} ms"
    runs.unchanged()
    competitors: dict[str, Callable[..., Run]] = {
        "ansible -m ping": lambda *arguments, **more: runs.ping("--limit", NODE, *arguments, **more),
        "site.yml, the whole way (before)": lambda *arguments, **more: _whole_way(runs, *arguments, **more),
        "site.yml, unchanged (after)": lambda *arguments, **more: runs.play(SITE, "--limit", NODE, *arguments, **more),
    }
    for name, run in competitors.items():
        address = runs.fleet.node(NODE).address
        with SlowLink(address, 22, RATE, ROUND_TRIP) as link, TemporaryDirectory(prefix="bench-") as sockets:
            # Each with a connection of its own, from its first packet on.
            done = run(*_through(link), environment={"ANSIBLE_SSH_CONTROL_PATH_DIR": sockets})
            yield Measurement(f"a node at {far}: {name}", done.seconds, "s")
            yield Measurement("  on the wire, both ways", link.bytes / 1e3, "kB")


def _through(link: SlowLink) -> list[str]:
    """Arguments that lead Ansible to a node by a link: its key is known by its name."""
    variables = {
        "ansible_host": "127.0.0.1", "ansible_port": link.port, "ansible_ssh_extra_args": "-o HostKeyAlias=" + NODE,
    }  # fmt: skip
    return [argument for key, value in variables.items() for argument in ("--extra-vars", f"{key}='{value}'")]
