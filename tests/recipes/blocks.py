# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML of the pages in docs/registries, as it is written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "registries"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}")
#: Expressions that stand for something else than a word.
_VALUES = {"ansible_host": "192.0.2.11"}


def _filled(text: str) -> str:
    """Expressions replaced by what they could give: a password, unless it is known."""
    return _EXPRESSION.sub(lambda found: _VALUES.get(found[1], "secret-of-" + re.sub(r"\W.*", "", found[1])), text)


def variables(page: str) -> list[dict[str, Any]]:
    """Every YAML block of a page that sets variables of the collection, in order.

    :param page: the page's name without its suffix.
    """
    found = []
    for block in _BLOCK.findall((FOLDER / f"{page}.md").read_text(encoding="utf-8")):
        content = yaml.safe_load(_filled(block))
        if isinstance(content, dict) and any(name.startswith("k3s_registries") for name in content):
            found.append(content)
    return found


def recipe(page: str) -> dict[str, Any]:
    """The block that the page begins with: its recipe."""
    return variables(page)[0]


def without_files(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose servers have certificates of the system's authorities: no files are needed for them."""
    configs = {}
    for host, settings in (config.get("configs") or {}).items():
        configs[host] = {name: value for name, value in settings.items() if name != "tls"}
    return {"mirrors": config.get("mirrors") or {}, "configs": configs}
