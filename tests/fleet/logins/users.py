# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may log in, with what, until when; and what used to be good."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
import time

CURRENT, FORMER, UNKNOWN, NOT_ASKED_FOR = "current", "former", "unknown", "not asked for"
IDENTITY = "<token>"
"""The user whose passwords are identity tokens, as Docker has it."""


class Users:
    """Of one registry, or of several that share them."""

    def __init__(self, **passwords: str) -> None:
        self._lock = threading.Lock()
        self._valid: dict[str, dict[str, float]] = {}
        self._former: dict[str, set[str]] = {}
        for name, password in passwords.items():
            self.set_password(name, password)

    def set_password(self, name: str, password: str) -> None:
        """From now on this one alone."""
        with self._lock:
            self._former.setdefault(name, set()).update(self._valid.get(name, {}))
            self._valid[name] = {password: float("inf")}

    def change_password(self, name: str) -> str:
        """The same with a new one, which is returned."""
        password = new_password()
        self.set_password(name, password)
        return password

    def grant(self, name: str, password: str, seconds: float) -> None:
        """One more that is good for a while, as clouds hand them out."""
        with self._lock:
            self._valid.setdefault(name, {})[password] = time.monotonic() + seconds

    def revoke(self, name: str) -> None:
        """Nothing is good any longer for this one."""
        with self._lock:
            self._former.setdefault(name, set()).update(self._valid.pop(name, {}))

    def judge(self, name: str, password: str) -> str:
        """`current`, `former` for what was good once, `unknown` for anything else."""
        with self._lock:
            until = self._valid.get(name, {}).get(password)
            if until is not None:
                return CURRENT if time.monotonic() < until else FORMER
            return FORMER if password in self._former.get(name, ()) else UNKNOWN


def new_password() -> str:
    """With characters that YAML, TOML and shells would misread unquoted."""
    return "pw-%s #%%x" % secrets.token_hex(12)


def basic(header: str) -> tuple[str, str] | None:
    """User and password of a Basic header; None for what is none."""
    scheme, _space, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None
