# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.vectors("decode.json")
def test_the_result_is_k3s_own(case: dict[str, Any]) -> None:
    # The one file that is no UTF-8 is told by its bytes.
    source = case["yaml"].encode("latin-1") if "invalid utf8" in case["name"] else case["yaml"]
    if not case["accepted"]:
        with pytest.raises(DecodeError):
            decode(source)
        return
    assert decode(source) == case["decoded"]
    if case["strict_error"]:
        with pytest.raises(DecodeError):
            decode(source, strict=True)
    else:
        assert decode(source, strict=True) == case["decoded"]


def password(text: str) -> str:
    """What K3s takes for the password where ``text`` stands after the key."""
    auth = decode(f"configs:\n  r:\n    auth:\n      password: {text}\n      username: u\n")["configs"]["r"]["auth"]
    assert auth is not None
    assert auth["username"] == "u"
    return auth["password"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("No", "No"),
        ("NULL", ""),
        ("'~'", "~"),
        ('"null"', "null"),
        ("!!str ~", "~"),
        ("!!int 5", "5"),
        ("!foo x", "x"),
        ("!!binary aGVsbG8=", "hello"),
        ("a\tb", "a\tb"),
        ("a\t", "a"),
        ("a#b", "a#b"),
        ("a:b", "a:b"),
        (r'"\x41\u00e9\U0001F600\'\N\_"', "Aé😀'\x85\xa0"),
        ("'it''s'", "it's"),
        ("plain\n        goes on", "plain goes on"),
        ('"one\n\n        two \\\n        three"', "one\ntwo three"),
        ("|\n        one\n          two\n\n        three", "one\n  two\n\nthree\n"),
        (">-\n        one\n        two\n\n        three", "one two\nthree"),
        ("|2+\n        one\n", "one\n\n"),
        ("&p secret", "secret"),
        ("😀", "😀"),
    ],
)
def test_a_password_is_read_as_it_is_spelled(written: str, read: str) -> None:
    assert password(written) == read


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("secret: x", "mapping values are not allowed"),
        ("*secret", "unknown anchor"),
        ("%secret", "cannot start any token"),
        ("!secret!x y", "undefined tag handle"),
        (r'"\/secret"', "unknown escape"),
        (r'"\ud800secret"', "invalid Unicode"),
        ("'secret", "unexpected end of stream"),
        ("[secret]", "cannot unmarshal !!seq into string"),
        ("{secret: x}", "cannot unmarshal !!map into string"),
        ("!!int secret", "cannot decode !!str as a !!int"),
        ("!!binary secret", "invalid base64"),
        ("secret\x07", "control characters"),
        ("secret\udce9", "invalid UTF-8"),
        ("|0\n        secret", "equal to 0"),
        ("!! secret", "did not find expected tag"),
    ],
)
def test_a_refused_password_is_not_in_the_message(written: str, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem) as caught:
        password(written)
    assert "secret" not in str(caught.value)


def test_a_wrong_type_names_line_and_path() -> None:
    text = "mirrors:\n  quay.io:\n    endpoint: https://m\nconfigs:\n  r:\n    tls: {insecure_skip_verify: 1}\n"
    with pytest.raises(DecodeError) as caught:
        decode(text)
    assert caught.value.line == 3
    assert caught.value.path == "mirrors.quay.io.endpoint"
    assert "line 6: configs.r.tls.insecure_skip_verify: cannot unmarshal !!int into bool" in caught.value.message


def test_blocks_of_the_same_name_are_merged_and_their_entries_replaced() -> None:
    text = "mirrors:\n  a: {endpoint: [x], rewrite: {p: q}}\n  b:\nmirrors:\n  a: {rewrite: {r: s}, rewrite: {t: u}}\n"
    assert decode(text)["mirrors"] == {
        "a": {"endpoint": [], "rewrite": {"r": "s", "t": "u"}},
        "b": {"endpoint": [], "rewrite": {}},
    }
    assert decode(text + "mirrors: ~\n")["mirrors"] == {}


def test_an_auth_given_twice_is_one_auth_unless_null_came_between() -> None:
    text = "configs:\n  r:\n    auth: {username: u}\n    auth: {password: p}\n"
    auth = decode(text)["configs"]["r"]["auth"]
    assert auth is not None
    assert (auth["username"], auth["password"]) == ("u", "p")
    assert decode(text + "    auth: null\n")["configs"]["r"]["auth"] is None


def test_null_leaves_auth_out_but_in_capitals_it_does_not() -> None:
    assert decode("configs: {r: {auth: null}}")["configs"]["r"]["auth"] is None
    assert decode("configs: {r: {auth: NULL}}")["configs"]["r"]["auth"] is not None


def test_merge_keys_count_where_they_stand() -> None:
    text = "x: &x {endpoint: [x]}\ny: &y {endpoint: [y], rewrite: {a: b}}\nmirrors:\n  m:\n"
    assert decode(text + "    endpoint: [own]\n    <<: *x\n")["mirrors"]["m"]["endpoint"] == ["x"]
    assert decode(text + "    <<: [*x, *y]\n")["mirrors"]["m"] == {"endpoint": ["x"], "rewrite": {"a": "b"}}
    assert decode(text + '    "<<": *x\n')["mirrors"]["m"]["endpoint"] == []
    with pytest.raises(DecodeError, match="map merge requires map"):
        decode(text + "    <<: text\n")


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbfmirrors:\n  a:\n",
        "\ufeffconfigs:\nmirrors:\n  a:\n",
        b"\xff\xfe" + "mirrors:\n  a:\n".encode("utf-16-le"),
        b"\xfe\xff" + "mirrors:\n  a:\n".encode("utf-16-be"),
        "mirrors:\r\n  a:\r\n",
        "mirrors:\r  a:\r",
        "%YAML 1.1\n---\nmirrors:\n  a:\n...\nanything { at all",
        "mirrors:\n  a:\n---\n\tno yaml",
        "mirrors: {a: }",
    ],
)
def test_encodings_line_ends_and_what_follows(source: str | bytes) -> None:
    assert list(decode(source)["mirrors"]) == ["a"]


@pytest.mark.parametrize(
    "source", ["%YAML 1.2\n---\nmirrors:\n", "%FOO x\n---\n", "mirrors:\n  a\n", b"\xff\xfea", "- a\n", "x"]
)
def test_other_files_are_refused(source: str | bytes) -> None:
    with pytest.raises(DecodeError):
        decode(source)


def test_auths_is_read_but_kept_nowhere() -> None:
    assert decode("auths: {r: {username: u}}") == {"mirrors": {}, "configs": {}}
    with pytest.raises(DecodeError):
        decode("auths: text")


def test_strict_names_every_key_that_k3s_drops() -> None:
    text = "mirrrors: {}\nconfigs:\n  r: {auth: {token: t}}\n  r: {tls: {}}\nmirrors:\nmirrors:\n"
    with pytest.raises(DecodeError) as caught:
        decode(text, strict=True)
    for line, path in ((1, "mirrrors"), (3, "configs.r.auth.token"), (4, "configs.r"), (6, "mirrors")):
        assert f"line {line}: {path}: " in caught.value.message


NINE_TIMES = "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 9))


@pytest.mark.parametrize(
    "text",
    [
        "x: " + "[" * 50_000,
        "x: " + "{" * 50_000,
        "- " * 20_000,
        "? " * 20_000,
        "x: " + "[" * 10_001 + "]" * 10_001,
        "<<: {" * 5_000 + "}" * 5_000,
        "a0: &a0 {a: {endpoint: [b]}}\n" + NINE_TIMES + "mirrors: *a8\n",
        "mirrors: &m {<<: *m}\n",
    ],
)
def test_hostile_documents_are_refused_at_once(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(DecodeError):
        decode(text)
    assert time.monotonic() - started < 30


def test_a_deep_value_under_an_unknown_key_is_nothing_to_k3s() -> None:
    assert decode("x: " + "[" * 9_000 + "]" * 9_000) == {"mirrors": {}, "configs": {}}


@given(st.one_of(st.text(), st.binary(), st.text("mirosconfgaut:{}[],-&*!|>'\"\\#%@\n\t ~<?", max_size=60)))
def test_nothing_but_a_decode_error_comes_out(source: str | bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert set(decode(source)) == {"mirrors", "configs"}


SECRET = "hunter2-CANARY"


@pytest.mark.parametrize(
    "text",
    [
        "configs: {r: {auth: {username: u, 'password:%s': }}}" % SECRET,
        "configs: {r: {auth: {username: u, %s: }}}" % SECRET.replace("-", "").replace("2", ""),
        "configs: {r: {auth: {%s: x}}}" % SECRET,
        "configs: {r: {'password:%s': x}}" % SECRET,
        "configs: {'https://admin:%s@r': {aut: x}}" % SECRET,
        "configs: {'admin:p/%s@r': {aut: x}}" % SECRET,
        "mirrors: {'r/?token=%s': {endpoint: x}}" % SECRET,
        "auths: {r: {%s: x}}" % SECRET,
    ],
)
def test_no_key_that_may_be_a_secret_is_named(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(text, strict=True)
    for form in (SECRET, SECRET.replace("-", "").replace("2", "")):
        assert form not in caught.value.message + caught.value.path


def test_a_misspelt_key_under_auth_is_named() -> None:
    with pytest.raises(DecodeError, match="configs.r.auth.pasword: field pasword not found"):
        decode("configs: {r: {auth: {pasword: x}}}", strict=True)


def test_many_problems_are_not_all_listed() -> None:
    with pytest.raises(DecodeError) as caught:
        decode("x: &x {}\nmirrors: {r: {endpoint: [%s]}}" % ", ".join(["*x"] * 50_000))
    assert caught.value.message.endswith("; and 49980 more")
    assert len(caught.value.message) < 5000


def test_a_text_that_aliases_multiply_is_refused() -> None:
    with pytest.raises(DecodeError, match="excessive aliasing"):
        decode("x: &x %s\nmirrors: {r: {endpoint: [%s]}}" % ("h" * 100_000, ", ".join(["*x"] * 1000)))


@pytest.mark.parametrize("digits", ["1" * 100_000, "0x" + "f" * 100_000, "0" * 100_000 + "7"])
def test_long_numbers_are_text_at_once(digits: str) -> None:
    assert decode("configs: {r: {auth: {password: %s}}}" % digits)["configs"]["r"]["auth"]["password"] == digits
