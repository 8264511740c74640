# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import (
    AuthTableError,
    auth_tables,
    read_auth_tables,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_text import go_quote
from hypothesis import given
from hypothesis import strategies as st

VERSION_3 = """\
version = 3
root = "/var/lib/rancher/k3s/agent/containerd"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"

[plugins.'io.containerd.cri.v1.images'.registry.configs.'r.example.com:5000'.auth]
  username = "robot$x"
  password = "a\\"b\\\\c"

[plugins.'io.containerd.cri.v1.images'.registry.configs.'t.example.com'.auth]
  identitytoken = "t"

[plugins.'io.containerd.snapshotter.v1.stargz'.registry.configs.'r.example.com:5000'.auth]
  username = "other"
"""


def test_the_tables_of_a_version_3_file() -> None:
    expected = normalise(
        {
            "configs": {
                "r.example.com:5000": {"auth": {"username": "robot$x", "password": 'a"b\\c'}},
                "t.example.com": {"auth": {"identity_token": "t"}},
                "tls.example.com": {"tls": {}},
            }
        }
    )
    assert read_auth_tables(VERSION_3) == auth_tables(expected)


def test_the_tables_of_a_version_2_file() -> None:
    text = '[plugins."io.containerd.grpc.v1.cri".registry.configs."*".auth]\n  auth = "dTpw"\n  \n[other]\n  x = 1\n'
    assert read_auth_tables(text) == {"*": {"username": "", "password": "", "auth": "dTpw", "identitytoken": ""}}


@pytest.mark.parametrize(
    "line", ["password = 'secret'", 'password = "secret', 'token = "secret"', 'password = "secret" # x']
)
def test_a_table_of_the_users_own_is_refused_without_quoting_it(line: str) -> None:
    text = "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry.configs.'a'.auth]\n" + line
    with pytest.raises(AuthTableError) as caught:
        read_auth_tables(text)
    assert "line 3" in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.text())
def test_every_secret_is_read_back(secret: str) -> None:
    if any(0xD800 <= ord(char) <= 0xDFFF for char in secret):
        return
    text = f"[plugins.'io.containerd.cri.v1.images'.registry.configs.'a'.auth]\n  password = {go_quote(secret)}\n"
    assert read_auth_tables(text)["a"]["password"] == secret
