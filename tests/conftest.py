# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes `ansible_collections.k3sfleet.registries` importable from any checkout folder.

Python finds the collection through the link that `make links` keeps; it is made here too, so that
a bare `pytest` in a fresh clone works.

Tests with the marker ``nightly`` take too long to wait for after each change. `make nightly` runs them, and so does
pytest with NIGHTLY=1 in its environment. Those with the marker ``containerd2`` need a containerd that Go builds, and
are left out with WITHOUT_GO=1, which the last lines then say.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Iterable

import pytest

from tests.fleet import containerd_source

CHECKOUT = Path(__file__).resolve().parent.parent
COLLECTIONS = CHECKOUT / ".ansible" / "collections"
LINK = COLLECTIONS / "ansible_collections" / "k3sfleet" / "registries"

if not LINK.exists():
    LINK.parent.mkdir(parents=True, exist_ok=True)
    LINK.symlink_to(CHECKOUT, target_is_directory=True)
sys.path.insert(0, str(COLLECTIONS))

#: Whether everything is to run, as `make nightly` says.
NIGHTLY = bool(os.environ.get("NIGHTLY"))
NIGHT = pytest.mark.nightly

#: Whether nothing is to be tried with a containerd 2, which Go builds.
WITHOUT_GO = containerd_source.is_left_out()


def mostly_nightly(values: Iterable[Any], *always: Any) -> list[Any]:
    """Values for ``parametrize``, of which only those in ``always`` run after each change."""
    return [
        value if value in always else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=NIGHT)
        for value in values
    ]


def examples(number: int) -> int:
    """How many examples of a property are tried after each change, if ``number`` of them are tried at night."""
    return number if NIGHTLY else max(20, number // 3)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "nightly: runs only with NIGHTLY=1, as make nightly sets it")
    config.addinivalue_line("markers", "containerd2: needs a containerd that Go builds; WITHOUT_GO=1 leaves it out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    out = [name for name, left_out in (("nightly", not NIGHTLY), ("containerd2", WITHOUT_GO)) if left_out]
    later = [item for item in items if any(item.get_closest_marker(name) for name in out)]
    if later:
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if item not in later]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if WITHOUT_GO:
        deselected = terminalreporter.stats.get("deselected", [])
        number = sum(item.get_closest_marker("containerd2") is not None for item in deselected)
        terminalreporter.write_line("WITHOUT_GO is set: %d tests with a containerd 2 were left out" % number)
