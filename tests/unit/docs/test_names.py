# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages name is there: variables, playbooks and plugins, make targets; and their examples are no mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import CHECKOUT

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics.metrics import HELP, PREFIX
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.handed_on import NAMES

PAGES = sorted(
    [
        CHECKOUT / "README.md",
        CHECKOUT / "CONTRIBUTING.md",
        *CHECKOUT.glob("docs/*.md"),
        *CHECKOUT.glob("roles/*/README.md"),
        *CHECKOUT.glob("tests/fleet/README.md"),
    ]
)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))


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


@each_page
def test_variables_and_modules_are_there(page: Path) -> None:
    known = _variables() | _names()
    named = set(re.findall(r"\bk3s_(?:registries|image_mirror)_\w+", page.read_text(encoding="utf-8")))
    assert not {name for name in named if name not in known and not any(k.startswith(name) for k in known)}


@each_page
def test_playbooks_roles_and_filters_are_there(page: Path) -> None:
    named = set(re.findall(r"\bk3sfleet\.registries\.(\w+)", page.read_text(encoding="utf-8")))
    assert not named - _names()


@each_page
def test_targets_of_make_are_there(page: Path) -> None:
    makefiles = [CHECKOUT / "Makefile", CHECKOUT / "tests" / "fleet" / "fleet.mk"]
    targets = {
        target for path in makefiles for target in re.findall(r"^([\w-]+):", path.read_text(encoding="utf-8"), re.M)
    }
    text = page.read_text(encoding="utf-8")
    said = re.findall(r"`make ([a-z -]+)`", text) + re.findall(r"^make ((?:[a-z-]+ )*[a-z-]+)", text, re.M)
    named = {word for words in said for word in words.split("  ")[0].split()}
    assert not named - targets


def _examples() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for page in PAGES:
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S), 1):
            content = yaml.safe_load(block)
            config = content.get("k3s_registries") if isinstance(content, dict) else None
            # "..." stands for whatever the reader has.
            if isinstance(config, dict) and "..." not in str(config):
                found.append(("%s, block %d" % (page.name, number), config))
    return found


def test_examples_of_a_configuration_have_no_finding() -> None:
    examples = _examples()
    assert {name.partition(",")[0] for name, _config in examples} >= {"README.md", "airgap.md"}
    for name, config in examples:
        # An expression stands for what is somewhere else.
        text = re.sub(r"\bexpires: '\{\{[^}]*\}\}'", "expires: 2100-01-31", yaml.safe_dump(config, width=1000))
        given = yaml.safe_load(re.sub(r"\{\{[^}]*\}\}", "text", text))
        assert not [finding for finding in lint(given, shipping_keys=True) if finding["level"] == "error"], name
