# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that the node's containerd has loaded, so that none of them is quoted out of its log.

What the controller gives as the node's configuration comes without secrets, and an earlier one may be in force still.
"""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import known_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import (
    AuthTableError,
    read_auth_tables,
)

_LARGEST = 4 << 20


def loaded_secrets(config_toml: str) -> list[str]:
    """Those in the config.toml that K3s has generated; none if it is not there or cannot be read."""
    try:
        with open(config_toml, encoding="utf-8", errors="replace") as file:
            tables = read_auth_tables(file.read(_LARGEST))
    except (OSError, AuthTableError):
        return []
    return known_secrets({"configs": {host: {"auth": table} for host, table in tables.items()}})
