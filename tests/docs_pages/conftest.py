# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser, and the site as a folder and as a web server shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.docs.pages import CHECKOUT
from tests.report import chromium

SITE = CHECKOUT / ".cache" / "docs-site" / "html"
WIDE, NARROW = 1280, 375
SCHEMES = ("light", "dark")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


@pytest.fixture(scope="session")
def site() -> Path:
    if not (SITE / "index.html").is_file():
        pytest.fail("there is no docs site: run `make docs-site`, or `make docs-check`, which builds one first")
    return SITE


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on a wide, light screen. In the end its console must not have an error or a warning."""
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, color_scheme="light")
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    assert said == []


@pytest.fixture
def served(page: Page, site: Path) -> str:
    """The address of the site on a web server, which Playwright answers for.

    A real one is not reached whenever the network of this machine changes, as it does while fleets come and go.
    """

    def answer(route: Route) -> None:
        path = site / unquote(urlsplit(route.request.url).path).lstrip("/")
        if path.is_file():
            route.fulfill(path=path)
        else:
            route.fulfill(status=404)

    page.route("http://site.test/**", answer)
    return "http://site.test"
