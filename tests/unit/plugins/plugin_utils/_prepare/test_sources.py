# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files on the node the certificates become."""

from __future__ import annotations

import os
from itertools import permutations

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.sources import (
    Source,
    folder_names,
    on_the_node,
    with_node_paths,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("registry", "folder"),
    [
        ("registry.example.com:5000", "registry.example.com_5000"),
        ("registry.example.com", "registry.example.com"),
        ("my_registry:5000", "my_registry_5000"),
        ("[::1]:5000", "[__1]_5000"),
        ("*", "wildcard"),
        ("wildcard", "wildcard"),
        ("..", "_"),
        ("../../etc", "_.._etc"),
        ("a" * 63 + ".example.com:5000", "a" * 63 + ".example.com_5000"),
    ],
)
def test_a_folder_is_named_after_its_registry(registry: str, folder: str) -> None:
    assert folder_names([registry]) == {registry: folder}


@pytest.mark.parametrize(
    ("registries", "kept"),
    [
        (("reg:5000", "reg_5000"), "reg:5000"),
        (("*", "wildcard"), "*"),
        (("reg", ".reg", "..reg"), "reg"),
        (("_", "..", "."), "_"),
        (("a:b:c", "a_b:c", "a:b_c", "a_b_c"), "a:b:c"),
    ],
)
def test_two_registries_never_share_a_folder(registries: tuple[str, ...], kept: str) -> None:
    names = folder_names(registries)
    assert len(set(names.values())) == len(registries)
    assert names[kept] == folder_names([kept])[kept], "one of them keeps the folder that is documented"
    assert all(folder_names(order) == names for order in permutations(registries))


LETTERS = st.sampled_from("ab:_./~*\\\0\n \ud800\u00fc")
NAMES = st.text(LETTERS, min_size=1, max_size=6) | st.text(min_size=1, max_size=400)


@given(st.sets(NAMES, max_size=12))
def test_a_folder_is_one_folder_below_its_parent(registries: set[str]) -> None:
    names = folder_names(registries)
    assert set(names) == registries
    assert len(set(names.values())) == len(registries)
    for folder in names.values():
        assert os.path.normpath("/certs/" + folder) == "/certs/" + folder
        assert folder not in ("", ".", "..")
        assert "/" not in folder
        assert folder.isprintable()
        assert len(folder.encode("utf-8")) <= 255


def test_files_and_paths_in_the_configuration_agree() -> None:
    sources = [Source(registry, "ca", "somewhere", registry) for registry in ("reg_5000", "reg:5000")]
    config = {"configs": {source.registry: {"tls": {"ca_content": "x"}} for source in sources}}
    configs = with_node_paths(config, sources, "/certs")["configs"]
    places = on_the_node("/certs", sources)
    assert [configs[source.registry]["tls"]["ca_file"] for source in sources] == [places[s][0] for s in sources]
    assert places[sources[1]] == ("/certs/reg_5000/ca.crt", 0o644)
    assert places[sources[0]][0] != places[sources[1]][0]
