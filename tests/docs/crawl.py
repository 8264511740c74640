# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows a site's links from its first page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

# Sphinx' search page is reached by its form.
_FOUND_OTHERWISE = {"search.html", "genindex.html"}

_LINKS = {("a", "href"), ("img", "src"), ("source", "srcset")}


class _Page(HTMLParser):
    """Where a page's links and pictures lead, and the names within it that links can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (tag, name) in _LINKS:
                self.links.append(value)
            elif value and (name == "id" or (tag == "a" and name == "name")):
                self.names.add(value)


def crawl(first: Path) -> None:
    """Raise ``ValueError`` with every link from ``first`` on that leads nowhere, and every page that none leads to."""
    pages = {path: _Page(path) for path in first.parent.rglob("*.html")}
    wrong = []
    reached, waiting = {first}, [first]
    while waiting:
        page = waiting.pop()
        for link in pages[page].links:
            path, _hash, name = unquote(link).partition("#")
            if "://" in path or path.startswith(("mailto:", "data:")):
                continue
            target = (page.parent / path).resolve() if path else page
            if not target.is_file() or (name and target in pages and name not in pages[target].names):
                wrong.append("%s: %s leads nowhere" % (page.relative_to(first.parent), link))
            if target in pages and target not in reached:
                reached.add(target)
                waiting.append(target)
    lost = sorted(str(page.relative_to(first.parent)) for page in set(pages) - reached)
    wrong += ["%s: no link leads there" % page for page in lost if page not in _FOUND_OTHERWISE]
    if wrong:
        raise ValueError("\n".join(sorted(set(wrong))))
