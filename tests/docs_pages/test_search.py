# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search finds what operators look for, from a web server and from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.docs_pages.conftest import NARROW

#: A word that somebody has, with a page that explains it.
WANTED = [
    ("k3s_registries_cordon", "docs/variables.html"),
    ("rewrite", "docs/lint.html"),
    ("handshake", "docs/troubleshooting.html"),
    ("K3R101", "docs/lint.html"),
]


def _search(page: Page, word: str) -> list[str]:
    """The addresses of the results, in their order."""
    page.get_by_placeholder("Search").fill(word)
    page.keyboard.press("Enter")
    page.get_by_text("Search finished").wait_for()
    links: list[str] = page.locator("#search-results li > a").evaluate_all("all => all.map((link) => link.href)")
    return links


@pytest.mark.parametrize(("word", "name"), WANTED)
def test_a_folder_can_be_searched(browser: Browser, site: Path, word: str, name: str) -> None:
    """Without the lines around what was found, which a browser does not read from other files: the console says so."""
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    results = _search(page, word)
    assert [result for result in results[:5] if result.startswith((site / name).as_uri())], results
    page.close()


def test_a_result_shows_the_lines_around_it_and_leads_there(page: Page, served: str) -> None:
    page.goto(served + "/index.html")
    _search(page, "handshake")
    result = page.locator("#search-results li").filter(has_text="When a pull fails").first
    result.locator(".context").wait_for()
    assert "handshake" in result.locator(".context").inner_text()
    result.get_by_role("link").click()
    assert page.locator(".highlighted").first.inner_text().lower() == "handshake"


def test_a_phone_has_the_search_in_its_menu(page: Page, served: str) -> None:
    page.set_viewport_size({"width": NARROW, "height": 800})
    page.goto(served + "/docs/rollout.html")
    box = page.get_by_placeholder("Search").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 0
    page.locator(".mobile-header label[for=__navigation]").click()
    assert _search(page, "k3s_registries_stop_after")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= NARROW


def test_what_is_nowhere_is_said_to_be_nowhere(page: Page, served: str) -> None:
    page.goto(served + "/index.html")
    page.get_by_placeholder("Search").fill("xyzzyplugh")
    page.keyboard.press("Enter")
    page.get_by_text("did not match any documents").wait_for()
