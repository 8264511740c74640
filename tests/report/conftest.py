# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser for all tests, and pages of fleets of several sizes, each watched for what it must not do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import page as report_page
from playwright.sync_api import Browser, Page

from tests.report import chromium, samples

WIDE, NARROW = 1440, 375


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


@dataclass
class Watched:
    """A page in the browser. `requests` without the one for the page itself; `said`: console messages and errors."""

    page: Page
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


Open = Callable[..., Watched]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Path]:
    """Makes a document's page; the same document is rendered once."""
    folder = tmp_path_factory.mktemp("report")
    made: dict[int, Path] = {}

    def file(document: dict[str, Any]) -> Path:
        key = id(document)
        if key not in made:
            made[key] = folder / f"{len(made)}.html"
            made[key].write_text(report_page.html(document), encoding="utf-8")
        return made[key]

    return file


@pytest.fixture(scope="session")
def fleets() -> dict[int, dict[str, Any]]:
    return {count: samples.document(count) for count in (6, 40, 500)}


@pytest.fixture
def show(
    browser: Browser, files: Callable[[dict[str, Any]], Path], fleets: dict[int, dict[str, Any]]
) -> Iterator[Open]:
    """Opens the page of a document, or of a sample of so many nodes. In the end no page has asked or said anything."""
    opened: list[Watched] = []

    def show_page(
        document: dict[str, Any] | int, width: int = WIDE, scheme: str = "light", script: bool = True, init: str = ""
    ) -> Watched:
        path = files(fleets[document] if isinstance(document, int) else document)
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=script,
        )
        watched = Watched(context.new_page())
        watched.page.on("request", lambda request: watched.requests.append(request.url))
        watched.page.on("console", lambda message: watched.said.append(message.text))
        watched.page.on("pageerror", lambda error: watched.said.append(str(error)))
        watched.page.on("dialog", lambda dialog: watched.said.append("alert: " + dialog.message))
        if init:
            watched.page.add_init_script(init)
        watched.page.goto(path.as_uri())
        watched.requests.remove(path.as_uri())
        opened.append(watched)
        return watched

    yield show_page
    for watched in opened:
        assert watched.requests == []
        assert watched.said == []
        watched.page.context.close()
