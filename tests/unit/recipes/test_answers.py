# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every recipe as it should be, and every typical fault: what the probe says, which verify uses, and what the diagnosis
says of the lines that a real containerd has logged about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.recipes import page
from tests.recipes.playing import CASES, Case, hosts
from tests.recipes.probing import probe
from tests.recipes.pulling import diagnose
from tests.recipes.stage import Stage

GOOD = [case for case in CASES if case.fault is None]
FAULTS = [case for case in CASES if case.fault is not None]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage"), hosts()) as made:
        yield made


def probed(stage: Stage, case: Case) -> list[dict[str, object]]:
    stage.play(case.apps)
    return probe(stage.placed(case.config), case.image, stage.environment)


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_recipe_as_it_should_be_is_ok(stage: Stage, case: Case) -> None:
    assert probed(stage, case)[0]["cause"] == "ok"


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.name)
def test_the_probe_calls_a_typical_fault_as_its_page_says(stage: Stage, case: Case) -> None:
    assert case.fault is not None
    results = probed(stage, case)
    port = stage.placed({"endpoint": f"http://{case.fault.endpoint}"})["endpoint"].partition("//")[2]
    blamed = [result for result in results if str(result["endpoint"]).split("/")[2] in (case.fault.endpoint, port)]
    assert [result["cause"] for result in blamed] == [case.fault.cause]
    assert blamed[0]["fix"]
    assert "secret-of-" not in repr(results)


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.name)
def test_the_diagnosis_calls_it_the_same_by_containerds_log(case: Case) -> None:
    assert case.fault is not None
    (verdict,) = diagnose(page.seen()[case.name], case.config)
    assert (verdict["cause"], verdict["endpoint"]) == (case.fault.cause, case.fault.endpoint)
    assert verdict["fix"]
    assert "secret-of-" not in repr(page.seen()[case.name])


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_the_probe_tells_a_missing_project_from_an_expired_robot(stage: Stage) -> None:
    missing, expired = (probed(stage, _case(f"harbor/{name}"))[0] for name in ("project-missing", "robot-expired"))
    assert "it says that there is no such project" in str(missing["message"])
    assert str(missing["fix"]).startswith("Create the project at harbor.example.com")
    assert "no such project" not in str(expired["message"])
    assert "the robot is active, has not expired" in str(expired["fix"])


def test_a_policy_is_no_matter_of_credentials(stage: Stage) -> None:
    result = probed(stage, _case("harbor/policy"))[0]
    assert "a policy about vulnerabilities forbids it" in str(result["message"])
    assert "auth is not the reason" in str(result["fix"])
    (verdict,) = diagnose(page.seen()["harbor/policy"], _case("harbor/policy").config)
    assert "auth is not the reason" in verdict["fix"]


def test_an_old_password_of_ecr_is_no_matter_of_rights(stage: Stage) -> None:
    result = probed(stage, _case("ecr/expired"))[0]
    assert "it says that the password has expired" in str(result["message"])
    (verdict,) = diagnose(page.seen()["ecr/expired"], {})
    assert "12 hours" in verdict["message"]
    assert "k3s_registries_credential_providers" in verdict["fix"]


def test_words_are_asked_for_once_and_only_where_they_may_tell_something(stage: Stage) -> None:
    for name, asked in (("harbor/policy", 1), ("harbor/upstream-limit", 0), ("harbor/missing", 0)):
        stage.take()
        probed(stage, _case(name))
        manifests = [line for line in stage.take() if line.startswith("GET https://harbor") and "/manifests/" in line]
        assert len(manifests) == asked, name
