# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What report, verify and diagnose write, compared with docs/schemas."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any, Iterator, Mapping

from jsonschema import Draft202012Validator

from tests.docs import schemas

CHECKOUT = Path(__file__).resolve().parents[1]


def valid(path: Path) -> dict[str, Any]:
    """The document in a file, which is as its schema says and has no field that the schema does not know."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert not list(mistakes(document, strict=True))
    return document


def mistakes(document: Mapping[str, Any], strict: bool = False) -> Iterator[str]:
    """What a document has that its schema does not allow.

    :param strict: whether fields that the schema does not know are mistakes too.
    """
    for error in _validator(str(document["kind"]), strict).iter_errors(document):
        yield "%s: %s" % (".".join(str(part) for part in error.absolute_path), error.message[:300])


@functools.lru_cache(maxsize=None)
def _validator(kind: str, strict: bool) -> Draft202012Validator:
    found = published(kind)
    return Draft202012Validator(closed(found) if strict else found)


def published(kind: str) -> dict[str, Any]:
    """The schema that users get."""
    path = CHECKOUT / schemas.name(kind)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that allows no other fields than those that it names."""
    found = copy.deepcopy(dict(schema))
    _close(found)
    return found


def _close(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _close(item)
    elif isinstance(node, dict):
        for item in list(node.values()):
            _close(item)
        if isinstance(node.get("properties"), dict):
            node.setdefault("additionalProperties", False)
