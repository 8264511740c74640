# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint says of every shape in tests/lint_corpus what an expert would, no less and no more."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE

from tests.lint_corpus.corpus import Entry, entries

ENTRIES = {entry.name: entry for entry in entries()}
FOUND = {name: {finding["code"] for finding in entry.findings()} for name, entry in ENTRIES.items()}

#: The errors that a recommended configuration may have.
ON_RECOMMENDED = {
    "K3R106": "K3s' page shows auth.token, which K3s has never read.",
    "K3R109": "The pages' placeholders are to be filled in before anybody uses them.",
}
#: The rules that a text of this corpus cannot fire.
ELSEWHERE = {
    "K3R104": "a text keeps the spelling of its numbers; only a variable of Ansible's loses it",
    "K3R115": "only the collection's variable has auth.expires",
    "K3R121": "about comments that ignore findings: tests of ignores",
    "K3R122": "about comments that ignore findings: tests of ignores",
    "K3R232": "two sources of a file are possible in the collection's variable only",
    "K3R248": "said only on a controller without google-re2",
    "K3R260": "needs the images that are wanted",
    "K3R261": "needs the images that are wanted",
    "K3R262": "needs the service's environment",
    "K3R263": "needs the path of a template",
}


@pytest.mark.parametrize("name", ENTRIES)
def test_lint_and_the_expert_agree(name: str) -> None:
    assert FOUND[name] == set(ENTRIES[name].expected), ENTRIES[name].why


@pytest.mark.parametrize("code", [code for code in CATALOGUE if code[3] != "3"])
def test_every_rule_fires_somewhere_and_nowhere_else(code: str) -> None:
    expected = {name for name, entry in ENTRIES.items() if code in entry.expected}
    assert {name for name, found in FOUND.items() if code in found} == expected
    assert bool(expected) != (code in ELSEWHERE)


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES.values() if entry.recommended], ids=lambda entry: entry.name
)
def test_what_the_guides_recommend_has_no_error(entry: Entry) -> None:
    errors = {finding["code"] for finding in entry.findings() if finding["level"] == "error"}
    assert errors <= set(ON_RECOMMENDED)


def test_the_guides_are_those_of_every_product() -> None:
    words = " ".join(entry.name + entry.source for entry in ENTRIES.values() if entry.recommended)
    for product in ("docs.k3s.io", "docs.rke2.io", "harbor", "jfrog", "sonatype", "gitlab", "spegel"):
        assert product in words


def test_every_entry_has_a_source_and_a_reason() -> None:
    assert len(ENTRIES) >= 60
    assert Counter(entry.name for entry in entries()).most_common(1)[0][1] == 1
    for entry in ENTRIES.values():
        assert entry.source
        assert entry.why
        assert list(entry.expected) == sorted(set(entry.expected))


def test_no_secret_of_the_corpus_is_shown() -> None:
    for entry in ENTRIES.values():
        shown = json.dumps(entry.findings())
        assert "canary-of-the-corpus" not in shown
        assert "canaryOfTheCorpus" not in shown


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("settings-under-the-mirrors-name", "K3R271", "reaches only the default endpoint"),
        ("settings-under-the-mirrors-name", "K3R271", "docker-na-public.artifactory.example.com"),
        ("settings-under-the-mirrors-name-without-fallback", "K3R270", "does not ask"),
        ("web-pages-as-endpoints", "K3R218", "web page"),
        ("web-pages-as-endpoints", "K3R219", "none of the images"),
        ("bare-endpoints", "K3R272", "K3s takes https"),
        ("path-without-v2", "K3R215", "https://harbor.example.com/v2/dockerhub"),
        ("path-without-v2", "K3R215", "Harbor has its API before the project"),
        ("nexus-path-without-v2", "K3R215", "https://nexus.example.com/repository/docker-group/v2"),
        (
            "artifactory-path-without-v2",
            "K3R215",
            "https://artifactory.example.com/artifactory/api/docker/docker-remote/v2",
        ),
        ("github-token-variable", "K3R109", "still a placeholder"),
        ("ecr", "K3R229", "12 hours"),
        ("jwt-in-the-past", "K3R229", "ended on 2020-01-01"),
        ("embedded-wildcard-before-the-fix", "K3R419", "v1.34.4+k3s1"),
        ("insecure-one-level-too-high", "K3R101", "insecure_skip_verify under tls:"),
    ],
)
def test_what_is_said_and_advised(name: str, code: str, words: str) -> None:
    said = [item["message"] + " " + item["fix"] for item in ENTRIES[name].findings() if item["code"] == code]
    assert any(words in text for text in said), said


def test_a_placeholder_is_said_once_for_each_value_and_names_no_likeness() -> None:
    found = ENTRIES["k3s-schema"].findings()
    paths = Counter(finding["path"] for finding in found)
    assert set(paths.values()) == {1}
    assert len(found) == len(paths) == 10
    assert "Did you mean" not in json.dumps(found)


def test_an_unsure_path_names_both_kinds_of_products() -> None:
    entry = ENTRIES["path-without-v2"]
    (finding,) = entry._replace(text=entry.text.replace("harbor", "registry")).findings()
    assert "https://registry.example.com/v2/dockerhub" in finding["fix"]
    assert "https://registry.example.com/dockerhub/v2" in finding["fix"]
