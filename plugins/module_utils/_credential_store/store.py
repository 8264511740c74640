# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the credentials that the kubelet is given: what stands in it. Everything here is secret.

It begins with the collection's marker, like every other text that the collection writes, so that it is kept in
generations, restored and removed like them.
"""

from __future__ import annotations

import json
from typing import Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import MARKER
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import json_object

from .provider_program import FORMAT

MODE = 0o600


class StoreDamaged(ValueError):
    """The file is none of ours; the text holds nothing of it."""


class Login(NamedTuple):
    """A user name and a password."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Without both: what fails may show what it was called with."""
        return "Login(...)"


class Store(NamedTuple):
    """The credentials by registry, as it stands in images' names."""

    logins: Mapping[str, Login]

    @property
    def registries(self) -> tuple[str, ...]:
        return tuple(sorted(self.logins))

    def secrets(self) -> list[str]:
        """The values that no text may show."""
        return sorted({value for login in self.logins.values() for value in login if value})

    def content(self) -> bytes:
        """The file. Equal stores have equal files."""
        stored = {registry: login._asdict() for registry, login in self.logins.items()}
        text = json.dumps({"format": FORMAT, "registries": stored}, sort_keys=True)
        return ("%s\n%s\n" % (MARKER, text)).encode("ascii")

    def changed(self, other: Store) -> tuple[str, ...]:
        """The registries that both have, with different credentials."""
        return tuple(
            name for name in self.registries if name in other.logins and self.logins[name] != other.logins[name]
        )


EMPTY = Store({})


def from_content(content: bytes) -> Store:
    """Read a file back.

    :raises StoreDamaged: if it was not written by :meth:`Store.content`.
    """
    marker, _end, text = content.partition(b"\n")
    if marker != MARKER.encode("ascii"):
        raise StoreDamaged("it was not written by the collection")
    try:
        raw = json_object(text)
    except ValueError:
        # The parser's own message quotes what it has read.
        raise StoreDamaged("it is no JSON") from None
    registries = raw.get("registries")
    if raw.get("format") != FORMAT or not isinstance(registries, dict):
        raise StoreDamaged("it was written by another version of the collection")
    logins = {}
    for registry, login in registries.items():
        if not isinstance(login, dict) or not all(isinstance(login.get(key), str) for key in Login._fields):
            raise StoreDamaged("a part of it is missing")
        logins[registry] = Login(login["username"], login["password"])
    return Store(logins)
