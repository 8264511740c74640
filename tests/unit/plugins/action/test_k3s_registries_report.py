# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s_registries_report, run by ansible-playbook as people run it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.conftest import COLLECTIONS, mostly_nightly

CANARY = "c4n4ry-s3cret-Pa55"


class Done(NamedTuple):
    status: int
    output: str


def play(folder: Path, *flags: str, **arguments: Any) -> Done:
    """Runs a play of three hosts, none of which is ever asked, with one task."""
    task = {
        "name": "Report",
        "k3sfleet.registries.k3s_registries_report": arguments,
        "run_once": True,
        "register": "report",
    }
    shown = {"name": "Show", "ansible.builtin.debug": {"var": "report"}, "run_once": True}
    content = [{"name": "P", "hosts": "all", "gather_facts": False, "tasks": [task, shown]}]
    (folder / "play.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    inventory = {"server": {"hosts": {"s-1": {}}}, "agent": {"hosts": {"a-1": {}, "a-2": {}}}}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    return ansible_playbook(folder, *flags)


def ansible_playbook(folder: Path, *flags: str) -> Done:
    """Runs the play.yml of a folder with its inventory.yml."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventory.yml", *flags, "play.yml"],
        cwd=folder,
        env=dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    return Done(done.returncode, done.stdout)


def test_both_files_are_written_for_their_owner_alone(tmp_path: Path) -> None:
    page = tmp_path / "new" / "report.html"
    config = {"configs": {"r": {"auth": {"password": CANARY}}}}
    done = play(
        tmp_path,
        path=str(page),
        title="Fleet <North>",
        groups="{{ groups }}",
        info={
            "a-1": {"info": {"state": "pending", "registries": {"config": config}}},
            "a-2": {"unreachable": True, "msg": "no route to host"},
        },
    )  # fmt: skip
    assert done.status == 0, done.output
    document = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert {name: host["group"] for name, host in document["hosts"].items()} == {
        "a-1": "agent", "a-2": "agent", "s-1": "server",
    }  # fmt: skip
    assert document["hosts"]["a-2"]["unreachable"] == "no route to host"
    text = page.read_text(encoding="utf-8")
    assert "Fleet &lt;North&gt;" in text
    assert CANARY not in text + json.dumps(document)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (page, page.with_suffix(".json"))] == [0o600, 0o600]
    assert '"headline": "All 3 nodes need attention"' in done.output
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]


@pytest.mark.nightly
def test_the_mode_and_the_second_path_are_the_users(tmp_path: Path) -> None:
    done = play(tmp_path, path=str(tmp_path / "a.html"), json_path=str(tmp_path / "b.json"), mode="0644")
    assert done.status == 0, done.output
    for name in ("a.html", "b.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o644


def test_a_relative_path_starts_where_ansible_was_started(tmp_path: Path) -> None:
    done = play(tmp_path, path="here.html")
    assert done.status == 0, done.output
    assert (tmp_path / "here.html").is_file()
    assert (tmp_path / "here.json").is_file()


def test_check_mode_makes_the_report_and_writes_nothing(tmp_path: Path) -> None:
    done = play(tmp_path, "--check", path=str(tmp_path / "report.html"))
    assert done.status == 0, done.output
    assert '"nodes": 3' in done.output
    assert not list(tmp_path.glob("report*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({"path": "{folder}/r.html", "mode": "rw"}, "octal digits in quotes", marks=pytest.mark.nightly),
        pytest.param({"path": "{folder}/r.json"}, "one would replace the other", marks=pytest.mark.nightly),
        ({"path": "/proc/none/r.html"}, "Choose another path"),
        pytest.param({}, "path", marks=pytest.mark.nightly),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(tmp_path: Path, arguments: dict[str, str], said: str) -> None:
    given = {key: value.replace("{folder}", str(tmp_path)) for key, value in arguments.items()}
    done = play(tmp_path, **given)
    assert done.status != 0
    assert said in done.output
    assert not list(tmp_path.glob("r.*"))


@pytest.mark.parametrize("name", mostly_nightly(["report.html", "report.json"], "report.html"))
def test_a_link_in_the_reports_place_is_not_followed(tmp_path: Path, name: str) -> None:
    """What anybody may plant in a shared folder such as /tmp."""
    victim, shared = tmp_path / "victim", tmp_path / "shared"
    victim.write_text("precious", encoding="utf-8")
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / name).symlink_to(victim)
    done = play(tmp_path, path=str(shared / "report.html"))
    assert done.status != 0
    assert "is a symbolic link" in " ".join(done.output.split())
    assert victim.read_text(encoding="utf-8") == "precious"
    assert [path.name for path in shared.iterdir()] == [name], "neither of the two is written"


def test_a_fifo_in_the_reports_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "report.html")
    done = play(tmp_path, path=str(tmp_path / "report.html"))
    assert done.status != 0
    assert "not a regular file" in done.output
    assert not (tmp_path / "report.json").exists()


def test_a_report_in_a_shared_folder_is_written_and_replaced(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    for _time in range(2):
        assert play(tmp_path, path=str(shared / "report.html")).status == 0
    assert sorted(path.name for path in shared.iterdir()) == ["report.html", "report.json"]
