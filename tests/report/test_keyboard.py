# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything can be done without a mouse, and always shows where one is."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import natural
from playwright.sync_api import Page

from tests.report.conftest import Open

VISIBLE_ROWS = "#matrix tbody tr:visible"


def names(page: Page) -> list[str]:
    found: list[str] = page.locator(VISIBLE_ROWS).evaluate_all("rows => rows.map((row) => row.dataset.node)")
    return found


def conditions(page: Page) -> set[str]:
    return set(page.locator(VISIBLE_ROWS).evaluate_all("rows => rows.map((row) => row.dataset.condition)"))


def test_the_first_stop_skips_to_the_report(show: Open) -> None:
    page = show(6).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_every_stop_shows_where_one_is(show: Open) -> None:
    page = show(6).page
    stops = []
    while len(stops) < 200:
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
              const element = document.activeElement;
              if (element === document.body) return null;
              const shown = element.type === "radio" ? element.nextElementSibling : element;
              const style = getComputedStyle(shown);
              const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
              return [element.outerHTML.slice(0, 80), outlined];
            }"""
        )
        if stop is None:
            break
        stops.append(stop)
    assert len(stops) > 20
    assert [stop for stop, visible in stops if not visible] == []


def test_filters_are_chosen_with_arrows_and_say_what_they_found(show: Open, fleets: dict[int, dict[str, Any]]) -> None:
    page = show(40).page
    page.locator("#controls input[value='']").focus()
    page.keyboard.press("ArrowRight")
    troubled = names(page)
    assert 0 < len(troubled) < 40
    assert page.locator("#found").inner_text() == f"{len(troubled)} of 40 nodes"
    assert page.locator("h1").inner_text().startswith(f"{len(troubled)} of 40")
    page.keyboard.press("ArrowRight")
    assert conditions(page) == {"unreachable"}
    assert set(names(page)) == {name for name, host in fleets[40]["hosts"].items() if host["unreachable"]}
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert len(names(page)) == 40


def test_words_narrow_the_table_all_of_them(show: Open) -> None:
    page = show(40).page
    page.locator("#find").focus()
    page.keyboard.type("SITE-B unknown ca")
    assert names(page)
    assert all(name.startswith("site-b") for name in names(page))
    assert all("unknown CA" in text for text in page.locator(VISIBLE_ROWS).all_inner_texts())
    page.keyboard.type(" nothing-like-it")
    assert names(page) == []
    assert page.locator("#found").inner_text() == "0 of 40 nodes"


def test_a_heading_sorts_and_says_so(show: Open) -> None:
    page = show(40).page
    header = page.locator("#matrix thead th").first
    assert page.locator("th[aria-sort]").all_inner_texts() == ["Condition"]
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    ascending = names(page)
    assert ascending == sorted(ascending, key=natural)
    page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "descending"
    assert names(page) == ascending[::-1]
    assert page.locator("th[aria-sort]").count() == 1


def test_numbers_are_sorted_as_numbers(show: Open) -> None:
    page = show(500).page
    page.get_by_role("columnheader", name="Certificate ends").get_by_role("button").press("Enter")
    cells = page.locator(f"{VISIBLE_ROWS} >> td:last-child")
    ends = cells.evaluate_all("cells => cells.map((cell) => +cell.dataset.value)")
    assert ends == sorted(ends)
    assert ends[0] < 0


def test_a_node_opens_over_the_page_and_gives_the_focus_back(show: Open, fleets: dict[int, dict[str, Any]]) -> None:
    page = show(40).page
    name = next(name for name, host in fleets[40]["hosts"].items() if host["pulls"])
    button = page.locator(f'#matrix tr[data-node="{name}"]').get_by_role("button")
    button.press("Enter")
    dialog = page.get_by_role("dialog", name=name)
    assert dialog.is_visible()
    assert page.evaluate("document.getElementById('node').contains(document.activeElement)")
    host = fleets[40]["hosts"][name]
    text = dialog.inner_text()
    for said in (host["info"]["release"], host["pulls"][0]["fix"], *(entry["endpoint"] for entry in host["endpoints"])):
        assert said in text
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.textContent") == name


def test_a_count_of_the_headline_filters_the_table(show: Open) -> None:
    page = show(40).page
    page.locator(".legend a[data-filter='pending']").press("Enter")
    assert conditions(page) == {"pending"}
    page.locator(".legend a[data-filter='ok']").press("Enter")
    assert conditions(page) == {"ok"}


def test_findings_open_by_keyboard_and_tell_what_to_do(show: Open) -> None:
    page = show(40).page
    finding = page.locator("#attention details").first
    finding.locator("summary").press("Enter")
    assert finding.locator(".fix").first.is_visible()
