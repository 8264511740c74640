# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes credentials from every string of a result, and makes it safe to show.

For answers of nodes: their modules mask what they return, but a node may be in somebody else's hands.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.known import longest_first
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    MASK,
    redact,
    visible,
    visible_block,
    visible_lines,
)

_SECRET_KEYS = frozenset(
    ("password", "auth", "identity_token", "identitytoken", "registrytoken", "token", "key_content", "secret")
)
# The probe's `auth` names the kind of authentication, which is not a secret.
_KINDS = ("none", "basic", "bearer")
# Keys whose texts keep their lines; every other text becomes one line.
_LINES = frozenset(("diff", "before", "after", "stdout", "stderr", "module_stdout", "module_stderr", "exception"))
_MESSAGES = frozenset(("msg",))


def clean(value: Any, secrets: Iterable[str] = ()) -> Any:
    """``value`` without credentials: those of the configuration's secret keys, ``secrets``, and what looks like one in
    a text; its texts on one line each, except a message's and a diff's."""
    return _clean("", value, longest_first(secrets))


def _clean(name: str, value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        return _text(name, value, secrets)
    if isinstance(value, Mapping):
        return {visible(redact(str(key), secrets)): _clean(str(key), item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(name, item, secrets) for item in value]
    return value


def _text(name: str, text: str, secrets: list[str]) -> str:
    if name.lower() in _SECRET_KEYS and text:
        return text if name == "auth" and text in _KINDS else MASK
    found = redact(text, secrets)
    if name in _MESSAGES:
        return visible_block(found.strip("\r\n"))
    return visible_lines(found) if name in _LINES else visible(found)
