# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node tells its controller and nobody else may read.

registries.yaml holds credentials, and a node has no YAML parser to take them out. Its text therefore travels to the
controller in a module's result, which Ansible prints at ``-vvv`` and which callbacks and debug logs may keep. Sealed
with a key that was made for this one call, and that is given to the module like a password, it tells them nothing.

The standard library has no cipher, but it has HMAC: the text is combined with the key's HMAC-SHA256 of a counter (a
pseudo-random function in counter mode), used once per key, and is authenticated with a second key (encrypt, then MAC).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import zlib
from typing import Any

_NONCE = 16
_TAG = 32


class SealBroken(ValueError):
    """The text was not sealed with this key, or was damaged on its way."""


def new_key() -> str:
    """A key for one call."""
    return base64.b64encode(os.urandom(32)).decode("ascii")


def seal(value: Any, key: str) -> str:
    """``value``, which JSON can carry, as a text that only the holder of ``key`` can read."""
    plain = zlib.compress(json.dumps(value, ensure_ascii=True).encode("ascii"))
    nonce = os.urandom(_NONCE)
    hidden = nonce + _combined(plain, _derived(key, b"text"), nonce)
    return base64.b64encode(hidden + _tag(hidden, key)).decode("ascii")


def unseal(text: str, key: str) -> Any:
    """What :func:`seal` was given.

    :raises SealBroken: if it was sealed with another key, or is not whole.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SealBroken("the node's answer is not whole") from None
    hidden, tag = raw[:-_TAG], raw[-_TAG:]
    if len(raw) < _NONCE + _TAG or not hmac.compare_digest(tag, _tag(hidden, key)):
        raise SealBroken("the node's answer is not the one that was asked for")
    plain = _combined(hidden[_NONCE:], _derived(key, b"text"), hidden[:_NONCE])
    return json.loads(zlib.decompress(plain).decode("ascii"))


def _derived(key: str, purpose: bytes) -> bytes:
    return hmac.new(key.encode("ascii", "replace"), purpose, hashlib.sha256).digest()


def _tag(hidden: bytes, key: str) -> bytes:
    return hmac.new(_derived(key, b"tag"), hidden, hashlib.sha256).digest()


def _combined(text: bytes, key: bytes, nonce: bytes) -> bytes:
    blocks = range((len(text) + 31) // 32)
    stream = b"".join(hmac.new(key, nonce + block.to_bytes(8, "big"), hashlib.sha256).digest() for block in blocks)
    # One operation on two long numbers: byte by byte it would take a second for a large file.
    mixed = int.from_bytes(text, "big") ^ int.from_bytes(stream[: len(text)], "big")
    return mixed.to_bytes(len(text), "big")
