# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.docs.site [COLLECTIONS [FOLDER]]``: a site of every module, filter, role and guide.

antsibull-docs writes the pages of what ansible-doc shows, MyST reads the guides as they are, Sphinx puts both together.
Modules that are internal to a role, which their first line says, are left out.
Any warning is an error, as is a link to nothing and a page that no link leads to.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.crawl import crawl

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "k3sfleet.registries"
REPOSITORY = "https://github.com/k3sfleet/registries/blob/main/"
BIN = Path(sys.executable).parent
_LINK = re.compile(r"(?<=\]\()(?![\w+.-]+:|#)([^)\s#]+)")
_INTERNAL = re.compile(r"^\S+ (?:module|lookup) -- Internal to the (?:role|playbook) ", re.MULTILINE)
_INDEX = """\
%(name)s
%(line)s

.. toctree::
   :maxdepth: 1

   README

.. toctree::
   :caption: Guides
   :maxdepth: 1

   docs/README
   %(guides)s
   CONTRIBUTING

.. toctree::
   :caption: Reference
   :maxdepth: 2

   Modules, filters and roles <collections/k3sfleet/registries/index>

.. toctree::
   :hidden:
   :glob:

   collections/*
"""


def build(collections: Path, folder: Path) -> Path:
    """Make the site of the collection below ``collections`` in ``folder``; returns its first page.

    Raises ``subprocess.CalledProcessError`` with the tool's words in ``output``, or ``ValueError`` from the links.
    """
    source, site = folder / "source", folder / "html"
    shutil.rmtree(folder, ignore_errors=True)
    source.mkdir(parents=True)
    # antsibull-docs writes only where nobody else can.
    source.chmod(0o700)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "DOCS_SITE": str(folder),
        "PATH": "%s:%s" % (BIN, os.environ["PATH"]),
    }
    _run(environment, "antsibull-docs", "collection", "--use-current", "--fail-on-error", "--dest-dir", source, NAME)
    _leave_out_internal(source / "collections")
    _guides(collections / "ansible_collections" / Path(*NAME.split(".")), source)
    settings = Path(__file__).with_name("sphinx")
    words = ("-b", "html", "-c", settings, "--fail-on-warning", "--keep-going", "--quiet", source, site)
    _run(environment, "sphinx-build", *words)
    # Sphinx does not see the pictures in a guide's HTML, which has one for dark screens.
    shutil.copytree(source / "docs" / "images", site / "docs" / "images")
    crawl(site / "index.html")
    return site / "index.html"


def _run(environment: dict[str, str], tool: str, *words: object) -> None:
    subprocess.run(
        [str(BIN / tool), *map(str, words)],
        env=environment, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _leave_out_internal(pages: Path) -> None:
    """Ansible has no private plugins. Those that may change with any release are no reference for anybody."""
    internal = [page for page in pages.rglob("*.rst") if _INTERNAL.search(page.read_text(encoding="utf-8"))]
    for page in internal:
        page.unlink()
    names = "|".join(page.stem.replace("_module", "").replace("_lookup", "") for page in internal)
    for index in pages.rglob("index*.rst") if internal else ():
        text = index.read_text(encoding="utf-8")
        listed = r"^(\* :ansplugin:`.*\b(%s)#(module|lookup).*| +(%s)_(module|lookup))\n" % (names, names)
        index.write_text(re.sub(listed, "", text, flags=re.MULTILINE), encoding="utf-8")


def _guides(collection: Path, source: Path) -> None:
    """The guides beside antsibull-docs' pages, as they lie in the collection, and the first page in their order."""
    shutil.copytree(collection / "docs", source / "docs", ignore=shutil.ignore_patterns("docsite"))
    for name in ("README.md", "CONTRIBUTING.md"):
        shutil.copy2(collection / name, source / name)
    for page in source.rglob("*.md"):

        def elsewhere(found: re.Match[str], page: Path = page) -> str:
            return _elsewhere(found[1], page, collection, source)

        page.write_text(_LINK.sub(elsewhere, page.read_text(encoding="utf-8")), encoding="utf-8")
    guides = re.findall(r"\]\(([\w/-]+)\.md\)", (source / "docs" / "README.md").read_text(encoding="utf-8"))
    known = {"name": NAME, "line": "=" * len(NAME), "guides": "\n   ".join("docs/%s" % guide for guide in guides)}
    (source / "index.rst").write_text(_INDEX % known, encoding="utf-8")


def _elsewhere(link: str, page: Path, collection: Path, source: Path) -> str:
    """A link to what the collection has and the site has not, such as an example, leads to the repository."""
    path = os.path.relpath((page.parent / link).resolve(), source.resolve())
    if (source / path).exists() or not (collection / path).exists():
        return link
    return REPOSITORY + path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument("collections", nargs="?", default=CHECKOUT / ".ansible" / "collections", type=Path)
    parser.add_argument("folder", nargs="?", default=CHECKOUT / ".cache" / "docs-site", type=Path)
    given = parser.parse_args()
    try:
        first = build(given.collections.resolve(), given.folder.resolve())
    except subprocess.CalledProcessError as error:
        sys.exit("%s\n%s" % (" ".join(error.cmd), error.output))
    except ValueError as error:
        sys.exit(str(error))
    print("docs site: %d pages, %s" % (len(list(first.parent.rglob("*.html"))), first))


if __name__ == "__main__":
    main()
