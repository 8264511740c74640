# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that show what K3s and containerd do with a configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.filter.from_registries_yaml import from_registries_yaml
from ansible_collections.k3sfleet.registries.plugins.filter.host_configs import host_configs
from ansible_collections.k3sfleet.registries.plugins.filter.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.filter.resolve_image import resolve_image
from ansible_collections.k3sfleet.registries.plugins.filter.to_registries_yaml import to_registries_yaml

CONFIG = {"mirrors": {"quay.io": {"endpoint": ["https://m.example.com"]}}}


@pytest.mark.vectors("host_configs.json")
def test_filters_give_what_k3s_gives(case: dict[str, Any]) -> None:
    config = from_registries_yaml(case["registries_yaml"], strict=False)
    arguments = (case["default_endpoint"], case["embedded_mirror"])
    assert host_configs(config, *arguments) == case["hosts"]
    assert hosts_toml(config, *arguments) == case["hosts_toml"]
    assert from_registries_yaml(to_registries_yaml(config), strict=True) == config


def test_a_refused_text_names_its_line_and_not_the_password() -> None:
    with pytest.raises(AnsibleFilterError, match="this text: line 4") as caught:
        from_registries_yaml("configs:\n  r:\n    auth:\n      password: @secret\n")
    assert "secret" not in str(caught.value)


def test_strict_refuses_what_k3s_ignores() -> None:
    text = "mirrors:\n  docker.io:\n    endpoints: [https://m]\n"
    assert from_registries_yaml(text, strict=False)["mirrors"] == {"docker.io": {"endpoint": [], "rewrite": {}}}
    with pytest.raises(AnsibleFilterError, match=r"line 3: mirrors\.docker\.io\.endpoints"):
        from_registries_yaml(text)
    with pytest.raises(AnsibleFilterError, match=r"line 1: configs\.r\.auth\.token: field token not found"):
        from_registries_yaml("configs: {r: {auth: {token: c4n4ry}}}")


@pytest.mark.parametrize(
    "more", ["x-tls: &tls {ca_file: /ca.crt}\nconfigs: {m: {tls: *tls}}\n", "auths: {}\n", "x-note: ours\n"]
)
def test_a_key_that_loses_nothing_is_no_error(more: str) -> None:
    text = "mirrors: {quay.io: {endpoint: [https://m]}}\n"
    read = from_registries_yaml(more + text)
    assert read["mirrors"] == from_registries_yaml(text)["mirrors"]
    assert read == from_registries_yaml(more + text, strict=False)


@pytest.mark.parametrize(
    "more", ["auths: {r: {username: u}}\n", "x-a: 1\nx-a: 2\nmirror: {r: {endpoint: [https://a]}}\n"]
)
def test_a_key_that_loses_something_is_an_error_beside_it(more: str) -> None:
    with pytest.raises(AnsibleFilterError, match="line"):
        from_registries_yaml(more + "x-note: ours\nmirrors: {quay.io: {endpoint: [https://m]}}\n")


@pytest.mark.parametrize(
    "function", [host_configs, hosts_toml, to_registries_yaml, lambda config: resolve_image("a", config)]
)
def test_a_wrong_configuration_is_an_error_with_its_path(function: Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"configs\.r\.auth\.password: must be text, not a number") as caught:
        function({"configs": {"r": {"auth": {"password": 123456}}}})
    assert "123456" not in str(caught.value)
    with pytest.raises(AnsibleFilterError, match="must be a mapping"):
        function(["mirrors"])


@pytest.mark.parametrize(
    "function",
    [host_configs, hosts_toml, to_registries_yaml, lambda config: resolve_image("quay.io/a", config)],
)
def test_the_text_of_a_registries_yaml_is_taken_too_and_strictly(function: Any) -> None:
    text = "mirrors:\n  quay.io:\n    endpoint: [https://m.example.com]\n"
    assert function(text) == function({"mirrors": {"quay.io": {"endpoint": ["https://m.example.com"]}}})
    with pytest.raises(AnsibleFilterError, match=r"line 3: mirrors\.quay\.io\.endpoints: field endpoints not found"):
        function(text.replace("endpoint:", "endpoints:"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: host_configs(CONFIG, "false"), "default_endpoint must be true or false"),
        (lambda: hosts_toml(CONFIG, program="k0s"), "program must be k3s or rke2"),
        (lambda: hosts_toml(CONFIG, embedded_mirror=None), "embedded_mirror must be text"),
        (lambda: resolve_image("Nginx", CONFIG), "must be lower case"),
        (lambda: resolve_image(5, CONFIG), "the image must be text"),
        (lambda: from_registries_yaml({}), "must be the text"),
        (lambda: from_registries_yaml("", strict="yes"), "strict must be true or false"),
    ],
)
def test_wrong_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        call()


def test_the_program_stands_in_the_first_line() -> None:
    assert hosts_toml(CONFIG, program="rke2")["quay.io"].startswith("# File generated by rke2.")


def test_in_a_playbook_with_tagged_and_lazy_values(tmp_path: Path) -> None:
    """From ansible-core 2.19 on, values are tagged and containers lazy; results must be plain again."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        """
- hosts: localhost
  gather_facts: false
  vars:
    password: "{{ 'pa #ss' }}"
    config:
      mirrors: {quay.io: {endpoint: ["https://m.example.com"]}}
      configs: {m.example.com: {auth: {username: robot, password: "{{ password }}"}}}
    text: "{{ config | k3sfleet.registries.to_registries_yaml }}"
  tasks:
    - ansible.builtin.copy:
        dest: "{{ out }}"
        content: >-
          {{ {'config': text | k3sfleet.registries.from_registries_yaml(strict=true),
              'hosts': config | k3sfleet.registries.host_configs,
              'toml': config | k3sfleet.registries.hosts_toml(program='rke2'),
              'attempts': 'quay.io/a/b' | k3sfleet.registries.resolve_image(config),
              'effect': ['quay.io/a/b'] | k3sfleet.registries.compare_pulls({}, config)} | to_json }}
""",
        encoding="utf-8",
    )
    out = tmp_path / "out.json"
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local"]
    checkout = Path(__file__).resolve().parents[4]
    run = subprocess.run(
        [*command, "-e", f"out={out} ansible_python_interpreter={sys.executable}", str(playbook)],
        check=False,
        capture_output=True,
        text=True,
        env={
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(checkout / ".ansible" / "collections"),
        },
    )
    assert run.returncode == 0, run.stdout + run.stderr
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["config"]["configs"]["m.example.com"]["auth"]["password"] == "pa #ss"
    assert result["hosts"]["quay.io"]["endpoints"][0]["auth"]["username"] == "robot"
    assert "rke2" in result["toml"]["quay.io"]
    assert [attempt["url"] for attempt in result["attempts"]] == [
        "https://m.example.com/v2/a/b/manifests/latest?ns=quay.io",
        "https://quay.io/v2/a/b/manifests/latest",
    ]
    assert result["effect"]["sentences"][0] == "1 image moves from quay.io to https://m.example.com/v2"
