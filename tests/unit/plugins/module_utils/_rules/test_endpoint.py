# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import (
    EndpointError,
    normalise_endpoint,
)


@pytest.mark.parametrize(
    ("given", "url", "registry", "override_path"),
    [
        ("r.example.com", "https://r.example.com/v2", "r.example.com", False),
        ("r.example.com:5000/", "https://r.example.com:5000/v2", "r.example.com:5000", False),
        ("http://R.example.com/v2", "http://R.example.com/v2", "R.example.com", False),
        ("r.example.com/v2/", "https://r.example.com/v2/", "r.example.com", True),
        ("r.example.com/project", "https://r.example.com/project", "r.example.com", True),
        ("docker.io", "https://registry-1.docker.io/v2", "docker.io", False),
        ("registry-1.docker.io", "https://registry-1.docker.io/v2", "docker.io", False),
        ("registry-1.docker.io:443", "https://registry-1.docker.io:443/v2", "registry-1.docker.io:443", False),
        ("localhost", "https://localhost/v2", "localhost", False),
        ("localhost:443", "https://localhost:443/v2", "localhost:443", False),
        ("localhost:5000", "http://localhost:5000/v2", "localhost:5000", False),
        ("https://localhost:5000", "https://localhost:5000/v2", "localhost:5000", False),
        ("127.0.0.1:6443", "https://127.0.0.1:6443/v2", "127.0.0.1:6443", False),
        ("[::1]:5000", "http://[::1]:5000/v2", "[::1]:5000", False),
        ("https:/h", "https://https:/h", "https:", True),
        ("", "https:///v2", "", False),
    ],
)
def test_an_endpoint_is_read_as_k3s_reads_it(given: str, url: str, registry: str, override_path: bool) -> None:
    endpoint = normalise_endpoint(given, embedded_mirror="127.0.0.1:6443")
    assert (endpoint.url, endpoint.registry, endpoint.override_path) == (url, registry, override_path)


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(EndpointError, match="invalid character"):
        normalise_endpoint("https://a b")
