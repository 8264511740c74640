# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CI files in a guide: what GitHub's, GitLab's and pre-commit's are checked against."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, Mapping

import yaml

from tests.docs.guides.ansible_commands import Refused
from tests.docs.guides.commands import command_mistakes
from tests.docs.guides.other_commands import registries_lint
from tests.docs.guides.pages import CHECKOUT, Guide
from tests.docs.guides.shell import Call

SCHEMAS = {"workflow": "vendor.github-workflows", "pipeline": "vendor.gitlab-ci"}
"""The kinds of block that check-jsonschema has a schema for."""
_CHECK_JSONSCHEMA = Path(sys.executable).parent / "check-jsonschema"
_SCRIPTS = ("before_script", "script", "after_script")


def as_workflow(steps: list[Any]) -> dict[str, Any]:
    """Steps of a job as a whole workflow."""
    return {"on": "push", "jobs": {"job": {"runs-on": "ubuntu-latest", "steps": steps}}}


def schema_mistakes(kind: str, files: Mapping[str, Any]) -> list[str]:
    """What the schema of a kind says against blocks, by what they are called; all in one run."""
    if not files:
        return []
    with tempfile.TemporaryDirectory() as name:
        titles = {}
        for number, (title, content) in enumerate(files.items()):
            path = Path(name) / ("%d.json" % number)
            path.write_text(json.dumps(content), encoding="utf-8")
            titles[str(path)] = title
        command = [str(_CHECK_JSONSCHEMA), "--output-format", "json", "--builtin-schema", SCHEMAS[kind], *titles]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    return [
        "%s: %s: %s" % (titles[error["filename"]], error["path"], error["message"])
        for error in [*said.get("errors", []), *said.get("parse_errors", [])]
    ]


def workflow_mistakes(workflow: Mapping[str, Any], guide: Guide) -> list[str]:
    """The commands of a GitHub workflow's steps."""
    steps = [step for job in workflow["jobs"].values() for step in job.get("steps") or []]
    lines = [line for step in steps for line in str(step.get("run", "")).splitlines()]
    return [mistake for line in lines for mistake in command_mistakes(line, guide)]


def pipeline_mistakes(pipeline: Mapping[str, Any], guide: Guide) -> list[str]:
    """The commands of a GitLab pipeline's jobs."""
    return [mistake for line in _script_lines(pipeline) for mistake in command_mistakes(line, guide)]


def _script_lines(pipeline: Mapping[str, Any]) -> Iterator[str]:
    for job in pipeline.values():
        for part in _SCRIPTS:
            found = job.get(part, []) if isinstance(job, dict) else []
            yield from [found] if isinstance(found, str) else found


def pre_commit_mistakes(config: Mapping[str, Any], _guide: Guide) -> list[str]:
    """A configuration of pre-commit: hooks of this repository, with arguments that the command takes."""
    repository = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["repository"]
    hooks = {hook["id"] for hook in yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
    found = []
    for repo in config["repos"]:
        if set(repo) != {"repo", "rev", "hooks"} or repo["repo"] != repository:
            found.append("a repository has repo: %s, rev and hooks" % repository)
            continue
        if not re.fullmatch(r"v\d+\.\d+\.\d+", str(repo["rev"])):
            found.append("%s is no release" % repo["rev"])
        for hook in repo["hooks"]:
            if hook.get("id") not in hooks:
                found.append("there is no hook %s" % hook.get("id"))
            try:
                registries_lint(Call(["registries-lint", *hook.get("args", []), "registries.yaml"], {}), _guide)
            except Refused as refused:
                found.append(str(refused))
    return found
