# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page fits a phone and a desk, and is as dark as the reader's system, or as the reader says."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.conftest import mostly_nightly
from tests.docs_pages.conftest import NARROW, SCHEMES, SITE, WIDE

REFERENCE = "collections/k3sfleet/registries/"
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
#: The guides, and of the generated pages one of each kind.
ALWAYS = [
    name for name in PAGES
    if not name.startswith((REFERENCE, "docs/registries/"))
    or name.startswith(tuple(REFERENCE + one for one in ("index", "k3s_registries_", "to_registries_yaml_filter")))
]  # fmt: skip

#: What a reader cannot see to its end: text that is wider than its box, except in boxes that scroll.
CUT_OFF = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, p, li, dt, dd")].filter((element) => {
  if (!element.checkVisibility() || element.closest("pre, .table-wrapper, .sidebar-drawer, .toc-drawer")) return false;
  const box = element.getBoundingClientRect();
  return element.scrollWidth > element.clientWidth + 1 || box.right > document.documentElement.clientWidth + 0.5;
}).map((element) => element.outerHTML.slice(0, 120))"""
#: The pictures that are shown, each with whether it was loaded. A lazy one is loaded when it is scrolled to.
PICTURES = """async () => {
  const shown = [...document.images].filter((image) => image.checkVisibility());
  for (const image of shown) { image.loading = "eager"; await image.decode().catch(() => null); }
  return shown.map((image) => [image.currentSrc.split("/").pop(), image.naturalWidth > 0]);
}"""
#: How light the page is, from 0 to 255, and its text.
LIGHTNESS = """() => [["backgroundColor", "body"], ["color", "article"]].map(([name, where]) =>
  Math.max(...getComputedStyle(document.querySelector(where))[name].match(/\\d+/g).slice(0, 3).map(Number)))"""


@pytest.mark.parametrize("name", mostly_nightly(PAGES, *ALWAYS))
def test_every_page_fits_and_is_dark_in_the_dark(page: Page, site: Path, name: str) -> None:
    page.goto((site / name).as_uri())
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        background, text = page.evaluate(LIGHTNESS)
        assert (background < 50 and text > 180) if scheme == "dark" else (background > 240 and text < 80)
        assert all(loaded and scheme in picture for picture, loaded in page.evaluate(PICTURES))
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.evaluate(CUT_OFF) == []


def test_there_are_as_many_pages_as_guides_and_plugins() -> None:
    assert len(PAGES) > 40
    assert {"index.html", "docs/variables.html", "search.html", REFERENCE + "k3s_registries_role.html"} <= set(PAGES)


@pytest.mark.parametrize(
    ("name", "width"),
    mostly_nightly([
        ("index.html", NARROW),
        ("docs/troubleshooting.html", NARROW),
        (REFERENCE + "index.html", WIDE),
        (REFERENCE + "to_registries_yaml_filter.html", WIDE),
    ], ("index.html", NARROW), (REFERENCE + "to_registries_yaml_filter.html", WIDE)),
)  # fmt: skip
def test_axe_finds_nothing(page: Page, served: str, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("%s/%s" % (served, name))
    assert _violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert _violations(page, runOnly=["color-contrast"]) == []


def _violations(page: Page, **options: object) -> list[tuple[str, list[str]]]:
    found = Axe().run(page, options=options).response["violations"]
    return [(item["id"], [node["html"][:160] for node in item["nodes"][:3]]) for item in found]


def test_the_switch_turns_the_page_and_its_pictures(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    seen = []
    for _press in range(3):
        seen.append((page.evaluate(LIGHTNESS)[0] < 50, page.evaluate(PICTURES)[0][0]))
        page.get_by_role("button", name="Toggle Light / Dark / Auto color theme").last.click()
    assert set(seen) == {(False, "report-light.png"), (True, "report-dark.png")}
