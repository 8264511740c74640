# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every action plugin that has a module run on a node looks at what comes back before Ansible does."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import AloneAction

ACTIONS = Path(__file__).parents[5] / "plugins" / "action"
ASKS = re.compile(r"\b_execute_module\(|\b_answer_of\(")
ASKING = sorted(path.stem for path in ACTIONS.glob("*.py") if ASKS.search(path.read_text(encoding="utf-8")))


def test_they_are_found() -> None:
    assert {"k3s_registries", "k3s_registries_examine", "k3s_rollout"} <= set(ASKING)


@pytest.mark.parametrize("name", ASKING)
def test_no_answer_gets_past_it(name: str) -> None:
    module = importlib.import_module("ansible_collections.k3sfleet.registries.plugins.action." + name)
    assert issubclass(module.ActionModule, AloneAction)
