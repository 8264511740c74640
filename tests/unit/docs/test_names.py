# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides name in their sentences is there: variables, modules, playbooks, roles and filters."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.docs.guides.pages import Guide, guides
from tests.docs.pages import CHECKOUT

# isort: split
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics.metrics import HELP, PREFIX
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.handed_on import NAMES

each_guide = pytest.mark.parametrize("guide", guides(), ids=lambda guide: guide.name)


def _variables() -> set[str]:
    """Every variable that a role takes, at any depth, and those that the playbook lint has of its own or a role hands
    on with set_stats."""
    lint_playbook = (CHECKOUT / "playbooks" / "lint.yml").read_text(encoding="utf-8")
    found: set[str] = set(re.findall(r"\bk3s_registries_lint_\w+", lint_playbook))
    for specs in CHECKOUT.glob("roles/*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"].values():
            found |= set(spec.get("options") or {})
    found |= set(NAMES.values())
    for tasks in CHECKOUT.glob("roles/*/tasks/*.yml"):
        found |= set(re.findall(r"set_stats:\n +data:\n +(k3s_\w+):", tasks.read_text(encoding="utf-8")))
    return found


def _names() -> set[str]:
    """Everything that has a name in the collection: modules, filters, roles, playbooks, metrics."""
    files = [*CHECKOUT.glob("plugins/modules/*.py"), *CHECKOUT.glob("plugins/filter/*.py")]
    found = {path.stem for path in [*files, *CHECKOUT.glob("playbooks/*.yml"), *CHECKOUT.glob("roles/*")]}
    return found | {PREFIX + name for name in HELP}


@each_guide
def test_variables_and_modules_are_there(guide: Guide) -> None:
    known = _variables() | _names()
    named = set(re.findall(r"\bk3s_(?:registries|image_mirror)_\w+", guide.text))
    assert not {name for name in named if name not in known and not any(k.startswith(name) for k in known)}


@each_guide
def test_playbooks_roles_and_filters_are_there(guide: Guide) -> None:
    named = set(re.findall(r"\bk3sfleet\.registries\.(\w+)", guide.text))
    assert not named - _names()
