# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy containerd goes through; the entries of NO_PROXY one by one are in _probe/test_proxies.py."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.no_proxy import proxy_of_containerd

PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("environment", "host", "proxied"),
    [
        ({"HTTPS_PROXY": PROXY}, "registry.example.com:5000", True),
        ({"https_proxy": PROXY}, "registry.example.com:5000", True),
        ({"CONTAINERD_HTTPS_PROXY": PROXY, "HTTPS_PROXY": "http://k3s.example.com"}, "registry.example.com", True),
        ({"HTTP_PROXY": PROXY}, "registry.example.com:5000", False),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com"}, "registry.example.com:5000", False),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com", "CONTAINERD_NO_PROXY": "a.test"}, "r.example.com", True),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "registry.example.com:443"}, "registry.example.com:5000", True),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "registry.example.com:5000"}, "registry.example.com:5000", False),
        ({"HTTPS_PROXY": PROXY}, "registry.example.com:99999", False),
        ({"HTTPS_PROXY": PROXY}, "registry.example.com:port", False),
    ],
)
def test_the_proxy_of_a_host(environment: dict[str, str], host: str, proxied: bool) -> None:
    assert proxy_of_containerd(environment, "https", host) == (PROXY if proxied else "")
