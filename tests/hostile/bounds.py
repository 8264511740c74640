# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of time and memory that hold whatever a server does."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def bounded(seconds: float, megabytes: float) -> Iterator[None]:
    """Fails where its block takes longer, or takes more of Python's memory at any moment, other threads' included."""
    tracemalloc.start(1)
    started = time.monotonic()
    try:
        yield
        took, peak = time.monotonic() - started, tracemalloc.get_traced_memory()[1] / (1 << 20)
    finally:
        tracemalloc.stop()
    assert took <= seconds, f"it took {took:.1f} s of {seconds:g}"
    assert peak <= megabytes, f"it took {peak:.1f} MiB of {megabytes:g}"
