# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes with the scenario's registries, as they should be after one run, another one and one in check mode."""

from __future__ import annotations

from typing import Any

import tomllib
import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml

from tests.fleet.state import Fleet

CONFIG = "/etc/rancher/k3s"
CERTIFICATES = CONFIG + "/registry-certs/registry.k3sfleet.test_5000"
CONTAINERD = "/var/lib/rancher/k3s/agent/etc/containerd"
HOST = "registry.k3sfleet.test:5000"
URL = "https://" + HOST


def _service(node: Any) -> str:
    return "k3s" if node.fleet_name.startswith("server") else "k3s-agent"


def test_secrets_are_for_root_only(node: Any) -> None:
    for path in (CONFIG + "/registries.yaml", CERTIFICATES + "/client.key"):
        found = node.file(path)
        assert (found.user, found.group, found.mode) == ("root", "root", 0o600), path
    assert node.file(CONFIG + "/k3sfleet").mode == 0o700


def test_no_folder_is_wider_than_0755(node: Any) -> None:
    assert node.run("find /etc/rancher -type d -perm /022").stdout == ""


def test_registries_yaml_says_what_was_asked(node: Any, wanted: dict[str, Any]) -> None:
    found = yaml.safe_load(node.file(CONFIG + "/registries.yaml").content_string)
    asked = wanted["k3s_registries"]
    assert found["mirrors"]["docker.io"]["endpoint"] == asked["mirrors"]["docker.io"]["endpoint"]
    assert found["configs"][HOST]["auth"] == asked["configs"][HOST]["auth"]
    assert {key: value for key, value in found["configs"][HOST]["tls"].items() if value} == {
        "ca_file": CERTIFICATES + "/ca.crt",
        "cert_file": CERTIFICATES + "/client.crt",
        "key_file": CERTIFICATES + "/client.key",
    }


def test_certificates_are_those_that_were_given(node: Any, fleet: Fleet) -> None:
    for name in ("ca.crt", "client.crt", "client.key"):
        assert node.file("%s/%s" % (CERTIFICATES, name)).content == (fleet.folder / "pki" / name).read_bytes(), name


def test_hosts_toml_is_as_predicted(node: Any) -> None:
    config = normalise(yaml.safe_load(node.file(CONFIG + "/registries.yaml").content_string))
    for host, text in hosts_toml(config).items():
        assert node.file("%s/certs.d/%s/hosts.toml" % (CONTAINERD, host)).content_string == text, host


def test_hosts_toml_sends_docker_hub_to_the_registry(node: Any) -> None:
    found = tomllib.loads(node.file(CONTAINERD + "/certs.d/docker.io/hosts.toml").content_string)
    assert list(found["host"]) == [URL + "/v2"]
    mirror = found["host"][URL + "/v2"]
    assert mirror["capabilities"] == ["pull", "resolve"]
    assert mirror["ca"] == [CERTIFICATES + "/ca.crt"]
    assert mirror["client"] == [[CERTIFICATES + "/client.crt", CERTIFICATES + "/client.key"]]


def test_containerd_has_the_credentials(node: Any, fleet: Fleet) -> None:
    config = tomllib.loads(node.file(CONTAINERD + "/config.toml").content_string)
    [images] = [plugin for name, plugin in config["plugins"].items() if "registry" in plugin]
    auth = images["registry"]["configs"][HOST]["auth"]
    assert (auth["username"], auth["password"]) == (fleet.registry.username, fleet.registry.password)


def test_canary_is_in_containerds_store(node: Any) -> None:
    assert "rancher/mirrored-pause" in node.run("k3s crictl images").stdout


def test_k3s_runs_and_was_restarted_once(node: Any) -> None:
    assert node.service(_service(node)).is_running
    log = node.run("journalctl --quiet --no-pager -o cat -u %s" % _service(node)).stdout
    assert log.count("Started %s.service" % _service(node)) == 2
