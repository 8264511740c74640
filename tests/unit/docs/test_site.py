# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks around the docs site: what they let through would be found by a reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import site
from tests.docs.crawl import crawl


def page(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<html><body>%s</body></html>" % body, encoding="utf-8")
    return path


def test_pages_that_lead_to_each_other_are_a_site(tmp_path: Path) -> None:
    first = page(tmp_path, "index.html", '<a href="a/b.html#two%20words">b</a> <a href="https://example.com/no">x</a>')
    page(tmp_path, "a/b.html", '<h1 id="two words">b</h1><a href="../index.html">back</a><img src="../p.png">')
    (tmp_path / "p.png").touch()
    crawl(first)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<a href="gone.html">x</a><a href="b.html">b</a>', r"^index\.html: gone\.html leads nowhere$"),
        ('<a href="b.html#gone">x</a>', r"^index\.html: b\.html#gone leads nowhere$"),
        ('<a href="b.html">x</a><source srcset="dark.png">', r"^index\.html: dark\.png leads nowhere$"),
        ("", r"^b\.html: no link leads there$"),
    ],
)
def test_what_a_reader_would_stumble_over_is_named(tmp_path: Path, body: str, message: str) -> None:
    first = page(tmp_path, "index.html", body)
    page(tmp_path, "b.html", "")
    with pytest.raises(ValueError, match=message):
        crawl(first)


def test_links_out_of_the_site_lead_to_the_repository_and_broken_ones_stay_broken(tmp_path: Path) -> None:
    collection, source = tmp_path / "collection", tmp_path / "source"
    for path in ("README.md", "CONTRIBUTING.md", "docs/README.md", "docs/images/x.png", "requirements/controller.txt"):
        (collection / path).parent.mkdir(parents=True, exist_ok=True)
        (collection / path).touch()
    text = "[a](../requirements/controller.txt) [b](gone.md) ![c](images/x.png) [d](../README.md#e) [f](https://g.h/i)"
    (collection / "docs" / "guide.md").write_text(text, encoding="utf-8")
    (collection / "docs" / "README.md").write_text("[guide](guide.md)", encoding="utf-8")
    source.mkdir()
    site._guides(collection, source)
    wanted = text.replace("../requirements", site.REPOSITORY + "requirements")
    assert (source / "docs" / "guide.md").read_text(encoding="utf-8") == wanted
    assert "docs/guide\n" in (source / "index.rst").read_text(encoding="utf-8")


def test_internal_modules_are_left_out(tmp_path: Path) -> None:
    pages = tmp_path / "k3sfleet" / "registries"
    pages.mkdir(parents=True)
    (pages / "one_module.rst").write_text("k.r.one module -- Internal to the role k3s\\_registries: ask\n", "utf-8")
    (pages / "two_module.rst").write_text("k.r.two module -- Ask\n", "utf-8")
    index = (
        "* :ansplugin:`one module <k.r.one#module>` -- Internal\n* :ansplugin:`two module <k.r.two#module>` -- Ask\n"
        "\n.. toctree::\n\n    one_module\n    two_module\n"
    )
    (pages / "index.rst").write_text(index, "utf-8")
    site._leave_out_internal(tmp_path)
    assert sorted(page.name for page in pages.iterdir()) == ["index.rst", "two_module.rst"]
    assert "one" not in (pages / "index.rst").read_text("utf-8")
    assert (pages / "index.rst").read_text("utf-8").count("two_module\n") == 1
