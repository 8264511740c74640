# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a node runs it: as a program, on logs in every state of rotation."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.log_files import find_log_files, read_log_file
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.moments import parse_since
from ansible_collections.k3sfleet.registries.plugins.modules import k3s_pull_diagnosis

MODULE = Path(k3s_pull_diagnosis.__file__)
MIRROR = "mirror.example.com:5000"
SECRET = "CANARY-1b2c3d4e"


def pull(image: str, at: str = "2026-11-25T02:00:00Z", secret: str = "") -> str:
    error = (
        f'failed to pull and unpack image \\"{image}\\": failed to resolve reference \\"{image}\\": {secret}: not found'
    )
    return (
        f'time="{at}" level=info msg="PullImage \\"{image}\\""\n'
        f'time="{at}" level=info msg="trying next host after status: 404 Not Found" host="{MIRROR}"\n'
        f'time="{at}" level=error msg="PullImage \\"{image}\\" failed" error="{error}"\n'
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "agent" / "containerd").mkdir(parents=True)
    return tmp_path


def log_of(data_dir: Path, name: str = "containerd.log") -> Path:
    return data_dir / "agent" / "containerd" / name


def run(**options: object) -> dict:
    """Runs the module the way Ansible does: arguments on standard input, JSON on standard output."""
    arguments = {"ANSIBLE_MODULE_ARGS": {"_ansible_remote_tmp": "/tmp", **options}}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(MODULE)],
        input=json.dumps(arguments).encode(),
        capture_output=True,
        env=environment,
        check=False,
        timeout=600,
    )
    assert done.stdout, done.stderr.decode()
    return json.loads(done.stdout)


def test_rotated_files_are_read_oldest_first_as_one_log(data_dir: Path) -> None:
    lines = pull("quay.io/a/b:1").splitlines(keepends=True)
    oldest = log_of(data_dir, "containerd-2026-11-20T01-00-00.000.log.gz")
    oldest.write_bytes(gzip.compress((pull("quay.io/a/old:1") + lines[0]).encode()))
    middle = log_of(data_dir, "containerd-2026-11-24T01-00-00.000.log")
    middle.write_text(lines[1])
    log_of(data_dir).write_text(lines[2])
    log_of(data_dir, "containerd-foreign.log").write_text(pull("quay.io/a/foreign:1"))
    result = run(data_dir=str(data_dir))
    assert result["changed"] is False
    assert result["files"] == [str(oldest), str(middle), str(log_of(data_dir))]
    assert result["lines"] == 6
    assert [(found["image"], found["cause"], found["endpoint"]) for found in result["pulls"]] == [
        ("quay.io/a/old:1", "not_found", MIRROR),
        ("quay.io/a/b:1", "not_found", MIRROR),
    ]


def test_a_file_that_is_just_being_compressed_is_read_once(data_dir: Path) -> None:
    plain = log_of(data_dir, "containerd-2026-11-20T01-00-00.000.log")
    plain.write_text(pull("quay.io/a/b:1"))
    log_of(data_dir, plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes())[:20])
    assert find_log_files(str(log_of(data_dir))) == [str(plain)]
    assert run(data_dir=str(data_dir))["lines"] == 3


def test_a_compressed_file_that_ends_early_gives_what_it_has(data_dir: Path) -> None:
    packed = gzip.compress(b"".join(os.urandom(32).hex().encode() + b"\n" for _number in range(9000)))
    log_of(data_dir).write_bytes(packed[: len(packed) // 2])
    assert 0 < len(list(read_log_file(str(log_of(data_dir))))) < 9000


def test_files_of_logrotate_are_found(data_dir: Path) -> None:
    for name in ("containerd.log", "containerd.log.1", "containerd.log.2.gz", "containerd.log.10"):
        log_of(data_dir, name).write_text("")
    found = [Path(path).name for path in find_log_files(str(log_of(data_dir)))]
    assert found == ["containerd.log.10", "containerd.log.2.gz", "containerd.log.1", "containerd.log"]


def test_since_leaves_out_old_files_and_old_lines(data_dir: Path) -> None:
    old = log_of(data_dir, "containerd-2026-11-20T01-00-00.000.log")
    old.write_text(pull("quay.io/a/old:1", "2026-11-20T01:00:00Z"))
    os.utime(old, (0, 0))
    log_of(data_dir).write_text(
        pull("quay.io/a/early:1", "2026-11-25T01:59:59.9Z") + pull("quay.io/a/new:1", "2026-11-25T03:00:00+01:00")
    )
    result = run(data_dir=str(data_dir), since="2026-11-25T02:00:00Z")
    assert result["files"] == [str(log_of(data_dir))]
    assert [found["image"] for found in result["pulls"]] == ["quay.io/a/new:1"]


def test_only_the_images_asked_for(data_dir: Path) -> None:
    log_of(data_dir).write_text(pull("docker.io/library/nginx:latest") + pull("quay.io/a/b:1"))
    assert [found["image"] for found in run(data_dir=str(data_dir), images=["nginx"])["pulls"]] == [
        "docker.io/library/nginx:latest"
    ]


def test_endpoints_come_from_hosts_toml_where_no_configuration_is_given(data_dir: Path) -> None:
    for directory, text in {
        "quay.io": f'server = "x"\n[host."https://{MIRROR}/v2"]\n',
        "r.test_5000_": "",
        "empty": None,
    }.items():
        folder = data_dir / "agent" / "etc" / "containerd" / "certs.d" / directory
        folder.mkdir(parents=True)
        if text is not None:
            (folder / "hosts.toml").write_text(text)
    log_of(data_dir).write_text(pull("quay.io/a/b:1").replace(MIRROR, "old.example.com"))
    (found,) = run(data_dir=str(data_dir))["pulls"]
    assert "old.example.com is not among the endpoints configured for quay.io" in found["message"]
    (found,) = run(data_dir=str(data_dir), config={})["pulls"]
    assert "not among" not in found["message"]


def test_secrets_of_the_configuration_stay_out_of_the_result(data_dir: Path) -> None:
    log_of(data_dir).write_text(pull("quay.io/a/b:1", secret=f"echo {SECRET}"))
    config = {"mirrors": {}, "configs": {MIRROR: {"auth": {"username": "robot", "password": SECRET}}}}
    result = run(data_dir=str(data_dir), config=config)
    assert SECRET not in json.dumps(result["pulls"])
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" not in json.dumps(result["pulls"])


def test_a_missing_log_is_said_to_be_missing(tmp_path: Path) -> None:
    result = run(data_dir=str(tmp_path))
    assert result["failed"] is True
    assert str(log_of(tmp_path)) in result["msg"]
    assert "log_file" in result["msg"]


def test_a_since_that_is_neither_time_nor_duration_is_refused(data_dir: Path) -> None:
    log_of(data_dir).write_text("")
    result = run(data_dir=str(data_dir), since="yesterday")
    assert result["failed"] is True
    assert "'yesterday'" in result["msg"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5h", 5400), ("1d", 86400), ("1 w", 604800)],
)
def test_durations(text: str, seconds: int) -> None:
    now = time.time()
    assert parse_since(text, now) == now - seconds


def test_a_line_without_end_is_cut_and_the_next_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 200_000 + b"\nnext\n")
    lines = list(read_log_file(str(path)))
    assert [len(line) < 20_000 for line in lines] == [True, True]
    assert lines[1] == b"next\n"


def test_what_the_configuration_names_can_be_read_and_its_credentials_cannot(data_dir: Path) -> None:
    """Endpoints, users and files are what the result is about; Ansible would blank them with the password."""
    log_of(data_dir).write_text(pull("docker.io/a/b:1", secret=f"robot at https://{MIRROR} sent {SECRET}"))
    config = {
        "mirrors": {"docker.io": {"endpoint": [f"https://{MIRROR}"]}},
        "configs": {MIRROR: {"auth": {"username": "robot", "password": SECRET}, "tls": {"ca_file": "/etc/ca.crt"}}},
    }
    result = run(data_dir=str(data_dir), config=config)
    text = json.dumps(result)
    assert f"robot at https://{MIRROR} sent" in text
    assert SECRET not in text
    assert "robot" not in json.dumps(result.get("invocation"))
    failed = run(data_dir=str(data_dir / "none"), config=config)
    assert failed["failed"]
    assert SECRET not in json.dumps(failed)
    assert "robot" not in json.dumps(failed)
