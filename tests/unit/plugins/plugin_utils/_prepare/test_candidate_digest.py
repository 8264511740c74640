# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a candidate: equal where nodes would get the same, and no way to a password."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import PRESENT, Desired, DesiredFile
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.candidate_digest import candidate_digest

DESIRED = Desired(
    kind=PRESENT, shipped=(DesiredFile("/c/ca.crt", b"a certificate", 0o644),), registries_text="mirrors: {}\n",
    config=None, settings={"embedded_registry": None, "keep_generations": 3, "live": False}, description="d",
    certificates=({"days_left": 300},), registries=("r",),
)  # fmt: skip
PLAIN = candidate_digest(DESIRED, "")


@pytest.mark.parametrize(
    "change",
    [
        {"certificates": ({"days_left": 299},)},
        {"settings": {"embedded_registry": None, "keep_generations": 5, "live": True, "rolled_back": True}},
        {"description": "e", "fingerprints": {"a": "b"}, "expires": {"r": "2027-01-31"}},
    ],
)
def test_what_changes_by_itself_or_only_how_it_gets_there_is_the_same(change: Any) -> None:
    assert candidate_digest(replace(DESIRED, **change), "") == PLAIN


@pytest.mark.parametrize(
    "change",
    [
        {"registries_text": "mirrors: {a: {}}\n"},
        {"shipped": (DesiredFile("/c/ca.crt", b"another certificate", 0o644),)},
        {"shipped": ()},
        {"settings": {"embedded_registry": True}},
        {"kind": "absent"},
    ],
)
def test_what_nodes_get_is_not(change: Any) -> None:
    assert candidate_digest(replace(DESIRED, **change), "") != PLAIN


def test_one_process_of_a_run_computes_it_and_the_others_read_it(tmp_path: Path) -> None:
    secret = replace(DESIRED, registries_text="password: CANARY-9f3e")
    found = {candidate_digest(secret, str(tmp_path)) for _process in range(3)}
    (kept,) = tmp_path.iterdir()
    assert found == {candidate_digest(secret, "")}
    assert "CANARY" not in kept.read_text() + kept.name


def test_guessing_takes_its_time() -> None:
    began = time.process_time()
    candidate_digest(DESIRED, "")
    assert time.process_time() - began > 0.02
