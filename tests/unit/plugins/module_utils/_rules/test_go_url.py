# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_ip import is_localhost, split_host_port
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_text import go_quote, go_unquote
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_url import GoUrlError, parse


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ("https://h", "https://h"),
        ("HTTPS://H.example", "https://H.example"),
        ("//u:p@x@h/a b", "//u:p%40x@h/a%20b"),
        ("//h/a%2Fb", "//h/a%2Fb"),
        ("//h/[x]^", "//h/%5Bx%5D%5E"),
        ("//h/[x]", "//h/[x]"),
        ("//é.com/é", "//%C3%A9.com/%C3%A9"),
        ('//h"<x>', '//h"<x>'),
        ('//h?a"b', '//h?a"b'),
        ("//h?", "//h?"),
        ("//h??", "//h??"),
        ("//h#f g", "//h#f%20g"),
        ("https:h", "https:h"),
        ("https:/h", "https:/h"),
        ("https:///h", "https:///h"),
        ("///h", "///h"),
        ("*", "*"),
        ("//[::1%25en0]:5", "//[::1%25en0]:5"),
        ("//h:", "//h:"),
        ("//a:80:80", "//a:80:80"),
    ],
)
def test_urls_are_printed_as_go_prints_them(given: str, printed: str) -> None:
    assert str(parse(given)) == printed


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("https://h ", 'parse "https://h ": invalid character " " in host name'),
        ("//h:x", 'parse "//h:x": invalid port ":x" after host'),
        ("//[::1]x", 'parse "//[::1]x": invalid port "x" after host'),
        ("//[::1", "parse \"//[::1\": missing ']' in host"),
        ("//[1.2.3.4]", 'parse "//[1.2.3.4]": invalid IP-literal'),
        ("//h%41", 'parse "//h%41": invalid URL escape "%41"'),
        ("//h/%zz", 'parse "//h/%zz": invalid URL escape "%zz"'),
        ("//u p@h", 'parse "//u p@h": net/url: invalid userinfo'),
        ("//h/\x00", 'parse "//h/\\x00": net/url: invalid control character in URL'),
        ("1http://h", 'parse "1http://h": first path segment in URL cannot contain colon'),
        ("://h", 'parse "://h": missing protocol scheme'),
        ("//h#%zz", 'parse "//h#%zz": invalid URL escape "%zz"'),
    ],
)
def test_what_go_refuses_is_refused_in_its_words(given: str, reason: str) -> None:
    with pytest.raises(GoUrlError) as caught:
        parse(given)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "address", ["[::g]", "[12345::]", "[1::2::3]", "[1:2:3:4:5:6:7:8:9]", "[::01.2.3.4]", "[::1%25]"]
)
def test_brackets_hold_nothing_but_ipv6(address: str) -> None:
    with pytest.raises(GoUrlError, match="invalid host"):
        parse("//" + address)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LOCALHOST:5000", False),
        ("127.9.9.9:80", True),
        ("127.1:80", False),
        ("::1", True),
        ("[::1]", False),
        ("[::1]:5000", True),
        ("[::ffff:127.0.0.1]:5", True),
        ("[::1%en0]:5", False),
        ("registry.example.com", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, local: bool) -> None:
    assert is_localhost(host) is local


def test_host_and_port_are_split_as_go_splits_them() -> None:
    assert split_host_port("[::1]:5000") == ("::1", "5000")
    assert split_host_port("h:") == ("h", "")
    for refused in ("h", "::1", "[::1]", "[::1]x:5", "a[b:5", "[a:5"):
        assert split_host_port(refused) is None


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("/etc/ca.pem", '"/etc/ca.pem"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("\x01\t\n\x7f", '"\\x01\\t\\n\\x7f"'),
        ("é😀", '"é😀"'),
        ("\u2028\xa0\x85\ue000", '"\\u2028\\u00a0\\u0085\\ue000"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("\udcff", '"\\xff"'),
    ],
)
def test_text_is_quoted_as_go_quotes_it(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted
    assert go_unquote(quoted) == text


@pytest.mark.parametrize("quoted", ["x", '"', '"a"b"', '"\\z"', '"\\x1"', "'a'"])
def test_what_go_does_not_write_is_not_unquoted(quoted: str) -> None:
    with pytest.raises(ValueError, match="string"):
        go_unquote(quoted)
