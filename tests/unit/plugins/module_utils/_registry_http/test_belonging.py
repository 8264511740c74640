# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.belonging import (
    Origin,
    OriginError,
    belongs_to,
    leaves_tls,
    origin_of,
)


@pytest.mark.parametrize(
    ("url", "origin", "text"),
    [
        ("https://R.example.com/v2/x?y=1", ("https", "r.example.com", 443), "https://r.example.com"),
        ("https://r:443", ("https", "r", 443), "https://r"),
        ("http://r:5000/", ("http", "r", 5000), "http://r:5000"),
        ("https://[2001:db8::1]:5000/v2/", ("https", "2001:db8::1", 5000), "https://[2001:db8::1]:5000"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: tuple[str, str, int], text: str) -> None:
    assert origin_of(url) == Origin(*origin)
    assert origin_of(url).text == text


@pytest.mark.parametrize(
    "url",
    ["http://host:abc/", "http://host:99999/", "http://host:0/", "//host/", "/token", "", "ftp://host/", "https://",
     "https://user:hunter2@host/", "https://host\\@evil/", "https://ho st/", "https://host/\r\nX: y", "http://[::1/",
     "https://host\x1b[2J/"],
)  # fmt: skip
def test_what_names_no_server_for_sure_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(OriginError) as caught:
        origin_of(url)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_credential_belongs_to_one_scheme_host_and_port() -> None:
    mine = origin_of("https://r:5000/")
    assert belongs_to(mine, origin_of("https://R:5000/other"))
    for other in ("http://r:5000", "https://r", "https://r:5001", "https://r.evil:5000"):
        assert not belongs_to(mine, origin_of(other))
    assert leaves_tls(mine, origin_of("http://r:5000"))
    assert not leaves_tls(origin_of("http://r"), origin_of("http://s"))
