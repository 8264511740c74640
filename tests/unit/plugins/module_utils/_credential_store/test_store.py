# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the credentials: what is written is what is read, and nobody else can read or change it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import on_the_node
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.plan import store_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.proof import Surroundings, prove
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.provider_program import answer
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.store import (
    EMPTY,
    Login,
    Store,
    StoreDamaged,
    from_content,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from hypothesis import given
from hypothesis import strategies as st

CANARY = "canary-of-the-test"
ONE = Store({"quay.io": Login("someone", CANARY)})
# What can be written as UTF-8, and so what a proof lets pass.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
STORES = st.dictionaries(TEXTS.filter(lambda text: "/" not in text), st.builds(Login, TEXTS, TEXTS)).map(Store)


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    return node_paths(config_dir=str(tmp_path / "k3s"), data_dir=str(tmp_path / "data"))


@given(STORES)
def test_a_store_is_read_back_as_it_was_written(store: Store) -> None:
    assert from_content(store.content()) == store
    assert store.content().isascii()


@given(STORES)
def test_the_program_hands_out_exactly_what_is_stored(store: Store) -> None:
    stored = {"format": 1, "registries": {name: login._asdict() for name, login in store.logins.items()}}
    for registry, login in store.logins.items():
        asked = {
            "kind": "CredentialProviderRequest",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "image": registry + "/team/app",
        }
        assert answer(asked, stored)["auth"] == {registry: {"username": login.username, "password": login.password}}


@given(STORES, st.randoms())
def test_the_order_does_not_change_the_file(store: Store, random: object) -> None:
    names = list(store.logins)
    random.shuffle(names)  # type: ignore[attr-defined]
    assert Store({name: store.logins[name] for name in names}).content() == store.content()


def test_what_is_proven_is_stored() -> None:
    config = normalise(
        {
            "mirrors": {"quay.io": {"endpoint": ["https://harbor.example.com"]}},
            "configs": {"harbor.example.com": {"auth": {"username": "robot", "password": CANARY}}},
        }
    )
    store = store_of(prove(config, Surroundings()))
    assert store == Store({"harbor.example.com": Login("robot", CANARY)})
    assert store.secrets() == [CANARY, "robot"]
    assert CANARY not in repr((store, prove(config, Surroundings())))


def test_which_credentials_are_new() -> None:
    then = Store({"quay.io": Login("someone", "new"), "b.io": Login("b", "b")})
    assert then.changed(ONE) == ("quay.io",)
    assert ONE.changed(ONE) == ()


def test_without_a_file_it_is_empty(paths: NodePaths) -> None:
    assert on_the_node.read(paths) == EMPTY
    assert on_the_node.secrets(paths) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        CANARY.encode(),
        b'{"format": 2, "registries": {}}',
        b'{"format": 1}',
        b'{"format": 1, "registries": {"x": {"username": "%s"}}}' % CANARY.encode(),
        b'{"format": 1, "registries": {"x": "%s"}}' % CANARY.encode(),
    ],
)
def test_a_damaged_file_is_told_without_a_word_of_it_and_replaced(paths: NodePaths, content: bytes) -> None:
    Path(paths.state_dir).mkdir(parents=True, mode=0o700)
    Path(paths.credential_store).write_bytes(content)
    with pytest.raises(StoreDamaged) as caught:
        on_the_node.read(paths)
    assert CANARY not in str(caught.value)
    assert on_the_node.secrets(paths) == []
    Path(paths.credential_store).write_bytes(ONE.content())
    assert on_the_node.read(paths) == ONE
    assert set(on_the_node.secrets(paths)) == set(ONE.secrets())
