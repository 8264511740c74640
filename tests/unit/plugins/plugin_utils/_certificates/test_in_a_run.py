# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate checks as a run makes them: with the host of the endpoint that the settings are for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.given import read
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.prepare import Prepared, Settings, prepare
from authority import NOW, issue

PINNED = issue("registry", dns=("registry.example.com",)).pem


def prepared(registry: str, **tls: Any) -> Prepared:
    config = {
        "mirrors": {"quay.io": {"endpoint": [f"https://{registry}"]}},
        "configs": {registry: {"tls": {"ca_content": PINNED, **tls}}},
    }
    return prepare(read(config), Settings(), node_paths(node_role="agent"), read_file=lambda path: b"", now=NOW)


@pytest.mark.parametrize("registry", ["registry.example.com", "registry.example.com:5000"])
def test_a_self_signed_certificate_of_the_endpoint_is_shipped(registry: str) -> None:
    result = prepared(registry)
    assert [finding["code"] for finding in result.findings] == ["K3R314"]
    assert result.desired is not None


def test_one_of_another_host_stops_the_run() -> None:
    result = prepared("other.example.com:5000")
    assert [finding["code"] for finding in result.errors] == ["K3R319"]
    assert "other.example.com" in result.errors[0]["message"]
    assert result.desired is None


def test_where_nothing_is_verified_the_host_does_not_matter() -> None:
    assert prepared("other.example.com:5000", insecure_skip_verify=True).errors == []
