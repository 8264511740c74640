# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that the node's containerd has loaded, so that none of them is quoted out of its log.

What the controller gives as the node's configuration comes without secrets, and an earlier one may be in force still.
"""

from __future__ import annotations

import os

from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.sent import (
    secrets_of_headers,
    values_in,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import regular_only
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import known_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import (
    AuthTableError,
    read_auth_tables,
)

_LARGEST = 4 << 20


def loaded_secrets(config_toml: str) -> list[str]:
    """Those in the config.toml that K3s has generated, and in the headers of the hosts.toml files next to it; none
    if they are not there or cannot be read."""
    return [*_of_config(config_toml), *_of_headers(os.path.join(os.path.dirname(config_toml), "certs.d"))]


def _of_headers(certs_d: str) -> list[str]:
    values: dict[str, None] = {}
    for folder, _folders, names in os.walk(certs_d):
        if "hosts.toml" in names:
            try:
                path = os.path.join(folder, "hosts.toml")
                with open(path, encoding="utf-8", errors="replace", opener=regular_only) as file:
                    values.update(dict.fromkeys(values_in(file.read(_LARGEST))))
            except OSError:
                continue
    return secrets_of_headers(values)


def _of_config(config_toml: str) -> list[str]:
    try:
        with open(config_toml, encoding="utf-8", errors="replace") as file:
            tables = read_auth_tables(file.read(_LARGEST))
    except (OSError, AuthTableError):
        return []
    return known_secrets({"configs": {host: {"auth": table} for host, table in tables.items()}})
