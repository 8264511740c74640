# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of docs/registries: one for each recipe, with what a reader looks for.

What is generated in them is compared by tests/unit/docs/test_pages.py.
"""

from __future__ import annotations

import re

import pytest

from tests.recipes import blocks, page
from tests.recipes.catalogue import RECIPES
from tests.recipes.recipe import Recipe

each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.page)
_LONGEST_LINE = 128


def _text(recipe: Recipe) -> str:
    return (blocks.FOLDER / f"{recipe.page}.md").read_text(encoding="utf-8")


def test_every_page_is_a_recipe_and_the_reverse() -> None:
    assert sorted(path.stem for path in blocks.FOLDER.glob("*.md")) == sorted(recipe.page for recipe in RECIPES)


@each_recipe
def test_no_block_of_a_page_has_an_error(recipe: Recipe) -> None:
    assert not [finding for finding in page.findings(recipe) if finding["level"] == "error"]


@each_recipe
def test_every_image_of_a_page_is_asked_for_where_the_page_says(recipe: Recipe) -> None:
    text = _text(recipe)
    for image in recipe.images:
        asked = page.requests(recipe, image)
        assert asked
        assert "\n".join([image, *(f"  {url}" for url in asked)]) in text


@each_recipe
def test_what_is_filled_has_a_place_and_what_is_not_says_why(recipe: Recipe) -> None:
    text = _text(recipe)
    places = [page.target(recipe, image) for image in recipe.images]
    if recipe.filled:
        assert any(places)
        assert all(f"{image} -> {place}" in text for image, place in zip(recipe.images, places) if place)
        assert "mirror_images](../airgap.md)" in text or "`mirror_images`" in text
    filling = text.split("\n## Fill it\n")[1].split("\n## ")[0]
    assert len(filling.split()) > 8


@each_recipe
def test_a_page_says_how_it_was_tested_and_where_it_is_documented(recipe: Recipe) -> None:
    text = _text(recipe)
    assert len(re.findall(r"^\*\*Tested\*\* (?:with|on) ", text, re.MULTILINE)) == 1
    sources = text.split("\n## Where this is documented\n")[1]
    assert re.search(r"^Looked up on \d{4}-\d\d-\d\d:$", sources, re.MULTILINE)
    assert "](https://" in sources


@each_recipe
def test_a_page_and_the_table_of_what_works_say_whether_a_fleet_tries_it(recipe: Recipe) -> None:
    tested = " ".join(re.findall(r"^\*\*Tested\*\*.*?(?=\n\n)", _text(recipe), re.MULTILINE | re.DOTALL)[0].split())
    table = (blocks.FOLDER.parent / "compatibility.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("|") and f"(registries/{recipe.page}.md)" in line]
    said = [[cell.strip() for cell in row.split("|")[2:4]] for row in rows]
    if recipe.not_on_fleet:
        assert f"not tried on a fleet, because {recipe.not_on_fleet}." in tested
        assert said == [["no", recipe.not_on_fleet]]
    else:
        assert "On a fleet, " in tested
        assert ("`mirror_images` fills" in tested) == (recipe.filled or recipe.page == "distribution")
        assert [yes for yes, _how in said] == ["yes"]


@each_recipe
def test_a_page_with_credentials_leads_to_the_guide_about_them(recipe: Recipe) -> None:
    configs = page.config_of(recipe).get("configs") or {}
    if any("auth" in settings for settings in configs.values()):
        assert "../credentials.md" in _text(recipe)


@each_recipe
def test_lines_are_short_enough_to_read_as_text(recipe: Recipe) -> None:
    lines = [line for line in _text(recipe).splitlines() if not line.startswith(("|", "- ["))]
    assert not [line for line in lines if len(line) > _LONGEST_LINE]


def test_the_guide_about_credentials_leads_to_the_recipes() -> None:
    text = (blocks.FOLDER.parent / "credentials.md").read_text(encoding="utf-8")
    for name in ("harbor", "gitlab", "docker-hub", "acr", "artifact-registry", "ecr", "quay"):
        assert f"(registries/{name}.md)" in text, name
