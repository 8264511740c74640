# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import ConfigError, normalise


def test_every_known_key_is_present_afterwards() -> None:
    raw = {
        "mirrors": {"docker.io": None, "quay.io": {"endpoint": ["https://m"]}},
        "configs": {"m": {"tls": {}}, "n": None},
    }
    assert normalise(raw) == {
        "mirrors": {
            "docker.io": {"endpoint": [], "rewrite": {}},
            "quay.io": {"endpoint": ["https://m"], "rewrite": {}},
        },
        "configs": {
            "m": {
                "auth": None,
                "tls": {"ca_file": "", "cert_file": "", "key_file": "", "insecure_skip_verify": False},
            },
            "n": {"auth": None, "tls": None},
        },
    }


@pytest.mark.parametrize("raw", [None, {}, {"mirrors": None}, {"configs": None, "auths": {}}])
def test_nothing_is_an_empty_configuration(raw: Any) -> None:
    assert normalise(raw) == {"mirrors": {}, "configs": {}}


def test_normalising_twice_changes_nothing() -> None:
    once = normalise(
        {"mirrors": {"a": {"endpoint": ["b"], "rewrite": {"c": "d"}}}, "configs": {"b": {"auth": {"username": "u"}}}}
    )
    assert normalise(once) == once


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ([], ""),
        ({"mirrors": []}, "mirrors"),
        ({"mirrors": {1: {}}}, "mirrors"),
        ({"mirrors": {"a": "https://m"}}, "mirrors.a"),
        ({"mirrors": {"a": {"endpoint": "https://m"}}}, "mirrors.a.endpoint"),
        ({"mirrors": {"a": {"endpoint": [5]}}}, "mirrors.a.endpoint[0]"),
        ({"mirrors": {"a": {"rewrite": ["x"]}}}, "mirrors.a.rewrite"),
        ({"mirrors": {"a": {"rewrite": {"x": 1}}}}, "mirrors.a.rewrite.x"),
        ({"configs": {"a": {"auth": "x"}}}, "configs.a.auth"),
        ({"configs": {"a": {"auth": {"password": 123456}}}}, "configs.a.auth.password"),
        ({"configs": {"a": {"tls": {"insecure_skip_verify": "true"}}}}, "configs.a.tls.insecure_skip_verify"),
        ({"configs": {"a": {"tls": {"ca_file": True}}}}, "configs.a.tls.ca_file"),
    ],
)
def test_a_wrong_type_is_refused_where_it_stands(raw: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        normalise(raw)
    assert caught.value.path == path
    assert "123456" not in str(caught.value)
