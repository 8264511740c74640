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
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs import reference, site_guides
from tests.docs.crawl import crawl

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "k3sfleet.registries"
BIN = Path(sys.executable).parent


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
    reference.tidy(source / "collections")
    site_guides.lay_out(collections / "ansible_collections" / Path(*NAME.split(".")), source)
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
