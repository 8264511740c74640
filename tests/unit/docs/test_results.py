# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/results.md: its examples find what they say, and its tables have every field and code."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jq
import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import CONDITIONS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import KINDS

from tests import results
from tests.bench.recorded import examined
from tests.docs.guides.blocks import blocks
from tests.docs.pages import CHECKOUT
from tests.report import samples
from tests.unit.docs.test_schemas import documents

PAGE = (CHECKOUT / "docs" / "results.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(command) for block in blocks(PAGE) for command in block.commands]
QUERIES = [words for words in COMMANDS if words[0] == "jq"]


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, Any]]:
    return documents({name: examined(name, host) for name, host in samples.document(60)["hosts"].items()})


def ask(words: list[str], made: dict[str, dict[str, Any]]) -> list[Any]:
    """What jq answers to an example."""
    _jq, option, query, name = words
    assert option in ("-r", "-e")
    document = json.loads(json.dumps(made[name.partition(".")[0]]))
    answers: list[Any] = jq.compile(query).input_value(document).all()
    return answers


def test_every_example_finds_something(made: dict[str, dict[str, Any]]) -> None:
    assert len(QUERIES) == 6
    assert all(ask(words, made) for words in QUERIES)


def test_the_examples_of_verify(made: dict[str, dict[str, Any]]) -> None:
    nodes, reasons, passes = [words for words in QUERIES if words[-1] == "verify.json"]
    hosts = made["verify"]["hosts"]
    failed = [name for name, host in hosts.items() if not host["passes"]]
    assert ask(nodes, made) == failed
    lines = [line.split("\t") for line in ask(reasons, made)]
    assert {line[0] for line in lines} == set(failed)
    assert ["never-asked", "not_asked"] in [line[:2] for line in lines]
    assert ask(passes, made) == [False]
    good = {name: host for name, host in hosts.items() if host["passes"]}
    assert ask(passes, {"verify": {**made["verify"], "hosts": good}}) == [True]
    assert ask(passes, {"verify": {**made["verify"], "hosts": {}}}) == [False]


def test_the_examples_of_the_others(made: dict[str, dict[str, Any]]) -> None:
    causes, certificates, pending = [words for words in QUERIES if words[-1] != "verify.json"]
    assert {line.split("\t")[0] for line in ask(causes, made)} == {"not_found", "tls_unknown_authority"}
    hosts = made["report"]["hosts"]
    assert ask(pending, made) == [name for name, host in hosts.items() if host["condition"] == "pending"]
    for line in ask(certificates, made):
        node, registry, path, ends = line.split("\t")
        assert (registry, Path(path).suffix, ends[:2]) == ("registry.example.com:5000", ".crt", "20")
        assert min(item["days_left"] for item in hosts[node]["info"]["certificates"]) < 14


@pytest.mark.parametrize("spoilt", [False, True])
def test_a_document_can_be_checked_as_it_says(made: dict[str, dict[str, Any]], tmp_path: Path, spoilt: bool) -> None:
    [words] = [words for words in COMMANDS if words[0] == "python3"]
    document = {**made["verify"], **({"hosts": []} if spoilt else {})}
    (tmp_path / "verify.json").write_text(json.dumps(document), encoding="utf-8")
    shutil.copy(CHECKOUT / "docs" / "schemas" / "verify-1.schema.json", tmp_path)
    done = subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, check=False, text=True)
    assert (done.returncode != 0) is spoilt, done.stderr


def test_the_table_has_every_field_of_a_host() -> None:
    named: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for row in re.findall(r"^\| `.*\|$", PAGE.split("| field of a host |")[1].split("\n\n")[0], re.M):
        fields, *kinds, _what = [cell.strip() for cell in row.strip("|").split("|")]
        for kind, mark in zip(KINDS, kinds):
            named[kind] |= set(re.findall(r"`(\w+)`", fields)) if mark else set()
    for kind in KINDS:
        assert named[kind] == set(results.published(kind)["properties"]["hosts"]["additionalProperties"]["required"])


def test_the_page_has_every_condition_and_code() -> None:
    for word in CONDITIONS:
        assert "`%s`" % word in PAGE
    codes = results.published("verify")["properties"]["hosts"]["additionalProperties"]["properties"]["failures"]
    said = codes["items"]["properties"]["code"]["description"].partition(" or not_applied")[2]
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("| `code` |")[1].split("\n\n")[0], re.M))
    assert listed == {"not_applied", *re.findall(r"\w+_\w+|disagreement|unreachable", said)}


def test_codes_are_those_of_the_code() -> None:
    sources = [*CHECKOUT.glob("plugins/plugin_utils/_verify/*.py"), *CHECKOUT.glob("plugins/plugin_utils/_assess/*.py")]
    made = {
        code
        for path in sources
        for code in re.findall(r'Finding\(\s*(?:True|False), "(\w+)"', path.read_text(encoding="utf-8"))
    }
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("| `code` |")[1].split("\n\n")[0], re.M))
    assert made == listed
