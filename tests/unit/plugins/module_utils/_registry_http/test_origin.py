# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a URL leads, and where it does not."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    AddressError,
    Origin,
    bare_origin_of,
    is_within,
    joined,
    leaves_tls,
    origin_of,
)
from hypothesis import given
from hypothesis import strategies as st

HERE = "https://registry.test:5000/v2/a?ns=b"


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port"),
    [
        ("https://registry.test", "https", "registry.test", 443),
        ("https://registry.test:443/v2/", "https", "registry.test", 443),
        ("http://registry.test", "http", "registry.test", 80),
        ("HTTPS://REGISTRY.Test:5000", "https", "registry.test", 5000),
        ("https://user:p%40ss@registry.test:5000", "https", "registry.test", 5000),
        ("https://registry.test:5000@other.test", "https", "other.test", 443),
        ("https://registry.test:", "https", "registry.test", 443),
        ("https://[2001:db8::1]:5000/", "https", "2001:db8::1", 5000),
        ("https://[2001:DB8::1]", "https", "2001:db8::1", 443),
        ("http://[fe80::1%25eth0]:5000", "http", "fe80::1%eth0", 5000),
        ("https://10.0.0.1:5000", "https", "10.0.0.1", 5000),
        ("https://b\u00fccher.test", "https", "xn--bcher-kva.test", 443),
        ("https://\uff52egistry.test:5000", "https", "registry.test", 5000),
        ("https://my_registry", "https", "my_registry", 443),
        ("https://registry.test.", "https", "registry.test.", 443),
    ],
)
def test_origins(url: str, scheme: str, host: str, port: int) -> None:
    assert origin_of(url) == Origin(scheme, host, port)
    assert origin_of(origin_of(url).text) == origin_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "registry.test", "ftp://registry.test", "https://", "https:///v2", "https://:5000", "https://@",
        "https://a b",
        "https://registry.test:abc", "https://registry.test:0", "https://registry.test:65536", "https://registry.test:5_0",
        "https://registry.test:+50", "https://registry.test:\u0665", "https://registry.test:5000:5000", "https://[::1",
        "https://::1", "https://[registry.test]", "https://[::1]x:5", "https://a\t.test", "https://a.test/\r\nX: y",
        "https://other.test\\@registry.test", "https://a%2eb", "https://a\x00b", "https://-a", "https://*",
        "https://\u2100.test", "https://" + "a" * 9000, "https://" + "a." * 127,
    ],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(AddressError):
        origin_of(url)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/elsewhere", "https://registry.test:5000/elsewhere"),
        ("b?x=1", "https://registry.test:5000/v2/b?x=1"),
        ("//other.test/c", "https://other.test/c"),
        ("http:", None),
        ("https://[", None),
        ("/a\nb", None),
        ("javascript:alert(1)", None),
    ],
)
def test_where_a_redirect_leads(location: str, target: str | None) -> None:
    if target is None:
        with pytest.raises(AddressError):
            joined(HERE, location)
    else:
        assert joined(HERE, location) == target


@given(st.text(max_size=40).map(lambda text: "https://" + text) | st.text(max_size=40))
def test_any_location_is_read_in_one_way_or_refused(location: str) -> None:
    try:
        target = joined(HERE, location)
    except AddressError:
        return
    found = origin_of(target)
    assert found.text.isascii()
    assert found.text.isprintable()
    assert origin_of(found.text) == found
    # What stands before an @ decides nothing.
    parts = urlsplit(target)
    if parts.netloc.isascii() and ":" not in found.host:
        assert parts.netloc.rpartition("@")[2].partition(":")[0].lower() == found.host


@pytest.mark.parametrize(
    ("host", "other", "wanted"),
    [
        ("registry.test", "registry.test", True),
        ("sub.registry.test", "registry.test", True),
        ("notregistry.test", "registry.test", False),
        ("test", "registry.test", False),
        ("registry.test", "sub.registry.test", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("::1%.registry.test", "registry.test", False),
    ],
)
def test_whereto_go_takes_credentials_along(host: str, other: str, wanted: bool) -> None:
    assert is_within(host, other) is wanted


@pytest.mark.parametrize("url", ["https://u:hunter2@host/", "https://hunter2@host/", "http://host:0/hunter2", "//h/"])
def test_an_address_from_a_registry_holds_no_login_and_is_not_repeated(url: str) -> None:
    with pytest.raises(AddressError) as caught:
        bare_origin_of(url)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_credential_belongs_to_one_scheme_host_and_port() -> None:
    mine = bare_origin_of("https://r:5000/")
    assert mine == bare_origin_of("https://R:5000/other")
    for other in ("http://r:5000", "https://r", "https://r:5001", "https://r.evil:5000"):
        assert mine != bare_origin_of(other)
    assert leaves_tls(mine, origin_of("http://r:5000"))
    assert not leaves_tls(origin_of("http://r"), origin_of("http://s"))
