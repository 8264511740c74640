# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""antsibull-docs' pages, made fit for the docs site: nothing internal, no lists of other collections, short names."""

from __future__ import annotations

import re
from pathlib import Path

_INTERNAL = re.compile(r"^\S+ (?:module|lookup) -- Internal to the (?:role|playbook) ", re.MULTILINE)
_TITLE = re.compile(r"^K3Sfleet\.Registries\n=+$", re.MULTILINE)
_OTHERS = re.compile(r"^\.\. seealso::\n\n    List of :ref:`collections .*\n", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w+)_(module|filter|lookup|role)$", re.MULTILINE)


def tidy(collections: Path) -> None:
    """Change the pages that ``antsibull-docs collection`` has written to ``collections``."""
    leave_out_internal(collections)
    [index] = collections.glob("*/*/index.rst")
    for path in [*collections.glob("*.rst"), *collections.glob("*/*.rst")]:
        path.unlink()
    text = index.read_text(encoding="utf-8")
    text = _replace(_TITLE, "Modules, filters and roles\n==========================", text)
    text = _replace(_OTHERS, "", text)
    text = _replace(_ENTRY, r"    \1 (\2) <\1_\2>", text)
    index.write_text(text, encoding="utf-8")


def _replace(pattern: re.Pattern[str], new: str, text: str) -> str:
    """What another version of antsibull-docs writes in another way must not stay silently."""
    changed, count = pattern.subn(new, text)
    if not count:
        raise ValueError("antsibull-docs has written an index without %s" % pattern.pattern)
    return changed


def leave_out_internal(pages: Path) -> None:
    """Ansible has no private plugins. Those that may change with any release are no reference for anybody."""
    internal = [page for page in pages.rglob("*.rst") if _INTERNAL.search(page.read_text(encoding="utf-8"))]
    for page in internal:
        page.unlink()
    names = "|".join(page.stem.replace("_module", "").replace("_lookup", "") for page in internal)
    for index in pages.rglob("index*.rst") if internal else ():
        text = index.read_text(encoding="utf-8")
        listed = r"^(\* :ansplugin:`.*\b(%s)#(module|lookup).*| +(%s)_(module|lookup))\n" % (names, names)
        index.write_text(re.sub(listed, "", text, flags=re.MULTILINE), encoding="utf-8")
