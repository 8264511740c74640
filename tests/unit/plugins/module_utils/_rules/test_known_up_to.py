# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up to which release the tables are known."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.known_up_to import (
    is_known,
    known_up_to,
    newest_known,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import parse_release


@pytest.mark.parametrize(
    ("release", "known"),
    [
        ("v1.34.3+k3s1", True), ("v1.35.2+k3s1", True), ("v1.35.2+rke2r3", True), ("v1.34.99+k3s1", True),
        ("v1.35.3+k3s1", False), ("v1.36.0-rc1+k3s1", False), ("v2.0.0+k3s1", False),
    ],
)  # fmt: skip
def test_the_newest_release_that_a_table_names_is_the_last_known(release: str, known: bool) -> None:
    assert is_known(parse_release(release)) is known


def test_it_is_named_as_the_distribution_writes_it() -> None:
    assert newest_known() == (35, 2)
    assert known_up_to(parse_release("v1.36.0+rke2r1")) == "v1.35.2+rke2r1"
    assert known_up_to(parse_release("v1.36.0+k3s1")) == "v1.35.2+k3s1"
