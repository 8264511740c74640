# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast and in how much memory containerd's log is diagnosed. One core.

Writes a log as a busy node's, in three files, one of them compressed, to a temporary folder, and reads it as the module
does. ``python -m tests.bench.pulls 150`` does so with as many megabytes as a node keeps at most.
"""

from __future__ import annotations

import gzip
import resource
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.bench.measurement import Measurement

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.log_files import find_log_files, read_log_file
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

LINES_PER_SECOND = 10_000
PEAK_MB = 8.0
"""For Python's own objects, whatever the log's size: files and pulls in flight are bounded."""

FILES = 3
DEFAULT_MB = 30
MIRROR = "mirror.example.com:5000"
TIME = "2026-11-25T02:04:42.660472881Z"


def busy_log(seed: int) -> Iterator[str]:
    """Lines without end: mostly containers coming and going, one in five about a pull."""
    number = seed * 10_000_000
    while True:
        number += 1
        image = f"registry.example.com/team-{number % 40}/app:{number % 400}"
        for step in ("CreateContainer within sandbox", "StartContainer for", "RemoveContainer for", "shim gone"):
            yield (
                f'time="{TIME}" level=info msg="{step} \\"{number:064x}\\" for &ContainerMetadata{{Name:app,}}"'
                " namespace=k8s.io runtime=io.containerd.runc.v2"
            )
        yield f'time="{TIME}" level=info msg="RunPodSandbox for &PodSandboxMetadata{{Name:app-{number},Attempt:0,}}"'
        yield f'time="{TIME}" level=info msg="PullImage \\"{image}\\""'
        if number % 3:
            yield f'time="{TIME}" level=info msg="PullImage \\"{image}\\" returns image reference \\"sha256:aa\\""'
            continue
        url = f"https://{MIRROR}/v2/team-{number % 40}/app/manifests/{number % 400}?ns=registry.example.com"
        error = f'failed to do request: Head \\"{url}\\": x509: certificate signed by unknown authority'
        yield f'time="{TIME}" level=info msg="trying next host" error="{error}" host="{MIRROR}"'
        yield f'time="{TIME}" level=info msg="fetch failed after status: 404 Not Found" host=registry.example.com'
        yield f'time="{TIME}" level=error msg="PullImage \\"{image}\\" failed" error="{error}"'


def _created(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "wb", compresslevel=1)
    return path.open("wb")


def write_logs(folder: Path, megabytes: float) -> int:
    """Writes the log and its rotated files; returns the number of lines."""
    count = 0
    names = ["containerd-2026-11-23T01-00-00.000.log.gz", "containerd-2026-11-24T01-00-00.000.log", "containerd.log"]
    for seed, name in enumerate(names):
        with _created(folder / name) as file:
            left = megabytes * 1_000_000 / FILES
            for text in busy_log(seed):
                raw = text.encode() + b"\n"
                file.write(raw)
                count += 1
                left -= len(raw)
                if left <= 0:
                    break
    return count


def diagnose(folder: Path) -> PullReader:
    """Reads the folder's logs as the module does."""
    reader = PullReader()
    for path in find_log_files(str(folder / "containerd.log")):
        reader.read(read_log_file(path))
    reader.diagnoses()
    return reader


def measurements(megabytes: float = DEFAULT_MB) -> Iterator[Measurement]:
    """Lines per second, and the memory that it takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = write_logs(folder, megabytes)
        start = time.process_time()
        reader = diagnose(folder)
        rate = lines / (time.process_time() - start)
        assert reader.lines == lines
        size = f"{megabytes:.0f} MB, {lines} lines"
        yield Measurement(f"diagnose a log ({size})", rate, "lines/s", LINES_PER_SECOND, at_least=True)
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        tracemalloc.start()
        diagnose(folder)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    yield Measurement("peak of Python memory", peak, "MB", PEAK_MB)
    yield Measurement("resident memory of the process", resident, "MB")


if __name__ == "__main__":
    found = list(measurements(float(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_MB))
    print("\n".join(measurement.line for measurement in found))
    sys.exit(int(any(measurement.is_over for measurement in found)))
