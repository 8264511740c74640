# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sealed is read back by the holder of the key, and tells nobody else anything."""

from __future__ import annotations

import base64
import tracemalloc
import zlib
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation import sealed as sealing
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import (
    SealBroken,
    TooMuch,
    new_key,
    seal,
    unseal,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


@settings(max_examples=examples(50))
@given(_VALUES)
def test_what_was_sealed_comes_back(value: Any) -> None:
    key = new_key()
    assert unseal(seal(value, key), key) == value


def test_bytes_that_are_no_text_come_back() -> None:
    key = new_key()
    text = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert unseal(seal({"text": text}, key), key) == {"text": text}


def test_the_sealed_text_holds_nothing_of_what_it_seals() -> None:
    secret = "s3cret-" * 40
    sealed = seal({"password": secret}, new_key())
    assert "s3cret" not in sealed
    assert b"s3cret" not in base64.b64decode(sealed)


def test_the_same_is_never_sealed_alike() -> None:
    key = new_key()
    assert seal("x", key) != seal("x", key)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SealBroken):
        unseal(seal("x", new_key()), new_key())


@pytest.mark.parametrize("damage", ["", "AAAA", "no base64!", None])
def test_a_damaged_text_is_refused(damage: str | None) -> None:
    key = new_key()
    sealed = seal({"a": "b"}, key)
    raw = bytearray(base64.b64decode(sealed))
    raw[20] ^= 1
    with pytest.raises(SealBroken):
        unseal(base64.b64encode(bytes(raw)).decode() if damage is None else damage, key)


def sealed_by_hand(plain: bytes, key: str) -> str:
    """What a node would send that does not use the module's own function."""
    nonce = b"n" * 16
    hidden = nonce + sealing._combined(plain, sealing._derived(key, b"text"), nonce)
    return base64.b64encode(hidden + sealing._tag(hidden, key)).decode()


def test_a_small_answer_that_unpacks_to_much_is_refused_before_it_takes_memory() -> None:
    key = new_key()
    bomb = zlib.compress(b'"' + b"a" * (256 << 20) + b'"')
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with pytest.raises(SealBroken, match="unpacks to more than 8 MiB"):
        unseal(sealed_by_hand(bomb, key), key)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def test_a_large_answer_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(SealBroken, match="larger than 8 MiB"):
        unseal("A" * (12 << 20), new_key())


def test_a_node_does_not_send_what_is_refused() -> None:
    with pytest.raises(TooMuch, match="9 MiB"):
        seal("x" * (9 << 20), new_key())


@pytest.mark.parametrize(
    "plain",
    [b"[" * 100_000, b"1" * 5000, b'{"a": NaN}', b'{"a": Infinity}', b"{", "\u00e4".encode(), b""],
    ids=["deep", "number", "nan", "infinity", "cut", "no ascii", "nothing"],
)
def test_what_the_module_never_says_is_refused(plain: bytes) -> None:
    key = new_key()
    with pytest.raises(SealBroken):
        unseal(sealed_by_hand(zlib.compress(plain), key), key)
    with pytest.raises(SealBroken):
        unseal(sealed_by_hand(plain, key), key)
