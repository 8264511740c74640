# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML as hosts.toml uses it: what Python's own parser reads, this one reads alike, and refuses what that refuses."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.toml import TomlError, parse_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples

TEXTS = {
    "strings": r"""a = "x\ty\u00e9\"\\" # comment
'b.c' = 'raw\n'
d."e.f" = '''
two
lines'''
g = \"\"\"\
    folded \
    text\"\"\"
""".replace('\\"\\"\\"', '"""'),
    "arrays": 'ca = ["a", # first\n "b",\n]\nclient = [["a", "b"], ["c", "d"],]\nempty = []\n',
    "inline": 'header = { x-a = "1", "x b" = ["2", "3"] }\n',
    "tables": '[host]\n[host."https://a/v2"]\nskip_verify = true\n[host."https://a/v2".rewrite]\n"^x" = "y"\n',
    "array of tables": '[[a]]\nb = true\n[[a]]\nb = false\n[a.c]\nd = "e"\n',
    "empty": "",
    "carriage returns": 'a = "b"\r\n[c]\r\nd = false\r\n',
}
REFUSED = {
    "no value": "a = \n",
    "no key": "= 1\n",
    "no equals sign": "abc\n",
    "bare word": "a = yes\n",
    "open string": 'a = "b\n',
    "open array": 'a = ["b"\n',
    "open table": "[host\n",
    "bad escape": r'a = "^foo\.bar"' + "\n",
    "two on a line": 'a = "b" c = "d"\n',
    "key twice": 'a = "b"\na = "c"\n',
    "table twice": "[a]\n[b]\n[a]\n",
    "table over a value": 'a = "b"\n[a]\n',
    "open inline table": 'a = { b = "c"\n',
    "open long string": 'a = """b\n',
}


@pytest.mark.parametrize("name", TEXTS)
def test_as_python_reads_it(name: str) -> None:
    found = parse_toml(TEXTS[name]).values
    if sys.version_info >= (3, 11):
        import tomllib

        assert found == tomllib.loads(TEXTS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_toml_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(TomlError, match=r"line \d+: "):
        parse_toml("# comment\n" + REFUSED[name])


def test_an_error_does_not_repeat_the_text() -> None:
    with pytest.raises(TomlError) as error:
        parse_toml('[header]\nAuthorization = "Bearer CANARY\n')
    assert str(error.value) == "line 2: a string does not end on its line"


def test_headers_keep_their_order() -> None:
    document = parse_toml('[host."b"]\n[host."a"]\n[host."a".rewrite]\n')
    assert document.headers == [("host", "b"), ("host", "a"), ("host", "a", "rewrite")]


def test_what_k3s_writes_is_read() -> None:
    config: Any = {
        "mirrors": {"docker.io": {"endpoint": ["https://a:5000", "http://b/x"], "rewrite": {"^(.*)$": "m/$1"}}},
        "configs": {"a:5000": {"tls": {"ca_file": "/ca é.crt", "cert_file": "/c", "key_file": "/k"}}},
    }
    values = parse_toml(hosts_toml(normalise(config))["docker.io"]).values
    assert list(values["host"]) == ["https://a:5000/v2", "http://b/x"]
    assert values["host"]["https://a:5000/v2"]["ca"] == ["/ca é.crt"]
    assert values["host"]["https://a:5000/v2"]["client"] == [["/c", "/k"]]
    assert values["host"]["http://b/x"]["rewrite"] == {"^(.*)$": "m/$1"}


@settings(max_examples=examples(150), deadline=None)
@given(st.text(alphabet="a=\"'[]{}.,#\\\n \t1-\u00e9", max_size=40))
def test_any_text_is_read_as_python_reads_it_or_refused(text: str) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("Python before 3.11 has no parser to compare with")
    import tomllib

    try:
        wanted = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        # Being more lenient than TOML is harmless; being something else than TomlError is not.
        with contextlib.suppress(TomlError):
            parse_toml(text)
        return
    found = parse_toml(text).values
    if "1" not in text:
        assert found == wanted


@pytest.mark.parametrize("text", ["a=" + "[" * 100_000, "a=" + "{a=" * 100_000])
def test_nesting_has_an_end(text: str) -> None:
    with pytest.raises(TomlError, match="nested too deeply"):
        parse_toml(text)
