# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials K3s writes to containerd's config.toml, and those that stand there.

containerd reads config.toml only when it starts, so these tables say whether the running containerd
has the configured credentials. Source: the templates of versions 2 and 3 in k3s-io/k3s
``pkg/agent/templates/templates.go``. Everything here is secret: nothing of it goes into messages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .go_text import go_unquote

if TYPE_CHECKING:
    from typing import Dict

    from .config import Config

    AuthTables = Dict[str, Dict[str, str]]

AUTH_TABLE_KEYS = ("username", "password", "auth", "identitytoken")

# Version 3 writes ..cri.v1.images.., version 2 and the first releases with version 3 ..grpc.v1.cri..
_TABLE = re.compile(
    r"""\[plugins\.(["'])io\.containerd\.(?:cri\.v1\.images|grpc\.v1\.cri)\1\.registry\.configs\.(["'])(.*)\2\.auth\]\Z"""
)
_VALUE = re.compile(r'(username|password|auth|identitytoken)\s*=\s*(".*")\Z')


class AuthTableError(ValueError):
    """An auth table holds what no template of K3s writes; the message gives the line's number only."""


def auth_tables(config: Config) -> AuthTables:
    """The auth tables that K3s writes for a configuration.

    :param config: a normalised configuration.
    :returns: every key of ``configs`` that has ``auth``, even an empty one, to its ``username``,
        ``password``, ``auth`` and ``identitytoken``, each "" if it is not set.
    """
    tables: AuthTables = {}
    for name, settings in config["configs"].items():
        auth = settings["auth"]
        if auth is not None:
            tables[name] = {
                "username": auth["username"],
                "password": auth["password"],
                "auth": auth["auth"],
                "identitytoken": auth["identity_token"],
            }
    return tables


def read_auth_tables(config_toml: str) -> AuthTables:
    """The auth tables in the text of a config.toml, in the shape of :func:`auth_tables`.

    This is no TOML parser: it reads the tables as K3s' own templates write them, one key a line,
    strings in double quotes.

    :raises AuthTableError: if such a table holds anything else, as a template of the user's may.
    """
    tables: AuthTables = {}
    current: dict[str, str] | None = None
    for number, raw_line in enumerate(config_toml.split("\n"), 1):
        line = raw_line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            match = _TABLE.match(line)
            current = None
            if match is not None:
                current = dict.fromkeys(AUTH_TABLE_KEYS, "")
                tables[match.group(3)] = current
            continue
        if current is None:
            continue
        match = _VALUE.match(line)
        try:
            if match is None:
                raise ValueError
            current[match.group(1)] = go_unquote(match.group(2))
        except ValueError:
            raise AuthTableError(f"line {number} of config.toml is not as K3s writes registry credentials") from None
    return tables
