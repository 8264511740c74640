# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's configuration of credential providers, ``config.yaml``, as it is written and compared."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import MARKER

from . import go_duration
from .provider import (
    API_VERSION,
    Provider,
)

CONFIG_VERSION = "kubelet.config.k8s.io/v1"
KIND = "CredentialProviderConfig"


def document(providers: Sequence[Provider]) -> dict[str, Any]:
    """What the kubelet is to read."""
    return {"apiVersion": CONFIG_VERSION, "kind": KIND, "providers": [_entry(provider) for provider in providers]}


def _entry(provider: Provider) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": provider.name,
        "apiVersion": API_VERSION,
        "matchImages": list(provider.match_images),
        "defaultCacheDuration": provider.default_cache_duration,
    }
    if provider.args:
        entry["args"] = list(provider.args)
    if provider.env:
        entry["env"] = [{"name": name, "value": value} for name, value in provider.env]
    if provider.token_attributes is not None:
        entry["tokenAttributes"] = dict(sorted(provider.token_attributes.items()))
    return entry


def text(providers: Sequence[Provider], *, hidden: str | None = None) -> str:
    """The file's text, which begins with the collection's marker.

    :param hidden: stands for the values of variables, which may be secret; None writes them.
    """
    shown = document(providers)
    for entry in shown["providers"] if hidden is not None else ():
        for variable in entry.get("env", ()):
            variable["value"] = hidden
    return "\n".join([MARKER, *_block(shown, "")]) + "\n"


def _block(value: Any, indent: str) -> list[str]:
    """A mapping or list as block YAML; every text in it is quoted, so that no word is read as something else."""
    lines = []
    items = value.items() if isinstance(value, Mapping) else (("-", item) for item in value)
    for key, item in items:
        head = indent + (key if key == "-" else key + ":")
        if isinstance(item, (Mapping, list, tuple)) and item:
            below = _block(item, indent + "  ")
            # The first line of what a dash introduces stands behind it.
            lines += [head + " " + below[0].lstrip(), *below[1:]] if key == "-" else [head, *below]
        else:
            lines.append(head + " " + _scalar(item))
    return lines


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    # JSON's text is YAML's, but for letters beyond 16 bits, which YAML does not spell as a pair.
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(letter if " " <= letter <= "~" else _escaped(ord(letter)) for letter in quoted)


def _escaped(code: int) -> str:
    return "\\u%04x" % code if code < 0x10000 else "\\U%08x" % code


def equal_in_effect(found: Any, providers: Sequence[Provider]) -> bool:
    """Whether the kubelet does the same with a file that holds ``found``: what stands in it is the wanted, in any order
    of keys, with any spelling of a duration, with empty lists or without."""
    if not isinstance(found, Mapping):
        return False
    wanted = document(providers)
    given = found.get("providers")
    if {key: value for key, value in found.items() if key != "providers"} != {
        "apiVersion": CONFIG_VERSION, "kind": KIND
    } or not isinstance(given, list):  # fmt: skip
        return False
    return [_effect(entry) for entry in given] == [_effect(entry) for entry in wanted["providers"]]


def _effect(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    effect = {key: value for key, value in entry.items() if value not in (None, [], {})}
    with contextlib.suppress(TypeError, ValueError):
        effect["defaultCacheDuration"] = go_duration.seconds(effect.get("defaultCacheDuration", ""))
    if isinstance(effect.get("tokenAttributes"), Mapping):
        effect["tokenAttributes"] = {
            key: value for key, value in effect["tokenAttributes"].items() if value not in (None, [])
        }
    return effect
