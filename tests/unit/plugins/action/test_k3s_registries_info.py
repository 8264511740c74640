# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s_registries_info, run by ansible-playbook as people run it, on a node that is this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import COLLECTIONS
from tests.unit.plugins.plugin_utils._certificates.authority import issue

CANARY = "c4n4ry-s3cret-Pa55"


def look(folder: Path, *flags: str, **arguments: Any) -> tuple[dict[str, Any], str]:
    """The module's info, and everything that was printed on the way."""
    arguments = {"config_dir": str(folder / "etc"), "data_dir": str(folder / "var"), **arguments}
    tasks = [
        {"name": "Look", "k3sfleet.registries.k3s_registries_info": arguments, "register": "seen"},
        {"name": "Keep", "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(folder / "seen.json"),
                                                  "mode": "0600"}},
    ]  # fmt: skip
    play = [{"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (folder / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), *flags, "play.yml"],
        cwd=folder,
        env=dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    seen = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    assert seen["changed"] is False
    assert set(seen) <= {"changed", "failed", "info", "warnings", "deprecations"}
    return seen["info"], done.stdout


def test_what_only_a_yaml_parser_finds_is_asked_for_and_no_secret_is_printed(tmp_path: Path) -> None:
    mine = issue("node")
    (tmp_path / "client.crt").write_text(mine.pem)
    (tmp_path / "client.key").write_text(mine.key)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/registries.yaml").write_text(
        'shared: &tls {cert_file: "%(f)s\\x2fclient.crt", key_file: "%(f)s\\x2fclient.key"}\n'
        "configs:\n"
        "  r.example.com:\n"
        "    tls: *tls\n"
        "    auth:\n"
        "      username: robot\n"
        "      password: |-\n"
        "        %(c)s\n" % {"f": tmp_path, "c": CANARY}
    )
    info, output = look(tmp_path, "-vvvv")
    assert info["registries"]["config"]["configs"]["r.example.com"]["auth"]["password"] == "********"
    (certificate,) = info["certificates"]
    assert (certificate["subject"], certificate["key_matches"]) == ("CN=node", True)
    assert CANARY not in output + json.dumps(info)
    assert "BEGIN" not in output + json.dumps(info)


@pytest.mark.nightly
def test_a_machine_that_was_never_touched(tmp_path: Path) -> None:
    info, _output = look(tmp_path, distribution="rke2")
    assert (info["distribution"], info["state"], info["problems"]) == ("rke2", "not_installed", [])
    assert info["registries"]["path"] == str(tmp_path / "etc/registries.yaml")
