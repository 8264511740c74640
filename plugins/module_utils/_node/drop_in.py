# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drop-in of the collection's own below config.yaml.d: K3s' settings that belong to its registries."""

from __future__ import annotations

import json
from typing import Any, Mapping

from .paths import MARKER

_EVERY_NODE = ("disable-default-registry-endpoint",)
#: K3s' agents do not know these: they get them from their server.
_SERVERS_ONLY = ("embedded-registry", "system-default-registry")
_SETTINGS = {"disable-default-registry-endpoint": "disable_default_endpoint"}


def drop_in_entries(settings: Mapping[str, Any], node_role: str) -> list[tuple[str, Any]]:
    """The keys and values that the drop-in has on a node of this role; none when nothing is set."""
    keys = _EVERY_NODE + (_SERVERS_ONLY if node_role == "server" else ())
    values = [(key, settings.get(_SETTINGS.get(key, key.replace("-", "_")))) for key in keys]
    return [(key, value) for key, value in values if value is not None]


def drop_in_text(settings: Mapping[str, Any], node_role: str) -> str:
    """The drop-in, "" when nothing is set."""
    lines = ["%s: %s" % (key, json.dumps(value)) for key, value in drop_in_entries(settings, node_role)]
    return "\n".join([MARKER, *lines]) + "\n" if lines else ""
