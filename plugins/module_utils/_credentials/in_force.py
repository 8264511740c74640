# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the credentials in `auth` containerd uses: the one place that knows the order.

Source: ``ParseAuth`` in containerd's ``internal/cri/server/images/image_pull.go``.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Mapping, NamedTuple


class InForce(NamedTuple):
    """What containerd sends. ``username`` is "" with an identity token, which it exchanges for others."""

    username: str
    secret: str

    def __repr__(self) -> str:
        """Without both: what fails may show what it was called with."""
        return "InForce(...)"


def in_force(auth: Mapping[str, Any]) -> InForce | None:
    """What containerd takes out of `auth`: username and password before identity_token before auth; None if that is
    nothing that it can use."""
    if auth.get("username"):
        return InForce(auth["username"], auth.get("password") or "")
    if auth.get("identity_token"):
        return InForce("", auth["identity_token"])
    encoded = (auth.get("auth") or "").replace("\r", "").replace("\n", "")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    username, colon, password = decoded.partition(":")
    return InForce(username, password.strip("\x00")) if colon else None
