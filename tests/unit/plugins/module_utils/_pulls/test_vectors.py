# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of a real K3s, each with what a diagnosis must say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.filter.diagnose_pulls import diagnose_pulls


@pytest.mark.vectors("pull_logs.json")
def test_logs_of_a_real_k3s(case: dict[str, Any]) -> None:
    found = diagnose_pulls(case["log"])
    assert [{key: pull[key] for key in ("image", "cause", "endpoint")} for pull in found] == [case["expect"]]
    (pull,) = found
    assert pull["message"]
    assert "{" not in pull["message"].split("(")[0] + pull["fix"]
    assert 'configs."' in pull["fix"] or 'mirrors."' in pull["fix"]
    assert set(pull["evidence"]) <= set(case["log"].splitlines())
    assert len(pull["evidence"]) >= 1
