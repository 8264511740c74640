# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.bench.shortest import shortest


@pytest.mark.parametrize(
    ("budget", "least", "expected", "runs"),
    [(5.0, 1, 4.0, 3), (5.0, 4, 3.0, 4), (9.0, 1, 9.0, 1), (1.0, 1, 2.0, 5), (None, 1, 9.0, 1), (None, 2, 6.0, 2)],
)
def test_it_runs_until_one_run_has_kept_the_budget(
    budget: float | None, least: int, expected: float, runs: int
) -> None:
    times = [9.0, 6.0, 4.0, 3.0, 2.0, 1.0]
    assert shortest(lambda: times.pop(0), budget, most=5, least=least) == expected
    assert len(times) == 6 - runs
