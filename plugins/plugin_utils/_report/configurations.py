# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many different configurations the fleet has, and which nodes have which."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import EncodeError


@dataclass
class Configuration:
    """Nodes whose registries.yaml says the same. ``text`` is empty if there is none."""

    title: str
    text: str
    nodes: list[str] = field(default_factory=list)


@dataclass
class Setting:
    """A flag, drop-in or proxy that matters, and the nodes that have it."""

    source: str
    key: str
    value: str
    nodes: list[str] = field(default_factory=list)


def configurations(document: Mapping[str, Any]) -> list[Configuration]:
    """The configurations of a document, that of most nodes first."""
    found: dict[tuple[str, str], Configuration] = {}
    for name, host in document["hosts"].items():
        registries = (host["info"] or {}).get("registries")
        if not isinstance(registries, Mapping):
            continue
        title, text = _text(registries)
        found.setdefault((title, text), Configuration(title, text)).nodes.append(name)
    return sorted(found.values(), key=lambda item: -len(item.nodes))


def _text(registries: Mapping[str, Any]) -> tuple[str, str]:
    if registries.get("error"):
        return "Cannot be read", str(registries["error"])
    if not registries.get("exists", True):
        return "No registries.yaml", ""
    managed = "Managed by k3sfleet.registries" if registries.get("managed") else "Not managed by k3sfleet.registries"
    config = registries.get("config")
    if not isinstance(config, Mapping):
        return managed, ""
    try:
        return managed, encode(normalise(config))
    except (EncodeError, ValueError, TypeError, KeyError):
        # The shape of another release: show it as it is rather than not at all.
        return managed, json.dumps(config, indent=2, sort_keys=True, default=str)


def settings(document: Mapping[str, Any]) -> list[Setting]:
    """The settings that matter to registries, outside registries.yaml."""
    found: dict[tuple[str, str, str], Setting] = {}
    for name, host in document["hosts"].items():
        info = host["info"] or {}
        listed = [
            (str(item.get("source") or ""), str(item.get("key") or ""), str(item.get("value", "")))
            for item in info.get("settings") or []
        ]
        listed += [
            (
                str(item.get("source") or ""),
                str(item.get("variable") or "proxy"),
                "NO_PROXY lacks " + ", ".join(str(registry) for registry in item.get("registries") or []),
            )
            for item in info.get("proxies") or []
            if item.get("registries")
        ]
        for key in listed:
            setting = found.setdefault(key, Setting(*key))
            if name not in setting.nodes:
                setting.nodes.append(name)
    return sorted(found.values(), key=lambda item: (item.key, -len(item.nodes), item.value))


def releases(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The releases of the fleet and how many nodes have each."""
    found = (str((host["info"] or {}).get("release") or "") for host in document["hosts"].values())
    return Counter(filter(None, found)).most_common()
