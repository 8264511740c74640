# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many nodes of a fleet have in common, although names and times differ: rows and sentences. Pure."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Sequence

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){3,7}\b")
_FAST = re.compile(r"ok \d")


def alike(found: Sequence[Mapping[str, Any]], most: int | None) -> tuple[list[Mapping[str, Any]], list[str]]:
    """At most ``most`` rows, those of nodes that fail first, then those with warnings; and the hosts of all others.

    :param found: see ``verdict``; the hosts of a row are in this order.
    :param most: None for a row for each node.
    """
    if most is None:
        return list(found), []
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for item in found:
        groups.setdefault(_key(item), []).append(item)
    ordered = sorted(groups.values(), key=_rank)
    left_out = [str(item["host"]) for items in ordered[most:] for item in items]
    return [_row(items) for items in ordered[:most]], left_out


def _rank(items: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    return bool(items[0]["ok"]), not any(item["warnings"] for item in items), -len(items)


def _key(item: Mapping[str, Any]) -> tuple[Any, ...]:
    cells = tuple(sorted((endpoint, _without_time(cell)) for endpoint, cell in item["cells"].items()))
    return item["ok"], item["state"], item["release"], cells, _without_time(item["canary"])


def _without_time(cell: str) -> str:
    return _NUMBER.sub("", cell) if _FAST.match(cell) else cell


def _row(items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    first = items[0]
    more = " and %d more" % (len(items) - 1) if len(items) > 1 else ""
    cells = {endpoint: _range(item["cells"][endpoint] for item in items) for endpoint in first["cells"]}
    return {
        **first,
        "host": "%s%s" % (first["host"], more),
        "cells": cells,
        "canary": _range(i["canary"] for i in items),
    }


def _range(cells: Iterable[str]) -> str:
    """``ok 3-250 ms`` for the least and the most of them."""
    listed = list(cells)
    numbers = [found.group() for cell in listed for found in [_NUMBER.search(cell)] if found and _FAST.match(cell)]
    if not numbers:
        return listed[0]
    least, most = min(numbers, key=float), max(numbers, key=float)
    return _NUMBER.sub(least if least == most else "%s-%s" % (least, most), listed[0], count=1)


def without_names(text: str, host: str) -> str:
    """``text`` without the node's name and addresses: in nothing else does what ssh says of two nodes differ."""
    return _ADDRESS.sub("*", text.replace(host, "*"))
