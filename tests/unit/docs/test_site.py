# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks around the docs site: what they let through would be found by a reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import reference, site_guides
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


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """The files that a site is made of, with an index of one guide."""
    folder = tmp_path / "collection"
    for path in ("README.md", "CONTRIBUTING.md", "docs/README.md", "docs/images/x.png", "requirements/controller.txt"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    index = "## Start\n\n[guide](guide.md)\n\n## End\n\n[z](last.md)\n"
    (folder / "docs" / "README.md").write_text(index, encoding="utf-8")
    return folder


def lay_out(collection: Path) -> Path:
    source = collection.parent / "source"
    source.mkdir()
    site_guides.lay_out(collection, source)
    return source


def test_links_out_of_the_site_lead_to_the_repository_and_broken_ones_stay_broken(collection: Path) -> None:
    text = "[a](../requirements/controller.txt) [b](gone.md) ![c](images/x.png) [d](../README.md#e) [f](https://g.h/i)"
    (collection / "docs" / "guide.md").write_text(text, encoding="utf-8")
    source = lay_out(collection)
    wanted = text.replace("../requirements", site_guides.REPOSITORY + "requirements")
    wanted = wanted.replace("../README.md", "../index.md")
    assert (source / "docs" / "guide.md").read_text(encoding="utf-8") == wanted


def test_the_readme_comes_first_and_the_guides_follow_by_topic(collection: Path) -> None:
    (collection / "README.md").write_text("# Title\n", encoding="utf-8")
    index = (lay_out(collection) / "index.md").read_text(encoding="utf-8")
    assert index.startswith("# Title\n")
    assert ":caption: Start\n\ndocs/README\ndocs/guide\n" in index
    assert ":caption: End\n\ndocs/last\nCONTRIBUTING\n" in index


def test_a_picture_follows_the_switch_and_the_width(collection: Path) -> None:
    picture = (
        '<picture>\n  <source media="(max-width: 9px) and (prefers-color-scheme: dark)" srcset="small-dark.png">\n'
        '  <source media="(max-width: 9px)" srcset="small.png">\n'
        '  <source media="(prefers-color-scheme: dark)" srcset="dark.png">\n'
        '  <img alt="A\n  B" src="light.png">\n</picture>'
    )
    (collection / "README.md").write_text("# Title\n\n%s\n" % picture, encoding="utf-8")
    index = (lay_out(collection) / "index.md").read_text(encoding="utf-8")
    light, dark = re.findall(r"<picture.*?</picture>", index, re.DOTALL)
    assert light == (
        '<picture class="only-light"><source media="(max-width: 9px)" srcset="small.png">'
        '<img alt="A\n  B" src="light.png" loading="lazy"></picture>'
    )
    assert dark.startswith('<picture class="only-dark"><source media="(max-width: 9px)" srcset="small-dark.png">')
    assert 'src="dark.png"' in dark


INDEX = (
    "K3Sfleet.Registries\n===================\n\n.. contents::\n   :local:\n   :depth: 1\n\n"
    "* :ansplugin:`one module <k.r.one#module>` -- Internal\n* :ansplugin:`two module <k.r.two#module>` -- Ask\n"
    "\n.. toctree::\n\n    one_module\n    two_module\n\n"
    ".. seealso::\n\n    List of :ref:`collections <x>` with docs.\n"
)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """What antsibull-docs writes, as short as it can be."""
    folder = tmp_path / "k3sfleet" / "registries"
    folder.mkdir(parents=True)
    (tmp_path / "index_module.rst").write_text("All modules\n", "utf-8")
    two = "k3sfleet.registries.two module -- Ask\n+++++\n\n.. contents::\n   :local:\n   :depth: 1\n\nText\n"
    (folder / "one_module.rst").write_text("k.r.one module -- Internal to the role k3s\\_registries: ask\n", "utf-8")
    (folder / "two_module.rst").write_text(two, "utf-8")
    (folder / "index.rst").write_text(INDEX, "utf-8")
    return folder


def test_internal_modules_are_left_out(pages: Path, tmp_path: Path) -> None:
    reference.tidy(tmp_path)
    assert sorted(page.name for page in tmp_path.rglob("*.rst")) == ["index.rst", "two_module.rst"]
    assert "one" not in (pages / "index.rst").read_text("utf-8")


def test_titles_begin_with_what_tells_pages_apart(pages: Path, tmp_path: Path) -> None:
    reference.tidy(tmp_path)
    assert (pages / "two_module.rst").read_text("utf-8") == "two module: Ask\n+++++++++++++++\n\n\nText\n"
    assert (pages / "index.rst").read_text("utf-8") == (
        "Modules, filters and roles\n==========================\n\n\n"
        "* :ansplugin:`two module <k.r.two#module>` -- Ask\n\n.. toctree::\n\n    two (module) <two_module>\n\n"
    )


def test_pages_of_another_form_do_not_pass_silently(pages: Path, tmp_path: Path) -> None:
    (pages / "index.rst").write_text(INDEX.replace("seealso", "note"), "utf-8")
    with pytest.raises(ValueError, match=r"index\.rst without .*seealso"):
        reference.tidy(tmp_path)
