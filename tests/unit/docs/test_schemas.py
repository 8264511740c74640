# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/schemas: documents have what the schemas say, no more and no less, and a version keeps what it has."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Iterator, Mapping

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import (
    KINDS,
    SCHEMA,
    VERSION,
    build,
    diagnosed,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import judge
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.verified import verification, verified_host
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests import results
from tests.bench.recorded import examined
from tests.conftest import examples
from tests.docs import schemas
from tests.report import samples
from tests.unit.docs import real_answers
from tests.unit.plugins.plugin_utils._answers.test_conform import spoilt

GROUPS = {"server": ["full"], "agent": ["gone", "waits"]}
NOW = "2026-11-25T14:02:00Z"
each_kind = pytest.mark.parametrize("kind", KINDS)

Answers = Mapping[str, Mapping[str, Any]]


def documents(answers: Answers) -> dict[str, dict[str, Any]]:
    """Kinds to the documents that are made of hosts' answers; one host more has never been asked."""
    hosts = [*answers, "never-asked"]
    info, probe, diagnosis, rehearsal = (
        {host: answers[host].get(question) for host in answers}
        for question in ("info", "probe", "diagnosis", "rehearsal")
    )
    verified = {}
    for host, asked in answers.items():
        judged = judge(host, asked["info"], asked["probe"], asked["canary"], True, asked["applied"])
        verified[host] = verified_host(asked, judged)
    made = {
        "report": build(hosts, info, probe, diagnosis, GROUPS, NOW, rehearsal),
        "verify": verification(hosts, verified, GROUPS, NOW),
        "diagnose": diagnosed(hosts, info, diagnosis, GROUPS, NOW),
    }
    read: dict[str, dict[str, Any]] = json.loads(json.dumps(made))
    return read


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    with pytest.MonkeyPatch.context() as patch:
        yield real_answers.everything(tmp_path_factory.mktemp("answers"), patch)


@pytest.fixture(scope="module")
def made(answers: Answers) -> dict[str, dict[str, Any]]:
    return documents(answers)


@each_kind
def test_a_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(results.published(kind))


@each_kind
def test_what_the_code_makes_is_what_the_schema_says(made: dict[str, dict[str, Any]], kind: str) -> None:
    document = made[kind]
    assert (document["kind"], document["schema"], document["version"]) == (kind, SCHEMA, VERSION)
    assert list(document["hosts"]) == ["broken", "full", "gone", "never-asked", "waits"]
    assert not list(results.mistakes(document))
    assert not list(results.mistakes(document, strict=True)), "something is not in the schema"


@each_kind
def test_what_the_schema_says_is_made(made: dict[str, dict[str, Any]], kind: str) -> None:
    schema = results.published(kind)
    never = {line.partition(": ")[0] for line in schemas.fields(schema)} - set(_seen(schema, made[kind]))
    assert not never, "no node has ever answered this: is it still there?"


def _seen(schema: Mapping[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """The fields of a schema that a value has, with something in them."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            named = schema.get("properties", {}).get(key)
            if inner is not None and named is not None:
                yield from _seen(named, inner, "%s.%s" % (path, key) if path else key)
            elif inner is not None and "additionalProperties" in schema:
                yield from _seen(schema["additionalProperties"], inner, path + ".*")
    elif isinstance(value, list):
        for inner in value:
            yield from _seen(schema["items"], inner, path + ".*")


@each_kind
def test_nothing_secret_is_in_it(made: dict[str, dict[str, Any]], kind: str) -> None:
    assert real_answers.PASSWORD not in json.dumps(made[kind])


def test_who_passes_and_why_not(made: dict[str, dict[str, Any]]) -> None:
    hosts = made["verify"]["hosts"]
    codes = {name: {item["code"] for item in host["failures"]} for name, host in hosts.items()}
    assert {name: host["passes"] for name, host in hosts.items()} == {
        "broken": False, "full": False, "gone": False, "never-asked": False, "waits": True,
    }  # fmt: skip
    assert {"drifted", "not_found", "connection_refused"} <= codes["full"]
    assert (codes["gone"], codes["never-asked"]) == ({"unreachable"}, {"not_asked"})
    assert codes["broken"] == {"module_failed"}
    assert [item["module"] for item in hosts["broken"]["errors"]] == ["k3s_registries", "k3s_registry_probe"]
    assert {name: host["condition"] for name, host in hosts.items()} == {
        "broken": "unknown", "full": "failing", "gone": "unreachable", "never-asked": "unknown", "waits": "ok",
    }  # fmt: skip


def test_the_same_is_said_in_the_same_words(made: dict[str, dict[str, Any]]) -> None:
    """What two documents have about a host is equal, however they were made."""
    for kind in ("verify", "diagnose"):
        for name, host in made[kind]["hosts"].items():
            for key in {*host} & {*made["report"]["hosts"][name]} - {"condition", "level", "errors", "outcome"}:
                assert host[key] == made["report"]["hosts"][name][key], (kind, name, key)


@each_kind
def test_recorded_fleets(kind: str) -> None:
    hosts = {name: examined(name, host) for name, host in samples.document(60)["hosts"].items()}
    document = documents(hosts)[kind]
    assert len(document["hosts"]) == 61
    assert not list(results.mistakes(document, strict=True))


RECORDED = examined("edge", {**samples.document(12)["hosts"]["edge-005"], "errors": []})
RECORDED["canary"] = {"pulls": [{"image": "a", "ok": False, "cause": "timeout", "seconds": 1.5, "evidence": ["l"]}]}
QUESTIONS = ("info", "probe", "canary", "diagnosis", "rehearsal")


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_whatever_a_node_answers_the_documents_are_as_the_schemas_say(data: st.DataObject) -> None:
    answers = copy.deepcopy(RECORDED)
    for question in data.draw(st.sets(st.sampled_from(QUESTIONS), min_size=1)):
        if answers[question]:
            answers[question] = st.composite(lambda draw, good=answers[question]: spoilt(draw, good))()
            answers[question] = data.draw(answers[question])
    for document in documents({"odd": answers}).values():
        assert not list(results.mistakes(document))


def test_a_field_that_a_later_version_adds_is_let_pass(made: dict[str, dict[str, Any]]) -> None:
    document = copy.deepcopy(made["verify"])
    document["hosts"]["full"]["info"]["new"] = document["hosts"]["full"]["newer"] = document["newest"] = 1
    assert not list(results.mistakes({**document, "version": "%d.99" % SCHEMA}))
    assert len(list(results.mistakes(document, strict=True))) == 3


@pytest.mark.parametrize(
    "change",
    [{"version": "%d.0" % (SCHEMA + 1)}, {"schema": SCHEMA + 1}, {"generated": "today"}, {"hosts": {"a": {}}}],
)
def test_another_document_is_refused(made: dict[str, dict[str, Any]], change: dict[str, Any]) -> None:
    assert list(results.mistakes({**made["diagnose"], **change}))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _kept() -> dict[str, set[str]]:
    """Versions to their fields."""
    return {path.stem: set(path.read_text(encoding="utf-8").splitlines()) for path in schemas.KEPT.glob("*.txt")}


def test_a_version_has_the_fields_that_it_was_released_with() -> None:
    now, kept = set(schemas.of_this_version().splitlines()), _kept()
    assert VERSION.startswith("%d." % SCHEMA)
    assert VERSION in kept, "run python -m tests.docs.schemas"
    assert max(map(_number, kept)) == _number(VERSION)
    assert now == kept[VERSION], "fields have changed: see docs/results.md for the version, and raise VERSION"


def test_a_version_has_the_fields_of_those_before_it() -> None:
    now = set(schemas.of_this_version().splitlines())
    for version, fields in _kept().items():
        if version.partition(".")[0] == VERSION.partition(".")[0]:
            assert fields <= now, "a field of %s has gone or changed: that is a new major version" % version


@each_kind
def test_the_schemas_of_a_major_version_have_a_file_each(kind: str) -> None:
    assert Path(schemas.name(kind)).name == "%s-%d.schema.json" % (kind, SCHEMA)
    assert (results.CHECKOUT / schemas.name(kind)).exists()
