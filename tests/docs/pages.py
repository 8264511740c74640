# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated pages of docs/. To add one: a module with a function that returns its text, and a line here."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.docs import lint_page, schemas, variables_page
from tests.recipes import page as recipe_page
from tests.recipes.catalogue import RECIPES
from tests.registry_faults import page as troubleshooting_page

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).resolve().parents[2]

#: Path below the checkout to the function that makes the page's text.
PAGES: dict[str, Callable[[], str]] = {
    "docs/lint.md": lint_page.text,
    "docs/troubleshooting.md": troubleshooting_page.text,
    "docs/variables.md": variables_page.text,
    **{f"docs/registries/{recipe.page}.md": functools.partial(recipe_page.text, recipe) for recipe in RECIPES},
    **{schemas.name(kind): functools.partial(schemas.text, kind) for kind in schemas.KINDS},
}


def write() -> list[str]:
    """Writes the pages that differ; returns their paths."""
    changed = []
    for name, text in PAGES.items():
        path = CHECKOUT / name
        content = text()
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            changed.append(name)
    return changed
