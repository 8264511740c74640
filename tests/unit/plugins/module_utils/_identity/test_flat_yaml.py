# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strict reader: never another meaning than PyYAML's, and sure of what people write."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.flat_yaml import Unsure, read_flat
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._config_yaml.yaml_entries import NoYaml, yaml_entries
from hypothesis import given
from hypothesis import strategies as st

WANTED = ("data-dir", "embedded-registry", "https-listen-port", "service-cidr", "private-registry")

_TYPICAL = """---
# written by the installer
token: "K10abc::server:def"
write-kubeconfig-mode: "0644"
tls-san:
  - api.example.com
  - 10.0.0.1
disable: [traefik, "servicelb"]
node-label:
- "disk=ssd"
- zone=a
kubelet-arg:
  - "fail-swap-on=false"
data-dir: /srv/k3s # the big disk
embedded-registry: true
https-listen-port: 7443
service-cidr: 10.43.0.0/16,fd00:43::/112
private-registry: '/etc/r.yaml'
"""


def test_what_people_write() -> None:
    assert read_flat(_TYPICAL, WANTED) == [
        ("data-dir", "/srv/k3s"),
        ("embedded-registry", True),
        ("https-listen-port", 7443),
        ("service-cidr", "10.43.0.0/16,fd00:43::/112"),
        ("private-registry", "/etc/r.yaml"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("service-cidr:\n- fd00::/112\n- 10.43.0.0/16\n", [("service-cidr", ["fd00::/112", "10.43.0.0/16"])]),
        ("data-dir+: /a\n", [("data-dir+", "/a")]),
        ("data-dir:\n", [("data-dir", None)]),
        ("embedded-registry: Yes\r\n", [("embedded-registry", True)]),
        ("motd: |\n  data-dir: /not/this\n", []),
        ("other:\n  data-dir: /not/this\n", []),
        ("data-dir: /a\ndata-dir: /b\n", [("data-dir", "/a"), ("data-dir", "/b")]),
    ],
)
def test_of_these_it_is_sure(text: str, found: list[tuple[str, object]]) -> None:
    assert read_flat(text, WANTED) == found


@pytest.mark.parametrize(
    "text",
    [
        'a: "begins\ndata-dir: /swallowed"\n',
        "a: [x,\ndata-dir: /swallowed]\n",
        "data-dir:\n  /below\n",
        "data-dir: /a\n  b\n",
        "data-dir: &x /a\n",
        "data-dir: *x\n",
        "data-dir: !!str /a\n",
        'data-dir: "/a\\u0062"\n',
        '"data-dir": /a\n',
        "{data-dir: /a}\n",
        "data-dir: |\n  /a\n",
        "https-listen-port: 0644\n",
        "https-listen-port: 7_443\n",
        "https-listen-port: 0x1d13\n",
        "a: 1\n---\ndata-dir: /a\n",
        "a:\tb\n",
        "? data-dir\n: /a\n",
        "<<: *base\ndata-dir: /a\n",
        "\ufeffdata-dir: /a\n",
        "service-cidr:\n  - a: b\n",
        "no mapping at all\n",
    ],
)
def test_of_these_it_is_not(text: str) -> None:
    with pytest.raises(Unsure):
        read_flat(text, WANTED)


_WORDS = st.sampled_from(
    ["/srv", "true", "off", "7443", "0644", "1:30", "1e3", "a b", "a #c", "a: b", "~", "'x'", '"y"', '"z', "[a, b]",
     "[a",
     "{", "|", ">-", "&a", "*a", "!x", "- x", "fd00::/112", "", "# c", "it's", 'a"b', "%x", "@x", "`x", "=", "<<", "\\"]
)  # fmt: skip
_LINES = st.one_of(
    st.builds(
        "{}:{}{}".format, st.sampled_from([*WANTED, "other", "data-dir+"]), st.sampled_from([" ", "", "  "]), _WORDS
    ),
    st.builds("{}- {}".format, st.sampled_from(["", "  ", "    "]), _WORDS),
    st.builds("{}{}".format, st.sampled_from(["", " ", "    "]), _WORDS),
    st.builds("  {}: {}".format, st.sampled_from(["data-dir", "x"]), _WORDS),
    st.sampled_from(["---", "...", "", "# data-dir: /x"]),
)


@given(st.lists(_LINES, max_size=8))
def test_it_never_reads_what_pyyaml_does_not(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    try:
        sure = read_flat(text, WANTED)
    except Unsure:
        return
    try:
        parsed = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        # Such a file ends K3s at its start, so whatever it seems to say is not in force anywhere.
        return
    last = dict(sure)
    assert last == {key: value for key, value in parsed.items() if str(key).rstrip("+") in WANTED}


def test_the_controller_reads_the_rest_and_expands_nothing() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        "%s: &%s [%s]\n" % (new, new, ", ".join(["*" + old] * 9)) for old, new in zip("abcdefgh", "bcdefghi")
    )
    text = bomb + 'data-dir: "/srv/\\u006b3s"\nembedded-registry: &on true\nservice-cidr: *i\n'
    assert yaml_entries(text) == [("data-dir", "/srv/k3s"), ("embedded-registry", True), ("service-cidr", [])]


@pytest.mark.parametrize("text", ["a: [\n", "- a\n", "just text", "a: b: c\n"])
def test_no_yaml_is_said_without_quoting_it(text: str) -> None:
    with pytest.raises(NoYaml) as caught:
        yaml_entries(text + "token: canary-secret\n" if text.endswith("\n") else text)
    assert "canary" not in str(caught.value)
