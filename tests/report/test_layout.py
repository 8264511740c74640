# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page fits every screen, speaks with and without JavaScript, and stays quick with five hundred nodes."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest

from tests.conftest import mostly_nightly
from tests.report.conftest import NARROW, WIDE, Open

#: Elements that stick out of the screen, except inside of what scrolls by itself.
STICKING_OUT = """() => [...document.body.querySelectorAll("*")].filter((element) => {
  if (element.closest(".scroll, pre, dialog, .skip, .spoken, svg, thead, .controls legend")) return false;
  const box = element.getBoundingClientRect();
  return box.width > 0 && (box.right > document.documentElement.clientWidth + 0.5 || box.left < -0.5);
}).map((element) => element.outerHTML.slice(0, 120))"""
OPEN_ALL = "() => document.querySelectorAll('details').forEach((details) => { details.open = true; })"
COUNT_PARSING = """window.parsed = 0;
const parse = JSON.parse;
JSON.parse = (...given) => { parsed += 1; return parse(...given); };"""
VISIBLE_ROWS = "#matrix tbody tr:visible"


@pytest.mark.parametrize("width", mostly_nightly([320, NARROW, 768, WIDE], 320, WIDE))
@pytest.mark.parametrize("count", mostly_nightly([6, 40, 500], 40))
def test_nothing_sticks_out_of_the_screen(show: Open, count: int, width: int) -> None:
    page = show(count, width).page
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(STICKING_OUT) == []


def test_long_names_do_not_break_a_narrow_screen(show: Open, fleets: dict[int, dict[str, Any]]) -> None:
    document = copy.deepcopy(fleets[6])
    document["hosts"] = {f"{name}-{'x' * 60}.{'y' * 60}.example.com": host for name, host in document["hosts"].items()}
    for host in document["hosts"].values():
        for entry in host["endpoints"]:
            entry["registry"] = f"{'r' * 70}.{entry['registry']}"
    page = show(document, NARROW).page
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    assert page.evaluate(STICKING_OUT) == []


def test_images_by_endpoints(show: Open) -> None:
    page = show(6).page
    rows = page.locator("#rehearsal tbody tr")
    assert rows.count() == 9
    assert rows.first.locator("th").inner_text().startswith("quay.io/legacy/")
    assert "lost" in rows.first.locator("td").first.inner_text()
    page.locator("nav a[href='#rehearsal']").click()
    assert page.locator("#rehearsal").is_visible()


def test_without_javascript_everything_can_be_read(show: Open, fleets: dict[int, dict[str, Any]]) -> None:
    page = show(40, script=False).page
    assert page.locator(VISIBLE_ROWS).count() == 40
    for name in fleets[40]["hosts"]:
        assert page.locator(f'#matrix tr[data-node="{name}"]').inner_text().startswith(name)
    assert not page.locator("#controls").is_visible()
    assert page.locator("#matrix button").count() == 0
    finding = page.locator("#attention details").first
    finding.locator("summary").click()
    assert finding.locator(".fix").is_visible()


def test_trouble_comes_first(show: Open) -> None:
    page = show(500).page
    levels = page.locator(VISIBLE_ROWS).evaluate_all("rows => rows.map((row) => 'troubled' in row.dataset)")
    assert levels == sorted(levels, reverse=True)
    assert levels[0]


def test_five_hundred_nodes_are_folded_and_unfold(show: Open) -> None:
    page = show(500).page
    assert page.locator(VISIBLE_ROWS).count() == 50
    assert page.locator("#found").inner_text() == "500 nodes, the first 50 shown"
    page.get_by_role("button", name="Show the other 450 nodes").click()
    assert page.locator(VISIBLE_ROWS).count() == 500
    assert page.evaluate("document.activeElement.closest('tr').sectionRowIndex") == 50


def test_five_hundred_nodes_stay_light(show: Open) -> None:
    """Counts, which no busy machine changes; and times, loose enough for one that is."""
    page = show(500, init=COUNT_PARSING).page
    assert page.evaluate("document.querySelectorAll('*').length") < 20_000
    assert page.locator(".dots path").count() <= 3 * page.locator(".strip").count()
    assert page.evaluate("parsed") == 0, "the document is parsed before anybody asks for a node"
    assert page.evaluate("performance.getEntriesByType('navigation')[0].domComplete") < 20_000
    began = time.monotonic()
    page.locator("#find").fill("edge-4")
    page.get_by_role("columnheader", name="Node").get_by_role("button").click()
    assert page.locator(VISIBLE_ROWS).count() <= 50
    assert time.monotonic() - began < 10
    page.locator(VISIBLE_ROWS).first.get_by_role("button").click()
    assert page.evaluate("parsed") == 1


def test_a_name_that_is_html_stays_a_name(show: Open, fleets: dict[int, dict[str, Any]]) -> None:
    name = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"
    document = copy.deepcopy(fleets[6])
    document["hosts"][name] = host = document["hosts"].pop("server-1")
    host["unreachable"] = name
    host["errors"] = [{"module": name, "message": name}]
    host["pulls"] = [{"image": name, "cause": name, "endpoint": name, "message": name, "fix": name, "evidence": [name]}]
    host["info"]["problems"] = [{"code": name, "level": name, "message": name, "fix": name}]
    page = show(document).page
    page.evaluate(OPEN_ALL)
    page.locator("#matrix").get_by_role("button", name=name, exact=True).click()
    assert page.locator("#node-title").inner_text() == name
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2


@pytest.mark.parametrize("count", [0, 1])
def test_the_smallest_fleets_have_a_page_too(show: Open, count: int) -> None:
    hosts = {"lonely": {"group": "", "unreachable": "gone", "errors": [], "info": None, "endpoints": [], "pulls": []}}
    page = show({"schema": 1, "generated": "2026-11-25T14:02:00Z", "hosts": hosts if count else {}}).page
    assert page.locator(VISIBLE_ROWS).count() == count
