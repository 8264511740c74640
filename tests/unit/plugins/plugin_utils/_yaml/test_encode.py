# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import EncodeError
from hypothesis import given
from hypothesis import strategies as st

AWKWARD = [
    "pa #ss", "@x", "a: b", "~", "0123", "yes", "1e3", "null", "😀", "one\ntwo", " lead", "trail ", "\x85", "\u2028",
    "\ufeff", "\x00", "\x7f", "\t", "a\\b", 'a"b', "it's", "<<", "*a", "&a", "!a", "{a}", "[a]", "%a", "`a", "|", ">",
    "---", "...", "1:30", "- a", "? a", "a:", ":", "#", "=", "2024-01-01", "\xa0", "\u202e", "x" * 1100, "é" * 1100,
]  # fmt: skip
texts = st.one_of(st.text(), st.sampled_from(AWKWARD))
auths = st.fixed_dictionaries({"username": texts, "password": texts, "auth": texts, "identity_token": texts})
tls = st.fixed_dictionaries(
    {"ca_file": texts, "cert_file": texts, "key_file": texts, "insecure_skip_verify": st.booleans()}
)
configurations = st.fixed_dictionaries(
    {
        "mirrors": st.dictionaries(
            texts,
            st.fixed_dictionaries(
                {"endpoint": st.lists(texts, max_size=3), "rewrite": st.dictionaries(texts, texts, max_size=3)}
            ),
            max_size=3,
        ),
        "configs": st.dictionaries(
            texts, st.fixed_dictionaries({"auth": st.none() | auths, "tls": st.none() | tls}), max_size=3
        ),
    }
)


@given(configurations)
def test_what_is_written_is_read_back(config: Any) -> None:
    text = encode(config)
    assert decode(text, strict=True) == config
    assert decode(text.encode()) == config
    assert [list(decode(text)[key]) for key in ("mirrors", "configs")] == [
        list(config[key]) for key in ("mirrors", "configs")
    ]


@given(configurations)
def test_other_parsers_read_the_same(config: Any) -> None:
    assert normalise(yaml.safe_load(encode(config))) == config


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_texts_survive_in_every_place(text: str) -> None:
    config = normalise(
        {
            "mirrors": {text: {"endpoint": [text], "rewrite": {text: text}}},
            "configs": {text: {"auth": {"username": text, "password": text}, "tls": {"ca_file": text}}},
        }
    )
    assert decode(encode(config), strict=True) == config


def test_the_text_is_readable() -> None:
    config = normalise(
        {
            "mirrors": {
                "docker.io": {
                    "endpoint": ["https://registry.example.com:5000"],
                    "rewrite": {"^rancher/(.*)": "mirrorproject/rancher-images/$1"},
                },
                "*": None,
            },
            "configs": {
                "registry.example.com:5000": {
                    "auth": {"username": "robot", "password": "0123"},
                    "tls": {"ca_file": "/etc/ca.crt", "insecure_skip_verify": True},
                },
                "a": {"auth": {}},
                "b": None,
            },
        }
    )
    assert encode(config) == (
        "mirrors:\n"
        "  docker.io:\n"
        "    endpoint:\n"
        "      - https://registry.example.com:5000\n"
        "    rewrite:\n"
        '      "^rancher/(.*)": "mirrorproject/rancher-images/$1"\n'
        '  "*": {}\n'
        "configs:\n"
        "  registry.example.com:5000:\n"
        "    auth:\n"
        "      username: robot\n"
        '      password: "0123"\n'
        "    tls:\n"
        "      ca_file: /etc/ca.crt\n"
        "      insecure_skip_verify: true\n"
        "  a:\n"
        "    auth: {}\n"
        "  b: {}\n"
    )


def test_nothing_is_written_as_an_empty_mapping() -> None:
    assert encode(normalise(None)) == "{}\n"


def test_bytes_that_are_no_text_are_refused_without_showing_them() -> None:
    config = normalise({"configs": {"r": {"auth": {"password": "secret\udcff"}}}})
    with pytest.raises(EncodeError, match=r"configs\.r\.auth\.password") as caught:
        encode(config)
    assert "secret" not in str(caught.value)
