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
#: What a node may have to say, in JSON. Its files are sent whole, each up to a megabyte; most nodes say 20 kB.
LARGEST = 8 << 20
# Base64 of what cannot be compressed, and some.
_LARGEST_TEXT = LARGEST * 4 // 3 + 4096
_LONGEST_NUMBER = 40


class TooMuch(ValueError):
    """There is more to say than :data:`LARGEST`."""


class SealBroken(ValueError):
    """The text was not sealed with this key, or was damaged on its way."""


def new_key() -> str:
    """A key for one call."""
    return base64.b64encode(os.urandom(32)).decode("ascii")


def seal(value: Any, key: str) -> str:
    """``value``, which JSON can carry, as a text that only the holder of ``key`` can read.

    :raises TooMuch: if it is longer than what :func:`unseal` takes.
    """
    text = json.dumps(value, ensure_ascii=True).encode("ascii")
    if len(text) > LARGEST:
        raise TooMuch("the node's files are %d MiB, more than the %d MiB that it may send" % (
            len(text) >> 20, LARGEST >> 20
        ))  # fmt: skip
    plain = zlib.compress(text)
    nonce = os.urandom(_NONCE)
    hidden = nonce + _combined(plain, _derived(key, b"text"), nonce)
    return base64.b64encode(hidden + _tag(hidden, key)).decode("ascii")


def unseal(text: str, key: str) -> Any:
    """What :func:`seal` was given.

    The node that has sealed it may be anybody's by now: no more than :data:`LARGEST` is unpacked, whatever the few
    bytes that came would unpack to.

    :raises SealBroken: if it was sealed with another key, is not whole, or is nothing that :func:`seal` makes.
    """
    if len(text) > _LARGEST_TEXT:
        raise SealBroken("the node's answer is larger than %d MiB" % (LARGEST >> 20))
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SealBroken("the node's answer is not whole") from None
    hidden, tag = raw[:-_TAG], raw[-_TAG:]
    if len(raw) < _NONCE + _TAG or not hmac.compare_digest(tag, _tag(hidden, key)):
        raise SealBroken("the node's answer is not the one that was asked for")
    plain = _combined(hidden[_NONCE:], _derived(key, b"text"), hidden[:_NONCE])
    unpacker = zlib.decompressobj()
    try:
        said = unpacker.decompress(plain, LARGEST)
    except zlib.error:
        raise SealBroken("the node's answer is not whole") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise SealBroken("the node's answer unpacks to more than %d MiB, or is not whole" % (LARGEST >> 20))
    try:
        return json.loads(said.decode("ascii"), parse_int=_number, parse_constant=_number)
    except (ValueError, RecursionError):
        raise SealBroken("the node's answer is not what this module sends") from None


def _number(text: str) -> int:
    """Of a length at which a number cannot take minutes to be read, and none that is none (``NaN``)."""
    if len(text) > _LONGEST_NUMBER:
        raise ValueError
    return int(text)


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
