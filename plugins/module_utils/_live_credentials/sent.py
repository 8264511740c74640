# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that any hosts.toml has containerd send, as what must not be shown."""

from __future__ import annotations

import re
from typing import Iterable

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.known import secrets_of

_ANY_VALUE = re.compile(r"""(?i)authorization["']?[ \t]{0,9}=[ \t\[]{0,9}["']([^"'\n]{1,8192})""")


def secrets_of_headers(values: Iterable[str]) -> list[str]:
    """Every way in which the credentials in values of ``Authorization`` could stand in a text."""
    tables = [{"auth": value.partition(" ")[2] or value} for value in values]
    return [secret for table in tables for secret in secrets_of(table)]


def values_in(text: str) -> list[str]:
    """The values of ``Authorization`` in the text of any hosts.toml, whoever wrote it."""
    return _ANY_VALUE.findall(text)
