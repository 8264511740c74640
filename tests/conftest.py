# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes `ansible_collections.k3sfleet.registries` importable from any checkout folder.

Python finds the collection through the link that `make links` keeps; it is made here too, so that
a bare `pytest` in a fresh clone works.

Tests with the marker ``nightly`` take too long to wait for after each change. `make nightly` runs them, and so does
pytest with NIGHTLY=1 in its environment. Tests with the marker ``golang`` need a program that is built with Go; with
WITHOUT_GO=1 they are left out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Iterable

import pytest

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


def mostly_nightly(values: Iterable[Any], *always: Any) -> list[Any]:
    """Values for ``parametrize``, of which only those in ``always`` run after each change."""
    return [
        value if value in always else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=NIGHT)
        for value in values
    ]


def examples(number: int) -> int:
    """How many examples of a property are tried after each change, if ``number`` of them are tried at night."""
    return number if NIGHTLY else max(20, number // 5)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "nightly: runs only with NIGHTLY=1, as make nightly sets it")
    config.addinivalue_line("markers", "golang: needs Go, and does not run with WITHOUT_GO=1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unwanted = set() if NIGHTLY else {"nightly"}
    if os.environ.get("WITHOUT_GO"):
        unwanted.add("golang")
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unwanted)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
