# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as text: whole, on its own, and unmoved by what hostile names try."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import page

from tests.report import samples

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "' onmouseover='alert(1)",
    "--><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% for x in y %}",
    "<!--<script>",
    "]]></style>\u2028\u0000",
]
VOID = {"meta", "input", "wbr", "img", "br"}


class Reader(HTMLParser):
    """Every element with its attributes, the text of scripts and styles, and whether all that opens closes."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]].append(data)
        else:
            self.text.append(data)


def hostile_everywhere(value: Any, text: str) -> Any:
    """`value` with `text` after every string that is not one of the contract's words."""
    if isinstance(value, dict):
        kept = ("group", "state", "cause", "kind", "level", "config", "generated", "verdict")
        return {key: item if key in kept else hostile_everywhere(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile_everywhere(item, text) for item in value]
    return value + text if isinstance(value, str) and value else value


def test_the_page_is_whole_and_names_every_node() -> None:
    fleet = samples.document(40)
    read = Reader(page.html(fleet))
    assert read.open == []
    names = {attributes.get("data-node") for _tag, attributes in read.elements}
    assert set(fleet["hosts"]) <= names
    assert [tag for tag, _attributes in read.elements].count("h1") == 1


def test_identifiers_are_there_once_and_every_reference_finds_its_own() -> None:
    read = Reader(page.html(samples.document(6)))
    ids = [attributes["id"] for _tag, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"] or "" for tag, a in read.elements if tag == "a"]
    assert {link[1:] for link in links} <= set(ids)
    assert {a["aria-labelledby"] for _tag, a in read.elements if "aria-labelledby" in a} <= set(ids)


def test_nothing_is_asked_of_the_network() -> None:
    text = page.html(samples.document(40))
    read = Reader(text)
    assert not [a for _tag, a in read.elements if {"src", "srcset", "action", "data", "poster"} & set(a)]
    assert all((a["href"] or "").startswith("#") for _tag, a in read.elements if "href" in a)
    assert not {"link", "iframe", "object", "embed", "img", "base"} & {tag for tag, _a in read.elements}
    code = "".join(read.raw["style"] + read.raw["script"][1:])
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", code)


def test_the_policy_allows_this_style_and_this_script_and_nothing_else() -> None:
    read = Reader(page.html(samples.document(6)))
    (policy,) = [a["content"] for _tag, a in read.elements if a.get("http-equiv") == "Content-Security-Policy"]

    def token(text: str) -> str:
        return "'sha256-%s'" % base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy == (
        f"default-src 'none'; style-src {token(read.raw['style'][0])}; script-src {token(read.raw['script'][1])}; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not [a for _tag, a in read.elements if "style" in a or any(name.startswith("on") for name in a)]


def test_the_document_is_in_the_page() -> None:
    fleet = samples.document(6)
    assert json.loads(Reader(page.html(fleet)).raw["script"][0]) == fleet


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_content_stays_text(text: str) -> None:
    fleet = samples.document(6)
    calm = Reader(page.html(fleet))
    changed = hostile_everywhere(copy.deepcopy(fleet), text)
    changed["hosts"] = {name + text: host for name, host in changed["hosts"].items()}
    read = Reader(page.html(changed, "title " + text))
    assert read.open == []

    def shape(reader: Reader) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(a)) for tag, a in reader.elements if tag not in ("wbr",)]

    assert shape(read) == shape(calm)
    assert len(read.raw["script"]) == 2
    assert json.loads(read.raw["script"][0]) == changed
    assert read.raw["script"][1] == calm.raw["script"][1]


def test_what_may_be_broken_is_copied_as_it_is() -> None:
    assert page.broken("https://r.example.com:5000/a<b") == (
        "https://<wbr>r.<wbr>example.<wbr>com:<wbr>5000/<wbr>a&lt;b"
    )


@pytest.mark.parametrize("count", [0, 1])
def test_a_fleet_of_nothing_and_of_one_has_a_page(count: int) -> None:
    fleet = samples.document(1, troubled=False)
    if not count:
        fleet["hosts"] = {}
    assert Reader(page.html(fleet)).open == []


def test_a_page_that_tells_nothing_is_calm() -> None:
    text = page.html({"schema": 1, "generated": "soon", "hosts": {}})
    for said in ("There are no nodes", "No node has probed", "None in containerd", "Nothing", "soon"):
        assert said in text


def test_five_hundred_nodes_stay_within_their_count_of_elements() -> None:
    read = Reader(page.html(samples.document(500)))
    assert len(read.elements) <= 500 * 40
