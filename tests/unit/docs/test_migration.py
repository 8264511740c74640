# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/migration.md: what it says to write gives the nodes what the other role gave them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import mostly_nightly
from tests.docs.pages import CHECKOUT

PAGE = (CHECKOUT / "docs" / "migration.md").read_text(encoding="utf-8")
CONFIG: dict[str, Any] = {
    "mirrors": {
        "docker.io": {"endpoint": ["https://mycustomreg:5000"], "rewrite": {"^rancher/(.*)": "mirror/$1"}},
        "*": {"endpoint": ["https://mycustomreg:5000"]},
    },
    "configs": {
        "mycustomreg:5000": {
            "auth": {"username": "fleet", "password": "p: '#1\""},
            "tls": {"ca_file": "/etc/ssl/registry.crt", "insecure_skip_verify": True},
        }
    },
}
BLOCK = "# BEGIN ANSIBLE MANAGED BLOCK\n%s# END ANSIBLE MANAGED BLOCK\n"


def ansible(expression: str, variables: dict[str, Any], folder: Path) -> Any:
    """The value of a Jinja expression, as Ansible gives it."""
    path = folder / "variables.json"
    path.write_text(json.dumps(variables), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "ansible.builtin.debug",
        "-a", json.dumps({"msg": "{{ %s | to_json }}" % expression}), "-e", "@%s" % path, "--one-line",
    ]  # fmt: skip
    said = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return json.loads(json.loads(said[said.index("=>") + 2 :])["msg"])


@pytest.mark.parametrize(
    "variable", mostly_nightly(["registries_config_yaml", "custom_registries_yaml"], "custom_registries_yaml")
)
def test_text_variables_become_the_same_hosts_and_credentials(variable: str, tmp_path: Path) -> None:
    line = 'k3s_registries: "{{ %s | k3sfleet.registries.from_registries_yaml }}"' % variable
    assert line in PAGE
    text = yaml.safe_dump(CONFIG)
    read = "%s | k3sfleet.registries.from_registries_yaml" % variable
    variables = {variable: BLOCK % text, "ours": CONFIG}
    found = ansible("[%s | k3sfleet.registries.hosts_toml, (%s).configs]" % (read, read), variables, tmp_path)
    wanted = ansible("[ours | k3sfleet.registries.hosts_toml, ours.configs]", variables, tmp_path)
    assert found[0] == wanted[0]
    assert found[1]["mycustomreg:5000"]["auth"]["password"] == CONFIG["configs"]["mycustomreg:5000"]["auth"]["password"]


def test_the_example_of_the_role_with_our_variables_name_is_refused(tmp_path: Path) -> None:
    """Its configs key is not the endpoint's host: the page says so, and lint does."""
    assert "not another name" in PAGE
    theirs = {
        "mirrors": {"docker.io": {"endpoint": ["https://mycustomreg.com:5000"]}},
        "configs": {"mycustomreg:5000": {"auth": {"username": "xxxxxx", "password": "xxxxxx"}}},
    }
    findings = ansible("theirs | k3sfleet.registries.lint_registries", {"theirs": theirs}, tmp_path)
    assert any("mycustomreg:5000" in finding["path"] for finding in findings), findings
    good = ansible("ours | k3sfleet.registries.lint_registries", {"ours": CONFIG}, tmp_path)
    assert not [finding for finding in good if finding["level"] == "error"], good
