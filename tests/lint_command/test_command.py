# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Mapping

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.lint_command.conftest import CHECKOUT

CANARY = "c4n4ry-s3cret"
GOOD = 'mirrors: {docker.io: {endpoint: ["https://registry.example.com:5000"]}}\n'
WARNING = 'mirrors: {docker.io: {endpoint: ["https://a.example.com/project"]}}\n'
ERROR = f"configs:\n  a.example.com:\n    auth: {{token: {CANARY}}}\n"
UNREADABLE = f"configs:\n\ta: {CANARY}\n"


def run(
    command: Path, folder: Path, environment: Mapping[str, str], *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(command), *arguments],
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert CANARY not in done.stdout + done.stderr
    return done


def test_it_is_installed_without_ansible(command: Path) -> None:
    python = command.with_name("python")
    listed = subprocess.run([str(python), "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "ansible-core" not in listed
    assert "PyYAML" in listed


@pytest.mark.parametrize(
    ("text", "arguments", "status"),
    [
        (GOOD, [], 0),
        (WARNING, [], 0),
        (WARNING, ["--fail-on", "warning"], 1),
        (WARNING, ["--level", "K3R215=error"], 1),
        (WARNING, ["--fail-on", "warning", "--ignore", "K3R215=the proxy adds it"], 0),
        (WARNING, ["--fail-on", "warning", "--ignore", "K3R215@other.yaml=the proxy adds it"], 1),
        (ERROR, [], 1),
        (ERROR, ["--fail-on", "never"], 0),
        (UNREADABLE, [], 1),
        (GOOD, ["--level", "K3R999=error"], 2),
        (GOOD, ["nowhere.yaml"], 2),
        (GOOD, ["--k3s-version", "v1.25.4+k3s1", "--embedded-registry"], 1),
    ],
)
def test_exit_status(
    command: Path, tmp_path: Path, elsewhere: dict[str, str], text: str, arguments: list[str], status: int
) -> None:
    done = run(command, tmp_path, elsewhere, *arguments, "-", given=text)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", [GOOD, WARNING, ERROR, UNREADABLE])
def test_standard_output_is_one_clean_document(
    command: Path, tmp_path: Path, elsewhere: dict[str, str], schema: dict[str, Any], text: str
) -> None:
    document = json.loads(run(command, tmp_path, elsewhere, "--output", "json", "-", given=text).stdout)
    assert document["errors"] + document["warnings"] == len(document["findings"])
    sarif = json.loads(run(command, tmp_path, elsewhere, "--output", "sarif", "-", given=text).stdout)
    assert [error.message for error in Draft7Validator(schema).iter_errors(sarif)] == []
    found = [(item["ruleId"], item["level"]) for item in sarif["runs"][0]["results"]]
    assert found == [(item["code"], item["level"]) for item in document["findings"]]


def test_sarif_with_everything_in_it(
    command: Path, tmp_path: Path, elsewhere: dict[str, str], schema: dict[str, Any]
) -> None:
    folder = tmp_path / "clusters" / "näch ste"
    folder.mkdir(parents=True)
    (folder / "registries.yaml").write_text(ERROR + WARNING.replace("\n", "  # k3s-lint: ignore K3R215: it adds it\n"))
    (tmp_path / "b-registries.yml").write_text(UNREADABLE)
    ignores = ["--ignore", "K3R111@b-*=known", "--ignore", "K3R101=never", "--ignore", "K3R101="]
    done = run(command, tmp_path, elsewhere, "--output", "sarif", "--report", "o.sarif", *ignores, ".")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    written = (tmp_path / "o.sarif").read_text(encoding="utf-8")
    assert CANARY not in written
    sarif = json.loads(written)
    assert [error.message for error in Draft7Validator(schema).iter_errors(sarif)] == []
    results = sarif["runs"][0]["results"]
    suppressed = {item["ruleId"]: item["suppressions"] for item in results if item["suppressions"]}
    assert {code: [item["kind"] for item in given] for code, given in suppressed.items()} == {
        "K3R215": ["inSource"],
        "K3R111": ["external"],
    }
    assert suppressed["K3R215"][0]["justification"] == "it adds it"
    assert {item["ruleId"] for item in results} >= {"K3R106", "K3R121", "K3R122"}
    (token,) = (item for item in results if item["ruleId"] == "K3R106")
    physical = token["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "clusters/n%C3%A4ch%20ste/registries.yaml"
    assert physical["region"] == {
        "startLine": 3,
        "startColumn": 12,
        "snippet": {"text": "    auth: {token: ********}"},
    }


def test_the_schema_refuses_what_is_no_sarif(schema: dict[str, Any]) -> None:
    assert not Draft7Validator(schema).is_valid({"version": "2.1.0", "runs": [{"results": [{"message": 5}]}]})


def test_attempts_for_an_image(command: Path, tmp_path: Path, elsewhere: dict[str, str]) -> None:
    done = run(command, tmp_path, elsewhere, "--image", "nginx", "-", given=GOOD)
    assert (
        "1. mirror    https://registry.example.com:5000/v2/library/nginx/manifests/latest?ns=docker.io" in done.stdout
    )


@pytest.mark.nightly
@pytest.mark.parametrize(("text", "status"), [(GOOD, 0), (ERROR, 1)])
def test_the_hook_in_a_repository_that_holds_only_registries_yaml(
    pre_commit: Path, tmp_path: Path, elsewhere: dict[str, str], text: str, status: int
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "registries.yaml").write_text(text)
    (tmp_path / "other.yaml").write_text("x: {{ not yaml")
    for arguments in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, env=elsewhere, check=True)
    done = run(pre_commit, tmp_path, elsewhere, "try-repo", str(CHECKOUT), "registries-lint", "--all-files")
    assert done.returncode == status, done.stdout + done.stderr
    if status:
        assert "site/registries.yaml:3:12: error K3R106" in done.stdout
        assert "other.yaml" not in done.stdout
    else:
        assert "Passed" in done.stdout


def test_the_package_has_the_collections_version() -> None:
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))
    assert 'version = "%s"' % galaxy["version"] in (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
