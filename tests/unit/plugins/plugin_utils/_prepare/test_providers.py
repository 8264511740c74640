# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of k3s_registries_credential_providers is refused on the controller, and what becomes of the rest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.providers import (
    ProviderProblem,
    prepare_providers,
)
from hypothesis import given
from hypothesis import strategies as st

AMD64 = b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00" + bytes(44)
SCRIPT = b"#!/bin/sh\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "amd64").write_bytes(AMD64)
    (tmp_path / "script").write_bytes(SCRIPT)
    return tmp_path


def entry(**change: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"name": "ecr", "src": "script", "match_images": ["*.dkr.ecr.*.amazonaws.com"], **change}
    return {key: value for key, value in given.items() if value is not None}


def prepare(files: Path, *entries: Any) -> Any:
    return prepare_providers(list(entries), lambda path: str(files / path))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_is_shipped(files: Path) -> None:
    found = prepare(
        files,
        entry(src={"amd64": "amd64", "arm64": "script"}, checksum={"amd64": "sha256:" + sha256(AMD64).upper()}),
        entry(name="own", env={"TOKEN": "canary-1"}, args=["a"], default_cache_duration="5m", checksum=sha256(SCRIPT)),
        entry(name="there", src=None, path="/usr/bin/ecr", token_attributes=None),
    )
    assert [dict(item.programs) for item in found.declared] == [
        {"amd64": sha256(AMD64), "arm64": sha256(SCRIPT)}, {"*": sha256(SCRIPT)}, {},
    ]  # fmt: skip
    assert found.sources == {sha256(AMD64): str(files / "amd64"), sha256(SCRIPT): str(files / "script")}
    own = found.declared[1]
    assert (own.provider.env, own.provider.args, own.secrets()) == ((("TOKEN", "canary-1"),), ("a",), ["canary-1"])
    assert own.on("riscv64") == own.provider._replace(sha256=sha256(SCRIPT))
    assert found.declared[0].on("riscv64") is None
    assert found.declared[2].on("riscv64") == found.declared[2].provider


def test_none_are_none(files: Path) -> None:
    assert prepare_providers([], str).declared == prepare_providers(None, str).declared == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"matchImages": ["x"]}, "there is no matchImages, only name, src"),
        ({"name": None}, "name is needed"),
        ({"name": "k3sfleet-credential-store"}, "is for the program of k3s_registries_credential_store"),
        ({"src": None}, "one of src (a file on the controller) and path"),
        ({"path": "/usr/bin/ecr"}, "one of src (a file on the controller) and path"),
        ({"src": None, "path": "ecr"}, "an absolute path on the node"),
        ({"src": None, "path": "/usr/../bin/ecr"}, "an absolute path on the node"),
        ({"src": None, "path": "/usr/bin/ecr", "checksum": sha256(SCRIPT)}, "checksum goes with src"),
        ({"src": {"x86_64": "amd64"}}, "x86_64 is no architecture; those are 386, arm, amd64"),
        ({"src": ["script"]}, "a mapping of architectures to paths"),
        ({"checksum": "md5:1"}, "has to be a SHA-256"),
        ({"checksum": {"amd64": sha256(SCRIPT)}}, "given like src"),
        ({"checksum": "0" * 64}, "its SHA-256 is %s, and checksum says another" % sha256(SCRIPT)),
        ({"src": "nowhere"}, "src nowhere cannot be read on the controller"),
        ({"src": "amd64"}, "name it by its architecture, such as {amd64: ...}"),
        ({"src": {"arm64": "amd64"}}, "it is a program for amd64, and the node is arm64"),
        ({"match_images": "x"}, "match_images has to be a list of texts"),
        ({"match_images": []}, "k3s_registries_credential_providers: ecr: match_images needs at least one pattern"),
        ({"default_cache_duration": 5}, "a text such as 12h"),
        ({"env": ["x"]}, "a mapping of names to texts"),
        ({"env": {"A": 7310815}}, "env A has to be a text: write it in quotes"),
        ({"token_attributes": "x"}, "token_attributes has to be a mapping"),
        ({"token_attributes": {"audience": "x"}}, "the kubelet does not know audience"),
    ],
)
def test_what_is_refused(files: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderProblem) as refused:
        prepare(files, entry(**change))
    assert words in str(refused.value)
    assert "7310815" not in str(refused.value)


def test_a_list_is_needed(files: Path) -> None:
    for odd in ({"name": "x"}, ["x"], "x", 7):
        with pytest.raises(ProviderProblem, match="has to be a list of providers"):
            prepare_providers(odd, str)


def test_a_folder_is_no_program(files: Path) -> None:
    (files / "folder").mkdir()
    with pytest.raises(ProviderProblem, match="not a regular file"):
        prepare(files, entry(src="folder"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
KEYS = ("name", "src", "checksum", "path", "match_images", "default_cache_duration", "args", "env", "token_attributes")


@given(st.lists(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), VALUES, max_size=9), max_size=2))
def test_anything_is_prepared_or_refused(entries: list[Any]) -> None:
    def find(path: str) -> str:
        raise ValueError("there is no such file")

    said = "none"
    try:
        assert len(prepare_providers(entries, find).declared) == len(entries)
    except ProviderProblem as problem:
        said = str(problem)
    assert said
