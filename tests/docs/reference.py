# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""antsibull-docs' pages, made fit for the docs site.

Nothing internal, no lists of other collections, no contents where the theme has them beside the page, and titles that
begin with what tells them apart: with the collection's name first, a phone shows little else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

_INTERNAL = re.compile(r"^\S+ (?:module|lookup) -- Internal to the (?:role|playbook) ", re.MULTILINE)
_TITLE = re.compile(r"^K3Sfleet\.Registries\n=+$", re.MULTILINE)
_OTHERS = re.compile(r"^\.\. seealso::\n\n    List of :ref:`collections .*\n", re.MULTILINE)
_CONTENTS = re.compile(r"^\.\. contents::\n(?: +:\w+:.*\n)+", re.MULTILINE)
_LONG_TITLE = re.compile(r"^k3sfleet\.registries\.(\w+ \w+) -- (.+)\n\++$", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w+)_(module|filter|lookup|role)$", re.MULTILINE)


def tidy(collections: Path) -> None:
    """Change the pages that ``antsibull-docs collection`` has written to ``collections``."""
    leave_out_internal(collections)
    [index] = collections.glob("*/*/index.rst")
    for path in [*collections.glob("*.rst"), *collections.glob("*/*.rst")]:
        path.unlink()
    _change(index, (_TITLE, "Modules, filters and roles\n=========================="), (_OTHERS, ""), (_CONTENTS, ""))
    _change(index, (_ENTRY, r"    \1 (\2) <\1_\2>"))
    for page in index.parent.glob("*.rst"):
        if page != index:
            _change(page, (_LONG_TITLE, _short_title), (_CONTENTS, ""))


def _short_title(found: re.Match[str]) -> str:
    title = "%s: %s" % (found[1], found[2])
    return "%s\n%s" % (title, "+" * len(title))


def _change(page: Path, *changes: tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]) -> None:
    """What another version of antsibull-docs writes in another way must not stay silently."""
    text = page.read_text(encoding="utf-8")
    for pattern, new in changes:
        text, count = pattern.subn(new, text)
        if not count:
            raise ValueError("antsibull-docs has written %s without %s" % (page.name, pattern.pattern))
    page.write_text(text, encoding="utf-8")


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
