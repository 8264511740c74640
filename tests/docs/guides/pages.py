# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guides: what people read about the collection, and the files that a guide has its reader write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.docs.guides.blocks import Block, blocks

CHECKOUT = Path(__file__).resolve().parents[3]
_PATTERNS = (
    "*.md", "docs/**/*.md", "roles/*/README.md", "examples/**/README.md", "tests/fleet/README.md",
)  # fmt: skip
# It is made of the fragments, and each release's text stays as it was.
_NOT_GUIDES = {"CHANGELOG.md"}


class Guide(NamedTuple):
    """A page; ``name`` is its path below the checkout."""

    name: str
    text: str

    @property
    def blocks(self) -> list[Block]:
        """:raises ValueError: if a fence has no end."""
        return blocks(self.text)

    @property
    def files(self) -> dict[str, str]:
        """What the guide shows as a file: a block whose first line is a comment with its name."""
        return {block.file: block.text for block in self.blocks if block.file}

    def has(self, path: str) -> bool:
        """Whether a reader has a file: shown here, or there in a checkout, seen from its top or from the guide."""
        folders = (CHECKOUT, (CHECKOUT / self.name).parent)
        return path in self.files or any((folder / path).exists() for folder in folders)

    def content(self, path: str) -> Any:
        """A file of YAML that the guide shows; ``None`` for one that it does not show, such as the fleet's own."""
        return yaml.safe_load(self.files[path]) if path in self.files else None


def guides() -> list[Guide]:
    """All, in the order of their names."""
    found = {path.relative_to(CHECKOUT).as_posix() for pattern in _PATTERNS for path in CHECKOUT.glob(pattern)}
    return [Guide(name, (CHECKOUT / name).read_text(encoding="utf-8")) for name in sorted(found - _NOT_GUIDES)]


def make_targets() -> set[str]:
    """The targets of the Makefile, and of the file that it includes."""
    makefiles = [CHECKOUT / "Makefile", CHECKOUT / "tests" / "fleet" / "fleet.mk"]
    return {
        target for path in makefiles for target in re.findall(r"^([\w-]+):", path.read_text(encoding="utf-8"), re.M)
    }
