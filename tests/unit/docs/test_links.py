# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for people: no link leads nowhere, and no page is left out."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import CHECKOUT
from tests.docs.site_guides import REPOSITORY

PAGES = sorted(
    [
        CHECKOUT / "README.md",
        CHECKOUT / "CONTRIBUTING.md",
        CHECKOUT / "CHANGELOG.md",
        *CHECKOUT.glob("docs/**/*.md"),
        *CHECKOUT.glob("tests/*/README.md"),
        *CHECKOUT.glob("roles/*/README.md"),
    ]
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def _anchor(heading: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_links_lead_somewhere(page) -> None:  # type: ignore[no-untyped-def]
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        path, _hash, anchor = link.partition("#")
        # What is not in the tarball is linked as the repository has it.
        folder, path = (CHECKOUT, path[len(REPOSITORY) :]) if path.startswith(REPOSITORY) else (page.parent, path)
        if "://" in path:
            continue
        target = (folder / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, link


def test_every_guide_is_in_the_index() -> None:
    index = (CHECKOUT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in CHECKOUT.glob("docs/**/*.md"):
        path = str(page.relative_to(CHECKOUT / "docs"))
        assert path == "README.md" or "(%s)" % path in index, path
    assert "docs/README.md" in (CHECKOUT / "README.md").read_text(encoding="utf-8")
