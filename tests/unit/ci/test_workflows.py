# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workflows for GitHub and GitLab, which cannot run here: what they call is there, and they may do no more than
they must. `make workflows-check` says whether they are well-formed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from tests.tools import plan

CHECKOUT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"^[\w-]+/[\w-]+@[0-9a-f]{40}$")
MAKEFILES = ("Makefile", "tests/fleet/fleet.mk")


def load(path: Path) -> dict[str, Any]:
    # A loader of strings only: YAML 1.1 reads the key `on` as true.
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506
    return content


def github_jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield "%s: %s" % (path.name, name), job


def gitlab_jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    pipelines = [load(CHECKOUT / ".gitlab-ci.yml"), plan.gitlab(False), plan.gitlab(True)]
    for pipeline in pipelines:
        for name, job in pipeline.items():
            if isinstance(job, dict) and "script" in job:
                yield name, job


def make_targets() -> set[str]:
    found: set[str] = set()
    for name in MAKEFILES:
        found |= set(re.findall(r"^([a-z0-9-]+):", (CHECKOUT / name).read_text(encoding="utf-8"), re.MULTILINE))
    return found


def make_variables() -> set[str]:
    text = "".join((CHECKOUT / name).read_text(encoding="utf-8") for name in MAKEFILES)
    return set(re.findall(r"\$\((?:if \$\()?([A-Z0-9_]+)\)", text))


def calls() -> Iterator[tuple[str, list[str]]]:
    """Every command of every workflow, with the words that a matrix puts in."""
    matrices = {"TARGET": "nightly", "RELEASE": "releases", "TRIAL": "versions"}
    for where, job in github_jobs():
        for step in job.get("steps", []):
            if "run" not in step:
                continue
            used = [name for name in matrices if "$%s" % name in step["run"]]
            values = plan.LISTS[matrices[used[0]]]() if used else [""]
            for value in values:
                word = value["trial"] if isinstance(value, dict) else value
                text = step["run"].replace("$%s" % used[0], word) if used else step["run"]
                yield where, shlex.split(text)
    for where, job in gitlab_jobs():
        for line in job["script"]:
            yield where, shlex.split(line)


def test_every_step_is_one_call_of_a_script_that_is_there() -> None:
    found = list(calls())
    assert len(found) > 100
    for where, words in found:
        script = CHECKOUT / words[0]
        assert words[0].startswith(".ci/"), where
        assert script.is_file(), "%s calls %s, which is not there" % (where, words[0])
        assert os.access(script, os.X_OK), words[0]


def test_every_target_that_a_job_makes_is_there() -> None:
    targets, variables = make_targets(), make_variables()
    seen = set()
    for where, words in calls():
        if words[0] == ".ci/job":
            for word in words[1:]:
                name, equals, value = word.partition("=")
                assert name in (variables if equals else targets), "%s: make has no %s" % (where, name)
                assert value or not equals, where
                seen.add(word)
    assert {"lint", "unit", "sanity", "real", "faults", "K3S_RELEASE=latest", "TRIAL=ansible-core 2.16"} <= seen


def test_every_list_that_a_workflow_asks_for_is_planned_and_handed_on() -> None:
    for path in WORKFLOWS:
        jobs = load(path)["jobs"]
        if "plan" not in jobs:
            continue
        steps = {step["id"]: step["run"] for step in jobs["plan"]["steps"] if "run" in step}
        for name, run in steps.items():
            assert run == '.ci/plan github %s >> "$GITHUB_OUTPUT"' % name
            assert name in plan.LISTS
            assert jobs["plan"]["outputs"][name] == "${{ steps.%s.outputs.%s }}" % (name, name)
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"needs\.plan\.outputs\.(\w+)", text)) == set(steps)


def test_scripts_are_shell_that_can_be_read() -> None:
    for script in (CHECKOUT / ".ci").iterdir():
        subprocess.run(["bash", "-n", str(script)], check=True)
        assert "SPDX-License-Identifier: GPL-3.0-or-later" in script.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_reads_and_nothing_else(path: Path) -> None:
    content = load(path)
    assert content["permissions"] == {"contents": "read"}
    assert "group" in content["concurrency"]
    assert not [name for name, job in content["jobs"].items() if "permissions" in job]
    assert "pull_request_target" not in content["on"]


def test_no_job_runs_without_end_and_no_matrix_stops_at_the_first_failure() -> None:
    for where, job in github_jobs():
        assert "uses" in job or 0 < int(job["timeout-minutes"]) <= 240, where
        assert "strategy" not in job or job["strategy"]["fail-fast"] == "false", where
    for where, job in gitlab_jobs():
        assert "timeout" in job or job["extends"] == ".job", where


def test_actions_are_pinned_by_commit_and_keep_no_credentials() -> None:
    for where, job in github_jobs():
        assert job.get("uses", "./").startswith("./"), where
        for step in job.get("steps", []):
            if "uses" in step:
                assert PINNED.match(step["uses"]), "%s: %s" % (where, step["uses"])
                if step["uses"].startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] == "false", where
    for path in WORKFLOWS:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "uses: actions/" not in line or re.search(r" # v\d+\.\d+\.\d+$", line), line


def test_what_a_pull_request_can_name_reaches_a_shell_only_by_the_environment() -> None:
    for where, job in github_jobs():
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", ""), where


def test_only_the_job_that_publishes_sees_a_secret() -> None:
    seen = [where for where, job in github_jobs() if "secrets" in json.dumps(job)]
    assert seen == ["publish.yml: galaxy"]
    job = load(CHECKOUT / ".github" / "workflows" / "publish.yml")["jobs"]["galaxy"]
    assert (job["environment"], job["needs"]) == ("galaxy", "ci")


def test_gitlab_runs_what_github_runs() -> None:
    push, nightly = plan.gitlab(False), plan.gitlab(True)
    assert set(plan.targets(*plan.PUSH)) < set(push)
    assert set(plan.targets(*plan.NIGHT)) < set(nightly)
    for pipeline in (push, nightly):
        assert {"K3s " + release for release in plan.releases()} < set(pipeline)
    assert {trial["trial"] for trial in plan.versions()} < set(nightly)


def test_a_list_is_one_line_of_a_steps_output(capsys: pytest.CaptureFixture[str]) -> None:
    for name, what in plan.LISTS.items():
        assert plan.main(["github", name]) == 0
        [line] = capsys.readouterr().out.splitlines()
        assert line.startswith(name + "=")
        assert json.loads(line.partition("=")[2]) == what()


@pytest.mark.parametrize("arguments", [[], ["github"], ["github", "nothing"], ["gitlab", "--weekly"]])
def test_another_wish_is_answered_with_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(arguments) == 2
    assert "usage: .ci/plan" in capsys.readouterr().err


def test_a_plan_needs_nothing_but_python() -> None:
    """It runs before anything is installed: -S and -I leave only the standard library."""
    command = ["python3", "-I", "-S", "tests/tools/plan.py", "gitlab", "--nightly"]
    said = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    assert json.loads(said) == plan.gitlab(True)


def test_a_list_that_the_makefile_lacks_is_named() -> None:
    with pytest.raises(SystemExit, match="the Makefile has no list WEEKLY"):
        plan.targets("WEEKLY")


@pytest.mark.parametrize("has_sudo", [True, False])
def test_a_job_of_another_user_becomes_root_with_what_it_needs(has_sudo: bool, tmp_path: Path) -> None:
    programs = {"id": "echo 1000", "dirname": 'exec /usr/bin/dirname "$@"'}
    if has_sudo:
        programs["sudo"] = 'printf "%s\\n" "$@"'
    for name, text in programs.items():
        (tmp_path / name).write_text("#!/bin/sh\n%s\n" % text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    outcome = subprocess.run(
        ["/bin/bash", str(CHECKOUT / ".ci" / "job"), "real", "K3S_RELEASE=latest"],
        cwd=tmp_path, env={"PATH": str(tmp_path)}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if not has_sudo:
        assert (outcome.returncode, outcome.stderr) == (2, ".ci/job needs root, or sudo to become root\n")
        return
    words = ["--preserve-env=NIGHTLY,PIP_CACHE_DIR", "--set-home", "env", "PATH=%s" % tmp_path]
    assert outcome.stdout.splitlines() == [*words, str(CHECKOUT / ".ci" / "job"), "real", "K3S_RELEASE=latest"]


def test_job_without_a_target_says_how_to_call_it() -> None:
    outcome = subprocess.run([".ci/job"], cwd=CHECKOUT, check=False, capture_output=True, text=True)
    assert outcome.returncode == 2
    assert "usage: .ci/job TARGET" in outcome.stderr
