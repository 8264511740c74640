# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guides for the docs site: README.md as its first page, the others as they lie in the collection."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

REPOSITORY = "https://github.com/k3sfleet/registries/blob/main/"
_LINK = re.compile(r"(?<=\]\()(?![\w+.-]+:|#)([^)\s#]+)")
_GUIDE = re.compile(r"\]\(([\w/-]+)\.md\)")
_PICTURE = re.compile(r"^<picture>.*?^</picture>$", re.MULTILINE | re.DOTALL)
_SOURCE = re.compile(r'<source media="([^"]+)" srcset="([^"]+)">')
_IMAGE = re.compile(r'<img [^>]*?src="([^"]+)"[^>]*>', re.DOTALL)
_TOCTREE = """
```{toctree}
:hidden:
:maxdepth: 1
:caption: %s

%s
```
"""
_REFERENCE = (
    "Reference",
    "Modules, filters and roles <collections/k3sfleet/registries/index>\n"
    "Source code <https://github.com/k3sfleet/registries>",
)


def lay_out(collection: Path, source: Path) -> None:
    """Put the guides of ``collection`` into ``source``, with links and pictures that work on the site."""
    shutil.copytree(collection / "docs", source / "docs", ignore=shutil.ignore_patterns("docsite"))
    shutil.copy2(collection / "README.md", source / "index.md")
    shutil.copy2(collection / "CONTRIBUTING.md", source / "CONTRIBUTING.md")
    for page in source.rglob("*.md"):

        def elsewhere(found: re.Match[str], page: Path = page) -> str:
            return _elsewhere(found[1], page, collection, source)

        text = _PICTURE.sub(_one_for_each_scheme, page.read_text(encoding="utf-8"))
        page.write_text(_LINK.sub(elsewhere, text), encoding="utf-8")
    with (source / "index.md").open("a", encoding="utf-8") as index:
        index.writelines(_TOCTREE % entry for entry in [*_navigation(source / "docs" / "README.md"), _REFERENCE])


def _navigation(guides: Path) -> list[tuple[str, str]]:
    """Each heading of the guides' index with the pages below it; the index itself comes first."""
    sections = re.split(r"^## (.+)$", guides.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = [(title, _GUIDE.findall(body)) for title, body in zip(sections[::2], sections[1::2])]
    pages = [(title, ["docs/%s" % guide for guide in guides_]) for title, guides_ in found]
    pages[0][1].insert(0, "docs/README")
    pages[-1][1].append("CONTRIBUTING")
    return [(title, "\n".join(entries)) for title, entries in pages]


def _elsewhere(link: str, page: Path, collection: Path, source: Path) -> str:
    """A link to what the collection has and the site has not, such as an example, leads to the repository."""
    path = os.path.relpath((page.parent / link).resolve(), source.resolve())
    if path == "README.md":
        return os.path.relpath(source / "index.md", page.parent)
    if (source / path).exists() or not (collection / path).exists():
        return link
    return REPOSITORY + path


def _one_for_each_scheme(picture: re.Match[str]) -> str:
    """A picture that follows the theme's switch. The media of its sources knows only what the system prefers."""
    image = _IMAGE.search(picture[0])
    if image is None:
        raise ValueError("a picture without an image: %s" % picture[0])
    shown = []
    for scheme in ("light", "dark"):
        sources, address = "", image[1]
        for media, path in _SOURCE.findall(picture[0]):
            terms = media.split(" and ")
            others = [term for term in terms if "prefers-color-scheme" not in term]
            if terms != others and "(prefers-color-scheme: %s)" % scheme not in terms:
                continue
            if others:
                sources += '<source media="%s" srcset="%s">' % (" and ".join(others), path)
            else:
                address = path
        tag = image[0].replace('src="%s"' % image[1], 'src="%s" loading="lazy"' % address)
        shown.append('<picture class="only-%s">%s%s</picture>' % (scheme, sources, tag))
    return "<div>%s</div>" % "".join(shown)
