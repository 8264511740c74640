# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from tests.docs.lint_page import _prose, _source
from tests.docs.pages import CHECKOUT, PAGES

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_what_their_generators_say(name: str) -> None:
    assert (CHECKOUT / name).read_text(encoding="utf-8") == PAGES[name](), f"{name} is out of date: run `make docs`"


def test_every_module_that_declares_rules_is_on_the_page() -> None:
    page = (CHECKOUT / "docs/lint.md").read_text(encoding="utf-8")
    sources = (CHECKOUT / "plugins/module_utils/_lint").glob("*.py")
    written = {code for source in sources for code in re.findall(r'"(K3R\d{3})"', source.read_text(encoding="utf-8"))}
    assert len(written) > 90
    assert written == set(re.findall(r"^### (K3R\d{3})$", page, re.MULTILINE))


def test_every_rule_is_on_the_page_with_its_level_and_source() -> None:
    page = (CHECKOUT / "docs/lint.md").read_text(encoding="utf-8")
    for rule in CATALOGUE.values():
        section = page.split(f"\n### {rule.code}\n")[1].split("\n#")[0]
        assert f"({rule.level})" in section
        assert _source(rule.source) in section
        assert _prose(rule.fix) in section


def test_words_are_shown_as_they_are() -> None:
    assert _prose('`*` and "*" in <b>') == '`*` and "\\*" in \\<b\\>'
    assert _source("see https://a.b/c_d (x_y)") == "see <https://a.b/c_d> (x\\_y)"
