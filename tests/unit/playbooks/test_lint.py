# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook `lint`, run as people run it: what it prints, its exit status, and that no secret is in its output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import COLLECTIONS, mostly_nightly

CANARY = "c4n4ry-s3cret"
OK = f"""
mirrors:
  docker.io:
    endpoint: ["https://registry.example.com:5000"]
    rewrite: {{"^rancher/(.*)": "mirror/$1"}}
configs:
  registry.example.com:5000:
    auth: {{username: robot, password: {CANARY}}}
"""
WARNING = 'mirrors: {docker.io: {endpoint: ["https://a.example.com/project"]}}'
NO_YAML = [f"\xff\xfe\x00 {CANARY}: [".encode("latin-1"), b"\x80\x81: {", b"mirrors:\n\tdocker.io: {}\n", b"\x00"]
ERROR = f"configs: {{a.example.com: {{auth: {{token: {CANARY}}}}}}}"


class Done(NamedTuple):
    status: int
    output: str


def lint(folder: Path, content: str | bytes | None, *arguments: str) -> Done:
    """Runs the playbook in `folder` on a file with this content; None: there is no file."""
    if content is not None:
        (folder / "registries.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    command = [Path(sys.executable).with_name("ansible-playbook"), "k3sfleet.registries.lint"]
    done = subprocess.run(
        [*command, "-e", "k3s_registries_lint_file=registries.yaml", *arguments],
        cwd=folder,
        env=dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1", PWD=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    return Done(done.returncode, done.stdout)


def test_a_good_file_and_the_attempts_for_an_image_in_order(tmp_path: Path) -> None:
    done = lint(tmp_path, OK, "-e", "image=docker.io/rancher/mirrored-pause:3.6")
    assert done.status == 0
    assert "no findings" in done.output
    first = "1. mirror    https://registry.example.com:5000/v2/mirror/mirrored-pause/manifests/3.6?ns=docker.io"
    second = "2. default   https://registry-1.docker.io/v2/rancher/mirrored-pause/manifests/3.6"
    assert first + "  with credentials" in done.output
    assert done.output.index(first) < done.output.index(second)


@pytest.mark.nightly
def test_without_the_default_endpoint_there_is_no_such_attempt(tmp_path: Path) -> None:
    done = lint(tmp_path, OK, "-e", "image=nginx", "-e", "k3s_registries_disable_default_endpoint=true")
    assert done.status == 0
    assert "1. mirror" in done.output
    assert "registry-1.docker.io" not in done.output


def test_a_warning_is_shown_with_its_line_and_is_no_failure(tmp_path: Path) -> None:
    done = lint(tmp_path, WARNING)
    assert done.status == 0
    assert 'registries.yaml:1:34: warning K3R215 mirrors."docker.io".endpoint[0]\n' in done.output
    assert "  fix: Use" in done.output
    assert "1 file: 0 errors, 1 warning\n" in done.output
    line = f"  1 | {WARNING}\n"
    assert line + "    | " + " " * WARNING.index('"https') + "^" + "~" * 30 in done.output


def test_an_error_is_a_failure_with_its_fix(tmp_path: Path) -> None:
    done = lint(tmp_path, ERROR, "-vvv", "-e", "image=nginx")
    assert done.status != 0
    assert "error K3R106" in done.output
    assert "identity_token" in done.output
    assert "1 file: 1 error, " in done.output
    assert "registry-1.docker.io" not in done.output
    assert CANARY not in done.output


@pytest.mark.parametrize("content", mostly_nightly(NO_YAML, NO_YAML[0]))
def test_bytes_that_are_no_yaml_are_a_finding(tmp_path: Path, content: bytes) -> None:
    done = lint(tmp_path, content)
    assert done.status != 0
    assert "error K3R" in done.output
    assert "Traceback" not in done.output
    assert CANARY not in done.output


def test_a_template_in_the_file_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    done = lint(tmp_path, "mirrors: {\"{{ lookup('pipe', 'touch %s') }}\": null}" % mark)
    assert "K3R109" in done.output
    assert not mark.exists()


@pytest.mark.nightly
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = lint(tmp_path, None)
    assert done.status != 0
    assert "registries.yaml cannot be read: No such file or directory" in done.output


@pytest.mark.nightly
def test_the_nodes_path_in_an_inventory_is_not_taken_for_a_file_of_this_machine(tmp_path: Path) -> None:
    """k3s_registries_file is what K3s' --private-registry says on the nodes."""
    (tmp_path / "inventory.yml").write_text("all: {vars: {k3s_registries_file: /etc/registries.yaml}, hosts: {a: }}")
    done = lint(tmp_path, WARNING, "-i", "inventory.yml")
    assert done.status == 0
    assert "1 file: 0 errors, 1 warning\n" in done.output
    without = lint(tmp_path, WARNING, "-i", "inventory.yml", "-e", "k3s_registries_lint_file=")
    assert without.status != 0
    assert "k3s_registries_lint_file=registries.yaml" in without.output


@pytest.mark.nightly
@pytest.mark.parametrize("content", [OK, ERROR, OK + "\n\t- {", OK.replace("auth:", "auht:")])
def test_no_secret_is_in_the_output_however_much_is_asked_for(tmp_path: Path, content: str) -> None:
    done = lint(tmp_path, content, "-vvv", "-e", "image=nginx")
    assert CANARY not in done.output
    assert "1 file: " in done.output


@pytest.mark.nightly
def test_several_files_folders_and_patterns(tmp_path: Path) -> None:
    for name in ("a/registries.yaml", "b/prod-registries.yml", "b/.hidden/registries.yaml", "c/other.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(WARNING)
    done = lint(tmp_path, None, "-e", "k3s_registries_lint_file=a/registries.yaml,b,*/other.yaml")
    assert "3 files: 0 errors, 3 warnings\n" in done.output
    for name in ("a/registries.yaml", "b/prod-registries.yml", "c/other.yaml"):
        assert f"{name}:1:34: warning K3R215" in done.output
    done = lint(tmp_path, None, "-e", "k3s_registries_lint_file=c")
    assert done.status != 0
    assert "c: the folder holds no file" in done.output


@pytest.mark.nightly
def test_the_variable_and_the_embedded_registry(tmp_path: Path) -> None:
    bare = {"k3s_registries_lint_file": "", "k3s_registries": {"mirrors": {"docker.io": None}}}
    release = {"k3s_version": "v1.25.4+k3s1"}
    done = lint(tmp_path, None, "-e", json.dumps({**bare, **release}))
    assert "K3R402" not in done.output
    done = lint(tmp_path, None, "-e", json.dumps({**bare, **release, "k3s_registries_embedded_registry": True}))
    assert "K3R402" in done.output
    assert done.status != 0
    done = lint(
        tmp_path, None, "-e", json.dumps({**bare, "k3s_registries": "mirrors:\n  docker.io: {endpoints: []}\n"})
    )
    assert "k3s_registries:2:15: error K3R101" in done.output


@pytest.mark.nightly
def test_github_annotations_begin_their_lines(tmp_path: Path) -> None:
    done = lint(tmp_path, WARNING, "-e", "k3s_registries_lint_output=github")
    assert "\n::warning file=registries.yaml,line=1,col=34,title=K3R215 " in done.output


@pytest.mark.parametrize("output", mostly_nightly(["json", "sarif"], "sarif"))
def test_documents_go_to_a_file(tmp_path: Path, output: str) -> None:
    done = lint(tmp_path, ERROR, "-e", f"k3s_registries_lint_output={output}")
    assert done.status != 0
    assert "k3s_registries_lint_report=lint." in done.output
    report = tmp_path / "out.json"
    wanted = f"k3s_registries_lint_output={output} k3s_registries_lint_report=out.json"
    done = lint(tmp_path, ERROR, "-e", wanted)
    assert done.status != 0
    assert "K3R106" in str(json.loads(report.read_text()))
    assert "K3R106" not in done.output
    assert CANARY not in report.read_text()
    assert lint(tmp_path, ERROR, "-e", wanted + " k3s_registries_lint_fail_on=never").status == 0
    done = lint(tmp_path, ERROR, "-e", "k3s_registries_lint_report=out.json")
    assert "set k3s_registries_lint_output too" in done.output


@pytest.mark.nightly
def test_levels_ignores_and_what_fails(tmp_path: Path) -> None:
    def run(**variables: object) -> Done:
        return lint(tmp_path, WARNING, "-e", json.dumps(variables))

    assert run(k3s_registries_lint_fail_on="warning").status != 0
    assert run(k3s_registries_lint_levels={"K3R215": "error"}).status != 0
    ignored = run(
        k3s_registries_lint_fail_on="warning",
        k3s_registries_lint_ignore=[{"rule": "K3R215", "path": "mirrors.docker.io", "reason": "ours"}],
    )
    assert ignored.status == 0
    assert "1 file: no findings (1 ignored)" in ignored.output
    assert "K3R999: there is no such rule" in run(k3s_registries_lint_levels={"K3R999": "error"}).output
    assert "must be a mapping with rule and reason" in run(k3s_registries_lint_ignore=["K3R215"]).output
