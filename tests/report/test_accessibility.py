# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a screen reader is told, and what eyes can tell apart, in light and in dark."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.conftest import mostly_nightly
from tests.report.conftest import NARROW, WIDE, Open

#: Every text with its contrast to what is really behind it, as WCAG 2 defines it.
CONTRASTS = """() => {
  const parse = (text) => {
    const [red, green, blue, alpha = 1] = text.match(/[\\d.]+/g).map(Number);
    return { rgb: [red, green, blue], alpha };
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("script, .spoken, .skip, legend")) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const colour = parse(element instanceof SVGElement ? style.fill : style.color).rgb;
    const [one, two] = [luminance(colour), luminance(behind(element))].sort((a, b) => b - a);
    found.push([Math.round(100 * (one + 0.05) / (two + 0.05)) / 100, walker.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
}"""
OPEN_ALL = "() => document.querySelectorAll('details').forEach((details) => { details.open = true; })"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_every_text_stands_out_from_what_is_behind_it(show: Open, width: int, scheme: str) -> None:
    page = show(40, width, scheme).page
    page.evaluate(OPEN_ALL)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 300
    assert [text for ratio, text in contrasts if ratio < 4.5] == []
    page.locator("#matrix tbody button").first.click()
    assert [text for ratio, text in page.evaluate(CONTRASTS) if ratio < 4.5] == []


def test_dark_is_dark(show: Open) -> None:
    backgrounds = [
        show(6, scheme=scheme).page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        for scheme in ("light", "dark")
    ]
    sums = [sum(int(part) for part in text[4:-1].split(",")) for text in backgrounds]
    assert sums[0] > 700
    assert sums[1] < 100


@pytest.mark.parametrize(
    ("width", "scheme", "count"),
    mostly_nightly(
        [(WIDE, "light", 40), (WIDE, "dark", 6), (NARROW, "light", 40), (NARROW, "dark", 40)],
        (WIDE, "dark", 6), (NARROW, "light", 40),
    ),
)  # fmt: skip
def test_axe_finds_nothing(show: Open, width: int, scheme: str, count: int) -> None:
    page = show(count, width, scheme).page
    page.evaluate(OPEN_ALL)
    assert _violations(page) == []


def test_axe_finds_nothing_about_one_node(show: Open) -> None:
    page = show(40).page
    page.locator("#matrix tbody tr").nth(1).get_by_role("button").click()
    assert _violations(page) == []


def _violations(page: Any) -> list[tuple[str, list[str]]]:
    found = Axe().run(page).response["violations"]
    return [(item["id"], [node["html"][:160] for node in item["nodes"][:3]]) for item in found]


def test_the_page_has_landmarks_one_heading_and_no_gaps_between_levels(show: Open) -> None:
    page = show(40).page
    for role in ("banner", "main", "navigation", "contentinfo", "search"):
        assert page.get_by_role(role).count() == 1, role
    levels = page.locator("h1, h2, h3").evaluate_all(
        "all => all.filter((one) => one.checkVisibility()).map((one) => +one.tagName[1])"
    )
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_the_table_stays_a_table_on_every_screen(show: Open, width: int) -> None:
    page = show(6, width).page
    table = page.locator("#matrix")
    assert table.aria_snapshot().startswith("- 'table \"What each node gets")
    headers = table.get_by_role("columnheader").count()
    assert headers == 9
    row = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="server-1"))
    assert row.get_by_role("cell").count() == headers - 1
    assert "214 days" in row.aria_snapshot()


def test_every_plot_says_in_words_what_it_shows(show: Open) -> None:
    page = show(40).page
    plots = page.get_by_role("img")
    assert plots.count() == 5
    for number in range(plots.count()):
        label = plots.nth(number).get_attribute("aria-label") or ""
        assert "median" in label
        assert "slowest" in label
    page.get_by_text("The same as a table").click()
    rows = page.locator("#latency table tbody tr")
    assert rows.count() == plots.count()


def test_every_square_and_bar_has_its_words(show: Open, fleets: dict[int, dict[str, Any]]) -> None:
    """Colours are for the eye only: what they say stands in the legend, in the shares and in the table."""
    page = show(40).page
    assert page.locator(".squares i").count() == len(fleets[40]["hosts"])
    assert page.locator(".squares:not([aria-hidden])").count() == 0
    counts = [int(text) for text in page.locator(".legend .mark").all_inner_texts()]
    assert sum(counts) == len(fleets[40]["hosts"])
    assert all(text.strip() for text in page.locator(".shares .said").all_inner_texts())


def test_shapes_differ_where_colours_do(show: Open) -> None:
    page = show(40).page
    shapes = page.evaluate(
        """() => ["ok", "warning", "error", "info", "unknown"].map((level) => {
          const style = getComputedStyle(document.querySelector(`.legend .mark.${level}`), "::before");
          return style.clipPath + style.borderStyle;
        })"""
    )
    assert len(set(shapes)) == 5
