# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a candidate, by which a run knows the configuration that was rehearsed and approved.

It is shown, kept with a job and handed from one job to the next, so it must not help to guess a password: it takes a
while to compute. What changes by itself or has no effect on pulls, such as the days that a certificate is still good
for, is no part of it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from .once import once

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired

_ROUNDS = 300_000
_SALT = b"k3sfleet.registries candidate"
_SETTINGS = ("disable_default_endpoint", "embedded_registry", "system_default_registry", "credential_store")


def candidate_digest(desired: Desired, shared_folder: str) -> str:
    """Equal for two candidates that make the same of a node.

    :param shared_folder: where the processes of a run share what one of them has computed; "" computes it here.
    """
    text = json.dumps(_parts(desired), sort_keys=True)
    found: str = once(shared_folder, ["candidate", text], lambda: _slow_digest(text))
    return found


def _parts(desired: Desired) -> Any:
    return [
        desired.kind,
        sorted((item.path, item.mode, hashlib.sha256(item.content).hexdigest()) for item in desired.shipped),
        desired.registries_text,
        {name: desired.settings.get(name) for name in _SETTINGS},
        [provider.as_json() for provider in desired.providers],
    ]


def _slow_digest(text: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", text.encode("utf-8", "surrogatepass"), _SALT, _ROUNDS).hex()
