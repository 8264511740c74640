# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's document: what the play has gathered about each host, in one shape, and without a secret in it.

``{schema: 1, generated: ISO-8601 UTC, hosts: {name: {group, unreachable, errors, info, endpoints, pulls}}}``. It is the
JSON that is written, what the HTML embeds, and the only thing that the page is made from.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.redact import MASK, redact

SCHEMA = 1

# The modules redact what they return. These hold should one of them forget, or a caller hand in results of its own.
_SECRET_KEYS = frozenset(("password", "auth", "identity_token", "identitytoken", "token", "key_content", "secret"))
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.S)
_YAML_SECRET = re.compile(
    r"(?m)^([+\- ]*[\"']?(?:password|auth|identity_?token|token|key_content)[\"']?\s*[:=][ \t]*)(?=\S)(?![{\[]).+$"
)
_QUOTED_AUTH = re.compile(r"([\"']auth\\*[\"']\s*:\s*\\*[\"'])(?!(?:none|basic|bearer)\\*[\"'])[^\"'\\]+")


def build(
    hosts: Iterable[str],
    info: Mapping[str, Any],
    probe: Mapping[str, Any],
    diagnosis: Mapping[str, Any],
    groups: Mapping[str, Iterable[str]],
    generated: str,
) -> dict[str, Any]:
    """The document of a fleet.

    :param hosts: the names of all hosts that belong into it, whether anything was gathered about them or not.
    :param info: results of k3s_registries_info by host, as ``register`` keeps them, failed and unreachable ones too.
    :param probe: the same of k3s_registry_probe.
    :param diagnosis: the same of k3s_pull_diagnosis.
    :param groups: ``server`` and ``agent`` to the names of their hosts.
    :param generated: the time of the report, ISO-8601 UTC.
    """
    roles = {str(host): role for role in ("agent", "server") for host in groups.get(role) or ()}
    return {
        "schema": SCHEMA,
        "generated": generated,
        "hosts": {
            name: _host(roles.get(name, ""), _result(info, name), _result(probe, name), _result(diagnosis, name))
            for name in sorted({str(host) for host in hosts}, key=natural)
        },
    }


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts ``edge-2`` before ``edge-10``."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def clean(value: Any) -> Any:
    """``value`` without credentials: those of the configuration's secret keys, and what looks like one in a text."""
    if isinstance(value, Mapping):
        return {str(key): _clean_item(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return _clean_text(value) if isinstance(value, str) else value


def _clean_item(key: str, value: Any) -> Any:
    if key.lower() in _SECRET_KEYS and isinstance(value, str) and value:
        # The probe's `auth` names the kind of authentication, nothing that would open a door.
        return value if key == "auth" and value in ("none", "basic", "bearer") else MASK
    return clean(value)


def _clean_text(text: str) -> str:
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _QUOTED_AUTH.sub(lambda match: match.group(1) + MASK, text)
    return redact(_YAML_SECRET.sub(lambda match: match.group(1) + MASK, text))


def _result(results: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = results.get(name)
    return found if isinstance(found, Mapping) else {}


def _host(
    group: str, info: Mapping[str, Any], probe: Mapping[str, Any], diagnosis: Mapping[str, Any]
) -> dict[str, Any]:
    unreachable = ""
    errors = []
    for module, result in (
        ("k3s_registries_info", info),
        ("k3s_registry_probe", probe),
        ("k3s_pull_diagnosis", diagnosis),
    ):
        message = str(result.get("msg") or "no reason given")
        if result.get("unreachable"):
            unreachable = unreachable or message
        elif result.get("failed"):
            errors.append({"module": module, "message": message})
    facts = info.get("info") if isinstance(info.get("info"), Mapping) else None
    return {
        "group": group or str((facts or {}).get("role") or ""),
        "unreachable": clean(unreachable),
        "errors": clean(errors),
        "info": clean(facts) if facts is not None else None,
        "endpoints": clean(_entries(probe.get("endpoints"))),
        "pulls": clean(_entries(diagnosis.get("pulls"))),
    }


def _entries(value: Any) -> list[Any]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []
