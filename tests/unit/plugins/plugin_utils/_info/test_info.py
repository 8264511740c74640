# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States, differences and problems of nodes, from what lies on them to the result."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory

from tests.unit.plugins.plugin_utils._certificates.authority import DAY, NOW, issue
from tests.unit.plugins.plugin_utils._info.node import Node, codes, managed

CANARY = "c4n4ry-Pa55"
CONFIG: dict[str, Any] = {
    "mirrors": {"docker.io": {"endpoint": ["https://r.example.com:5000"]}},
    "configs": {"r.example.com:5000": {"auth": {"username": "robot", "password": CANARY}}},
}
FOREIGN = "mirrors: {docker.io: {endpoint: [https://r.example.com]}}\n"


def test_a_node_without_k3s(node: Node) -> None:
    found = node.info()
    assert (found["state"], found["release"], found["unit"], found["started_at"]) == ("not_installed", "", "", "")
    assert (found["registries"]["exists"], found["registries"]["config"], found["problems"]) == (False, None, [])


def test_a_configured_node(node: Node) -> None:
    node.apply(CONFIG)
    node.start()
    found = node.info()
    assert (found["state"], found["differences"], found["problems"]) == ("loaded", [], [])
    assert (found["generation"], found["unit"], found["unit_state"]) == ("1", "k3s-agent.service", "active")
    assert found["started_at"] == "2001-09-09T01:46:40Z"
    assert found["registries"]["managed"] is True
    assert found["registries"]["mode"] == "0600"
    assert found["registries"]["config"]["configs"]["r.example.com:5000"]["auth"]["password"] == "********"
    assert CANARY not in json.dumps(found)


def test_a_node_that_rancher_provisions_is_worth_a_warning(node: Node) -> None:
    node.apply(CONFIG)
    node.write("{}\n", node.paths.config_dir + "/config.yaml.d/50-rancher.yaml")
    node.start()
    assert node.info()["problems"] == []
    node.rancher = "runs"
    (problem,) = node.info()["problems"]
    assert (problem["code"], problem["level"]) == ("rancher_managed", "warning")
    assert "rancher-system-agent.service runs" in problem["message"]
    assert problem["fix"].endswith("spec.rkeConfig.registries.")


def test_an_untouched_node_without_registries(node: Node) -> None:
    node.start()
    found = node.info()
    assert (found["state"], found["differences"], found["problems"]) == ("loaded", [], [])


def test_a_stopped_node(node: Node) -> None:
    node.apply(CONFIG)
    node.start()
    node.stop()
    assert node.info()["state"] == "stopped"


def test_a_failed_service_is_an_error(node: Node) -> None:
    node.apply(CONFIG)
    node.start()
    node.state = node.state._replace(state="failed", main_pid=0, started=0.0)
    found = node.info()
    assert found["state"] == "stopped"
    assert [item["level"] for item in found["problems"] if item["code"] == "service_failed"] == ["error"]


def test_a_file_newer_than_the_start_is_pending(node: Node) -> None:
    node.write(managed(FOREIGN))
    node.start()
    node.write(managed(FOREIGN.replace("r.example.com", "other.example.com")), age=60)
    found = node.info()
    assert found["state"] == "pending"
    (difference,) = found["differences"]
    assert difference["kind"] == "differs"
    assert '-[host."https://r.example.com/v2"]\n' in difference["diff"]
    assert '+[host."https://other.example.com/v2"]\n' in difference["diff"]
    (problem,) = [item for item in found["problems"] if item["code"] == "pending"]
    assert node.paths.registries_yaml in problem["message"]


def test_a_changed_password_is_pending_and_hidden(node: Node) -> None:
    text = "configs: {r.example.com: {auth: {username: robot, password: %s}}}\n"
    node.write(managed(text % CANARY))
    node.start()
    node.write(managed(text % (CANARY + "-2")), age=60)
    found = node.info()
    assert found["state"] == "pending"
    assert [(item["file"], item["kind"]) for item in found["differences"]] == [
        (node.paths.containerd_config, "differs")
    ]
    assert CANARY not in json.dumps(found)


def test_a_generated_file_edited_by_hand_is_drift(node: Node) -> None:
    node.apply(CONFIG)
    node.start()
    path = node.paths.certs_d + "/docker.io/hosts.toml"
    node.write(Path(path).read_text().replace("r.example.com", "elsewhere.example.com"), path, 500)
    found = node.info()
    assert found["state"] == "drifted"
    assert [item["file"] for item in found["differences"]] == [path]
    assert path in next(item["message"] for item in found["problems"] if item["code"] == "drifted")


def test_a_managed_file_edited_by_hand_is_drift_even_where_k3s_has_loaded_it(node: Node) -> None:
    node.apply(CONFIG)
    text = Path(node.paths.registries_yaml).read_text().replace("r.example.com:5000", "elsewhere.example.com:5000")
    node.write(text)
    node.start()
    found = node.info()
    assert (found["state"], found["differences"]) == ("drifted", [])
    assert "registries.yaml (edited)" in str(found["problems"])


def test_a_removed_managed_file_is_drift(node: Node) -> None:
    node.apply(CONFIG)
    node.start()
    Path(node.paths.registries_yaml).unlink()
    found = node.info()
    assert found["state"] == "drifted"
    assert {item["kind"] for item in found["differences"]} == {"unexpected"}


def test_a_foreign_file(node: Node) -> None:
    node.write(FOREIGN)
    node.start()
    found = node.info()
    assert (found["state"], found["differences"], found["generation"]) == ("foreign", [], "")
    assert "foreign" in codes(found)


def test_a_foreign_file_that_is_not_loaded_says_so(node: Node) -> None:
    node.start()
    node.write(FOREIGN, age=60)
    found = node.info()
    assert found["state"] == "foreign"
    assert {"foreign", "pending"} <= codes(found)
    assert [item["kind"] for item in found["differences"]] == ["missing"]


def test_a_file_that_k3s_refuses(node: Node) -> None:
    node.start()
    node.write("mirrors:\n  docker.io: {endpoint: https://x}\nconfigs: {r: {auth: {password: [%s]}}}\n" % CANARY, age=9)
    found = node.info()
    assert (found["state"], found["registries"]["config"]) == ("unreadable", None)
    assert "cannot unmarshal" in found["registries"]["error"]
    assert CANARY not in json.dumps(found)


def test_a_directory_in_the_file_s_place(node: Node) -> None:
    Path(node.paths.registries_yaml).mkdir()
    node.install()
    found = node.info()
    assert found["state"] == "unreadable"
    assert "it is a directory" in found["registries"]["error"]


STYLES = [
    "configs: {r: {auth: {username: u, password: '%s'}}}\n",
    'configs:\n  r:\n    auth:\n      "password": "%s"\n',
    "configs:\n  r:\n    auth:\n      password: |\n        %s\n",
    "configs:\n  r:\n    auth:\n      password: >-\n        %s\n      username: u\n",
    "x: &a {password: %s}\nconfigs:\n  r:\n    auth: *a\n",
    "configs:\n  r:\n    auth:\n      ? password\n      : %s\n",
    "configs:\n  r:\n    auth: {identity_token: %s} # %s again\n",
    "mirrors: {docker.io: {endpoint: ['https://u:%s@r.example.com']}}\n",
    "auths: {r: {password: %s}}\nconfigs: {r: {auth: {passwrod: %s}}}\n",
    "configs:\n  r:\n    auth:\n      password: '%s'\n  broken: [\n",
    "configs: {r: {auth: {token: %s}}}\n",
    "configs:\n\tr: {auth: {password: %s}}\n",
    "%s\n",
]


@pytest.mark.parametrize("style", STYLES)
def test_no_way_to_write_a_secret_lets_it_out(node: Node, style: str) -> None:
    node.write(style.replace("%s", CANARY))
    node.start()
    assert CANARY not in json.dumps(node.info())
    node.write(style.replace("%s", CANARY + "-new"), age=60)
    assert CANARY not in json.dumps(node.info())


def test_the_embedded_mirror_of_an_agent_is_no_difference(node: Node) -> None:
    node.apply(CONFIG)
    node.embedded = "127.0.0.1:6443"
    node.start()
    assert node.info()["state"] == "loaded"


def test_the_default_endpoint_is_taken_from_a_drop_in(node: Node) -> None:
    node.default_endpoint = False
    node.write("disable-default-registry-endpoint: true\n", node.paths.config_dir + "/config.yaml.d/10-x.yaml")
    node.apply(CONFIG)
    node.start()
    found = node.info()
    assert found["state"] == "loaded"
    assert found["settings"] == [
        {
            "source": node.paths.config_dir + "/config.yaml.d/10-x.yaml",
            "key": "disable-default-registry-endpoint",
            "value": True,
        }
    ]


def test_a_setting_changed_since_the_start_is_pending(node: Node) -> None:
    node.apply(CONFIG)
    node.start()
    node.write("disable-default-registry-endpoint: true\ntoken: " + CANARY, node.paths.config_dir + "/config.yaml", 60)
    found = node.info()
    assert found["state"] == "pending"
    assert CANARY not in json.dumps(found)


@pytest.mark.parametrize(
    ("template", "level"),
    [
        ("version = 3\n[plugins.x]\nconfig_path = 'y'\n", "error"),
        ("version = 3\n", "error"),
        ('{{ template "base" . }}\n', None),
        ("config_path\n{{ range }}registry.configs{{ end }}\n", None),
    ],
)
def test_a_template_that_drops_credentials(node: Node, template: str, level: str | None) -> None:
    node.apply(CONFIG)
    node.start()
    path = node.paths.agent_dir + "/etc/containerd/config-v3.toml.tmpl"
    node.write(template, path)
    if level:
        node.write("version = 3\n", node.paths.containerd_config)
    found = node.info()
    assert found["state"] == "loaded"
    levels = [item["level"] for item in found["problems"] if item["code"] == "template_overrides"]
    assert levels == ([level] if level else [])
    assert [item["path"] for item in found["templates"]] == ([path] if level else [])


def test_a_proxy_without_the_registry_in_no_proxy(node: Node) -> None:
    node.apply(CONFIG)
    node.environment = [
        ("unit", {"HTTP_PROXY": "http://u:%s@proxy:3128" % CANARY}),
        (
            "/etc/systemd/system/k3s-agent.service.env",
            {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "10.0.0.0/8,.svc"},
        ),
    ]
    node.start()
    found = node.info()
    assert found["proxies"] == [
        {
            "source": "/etc/systemd/system/k3s-agent.service.env",
            "variable": "HTTPS_PROXY",
            "registries": ["r.example.com:5000"],
        }
    ]
    assert "proxy" in codes(found)
    assert CANARY not in json.dumps(found)
    node.environment.append(("/x.env", {"CONTAINERD_NO_PROXY": "example.com"}))
    assert node.info()["proxies"] == []


@pytest.mark.parametrize("key", ["docker: true", "container-runtime-endpoint: unix:///run/x.sock"])
def test_another_runtime_reads_nothing_of_it(node: Node, key: str) -> None:
    node.write(key, node.paths.config_dir + "/config.yaml")
    assert "external_runtime" in codes(node.info())


def test_paths_come_from_k3s_own_configuration(node: Node, tmp_path: Path) -> None:
    node.state = node.state._replace(state="stopped")
    node.command += ["--private-registry", str(tmp_path / "elsewhere.yaml")]
    node.write("data-dir: '%s' # big disk\n" % (tmp_path / "srv"), node.paths.config_dir + "/config.yaml")
    node.write(FOREIGN, str(tmp_path / "elsewhere.yaml"))
    seen = node.ask()
    assert seen.said["registries"]["path"] == str(tmp_path / "elsewhere.yaml")
    assert seen.said["generated"]["certs_d"] == str(tmp_path / "srv/agent/etc/containerd/certs.d")


def test_certificates(node: Node, tmp_path: Path) -> None:
    ca = issue("CA", ca=True)
    client = issue("node", issuer=ca, end=NOW + 5 * DAY)
    old = issue("old", ca=True, end=NOW - DAY)
    for name, text in {
        "ca.crt": old.pem + ca.pem, "client.crt": client.pem, "client.key": client.key, "other.key": ca.key,
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    node.write(
        "configs:\n"
        "  a: {tls: {ca_file: %(f)s/ca.crt, cert_file: %(f)s/client.crt, key_file: %(f)s/client.key}}\n"
        "  b: {tls: {cert_file: %(f)s/client.crt, key_file: %(f)s/other.key, ca_file: %(f)s/none.crt}}\n"
        # Only a YAML parser sees these.
        '  c: {tls: {ca_file: "%(f)s\\u002fca.crt"}}\n' % {"f": tmp_path}
    )
    node.start()
    found = node.info()
    listed = [
        (item["registry"], item["kind"], item["subject"], item["days_left"], item["key_matches"], item["error"])
        for item in found["certificates"]
    ]
    assert listed == [
        ("a", "ca", "CN=old", -1, None, ""),
        ("a", "ca", "CN=CA", 100, None, ""),
        ("a", "client", "CN=node", 5, True, ""),
        ("b", "ca", "", None, None, "there is no such file"),
        ("b", "client", "CN=node", 5, False, ""),
        ("c", "ca", "CN=old", -1, None, ""),
        ("c", "ca", "CN=CA", 100, None, ""),
    ]
    assert {"certificate_expired", "certificate_expiring", "certificate_unreadable", "key_mismatch"} <= codes(found)
    assert found["certificates"][2]["issuer"] == "CN=CA"


def test_a_staged_configuration_and_an_interrupted_run_are_pending(node: Node) -> None:
    node.apply(CONFIG)
    node.start()
    memory = Memory(node.paths)
    memory.write_candidate(CANARY)
    assert node.info()["state"] == "pending"
    memory.drop_candidate()
    memory.write_transaction(1, "restarting", 0.0)
    found = node.info()
    assert found["state"] == "pending"
    assert "ended in the middle (restarting)" in str(found["problems"])


def test_others_can_read_the_credentials(node: Node) -> None:
    node.write("configs: {r: {auth: {username: u, password: p}}}\n")
    Path(node.paths.registries_yaml).chmod(0o644)
    assert "readable_by_others" in codes(node.info())


def test_the_linter_has_its_say(node: Node) -> None:
    node.write("mirrors: {docker.io: {endpoint: [https://r], rewrite: {'^(': x}}}\n")
    assert any(item["code"].startswith("K3R") for item in node.info()["problems"])


def test_credentials_that_end_are_told_by_what_the_node_knows(node: Node) -> None:
    """An ECR password lives 12 hours: one in a file that was written two days ago has ended for certain."""
    config = {"configs": {"1.dkr.ecr.example.com": {"auth": {"username": "AWS", "password": CANARY}}}}
    node.apply(config)
    node.start()
    registries = Path(node.info()["registries"]["path"])
    now = NOW.timestamp()
    expected = ((3600, "credential_expiring", "warning"), (2 * DAY.total_seconds(), "credential_expired", "error"))
    for age, code, level in expected:
        os.utime(registries, (now - age, now - age))
        found = node.info()
        (item,) = (item for item in found["problems"] if item["code"].startswith("credential_"))
        assert (item["code"], item["level"]) == (code, level)
        assert "12 hours" in item["message"]
        assert "kubelet" in item["fix"]
        assert "K3R229" not in codes(found)
        assert CANARY not in json.dumps(found)


def of_robot(expires: object) -> dict[str, object]:
    auth = {"username": "robot$k3s", "password": CANARY, "expires": expires}
    return {"configs": {"harbor.example.com": {"auth": auth}}}


@pytest.mark.parametrize(("days", "code", "left"), [(-1, "credential_overdue", -2), (20, "credential_expiring", 19)])
def test_an_end_that_is_only_stated_is_warned_of(node: Node, days: int, code: str, left: int) -> None:
    """The registry may go on accepting it, so that it is never a failure."""
    day = (NOW + days * DAY).date()
    node.apply(of_robot(day))
    node.start()
    found = node.info()
    (item,) = (item for item in found["problems"] if item["code"].startswith("credential_"))
    assert (item["code"], item["level"]) == (code, "warning")
    assert str(day) in item["message"]
    (entry,) = found["credentials"]
    assert (entry["ends"], entry["days_left"], entry["stated"]) == ("%sT00:00:00Z" % day, left, True)
    assert entry["ended"] == (days < 0)
    assert CANARY not in json.dumps(found)


def test_an_end_that_is_far_away_is_listed_and_no_problem(node: Node) -> None:
    day = (NOW + 100 * DAY).date()
    node.apply(of_robot(str(day)))
    node.start()
    found = node.info()
    assert [(item["registry"], item["level"]) for item in found["credentials"]] == [("harbor.example.com", "ok")]
    assert not [item for item in found["problems"] if item["code"].startswith("credential_")]


def test_the_node_s_file_has_no_word_of_it(node: Node) -> None:
    node.apply(of_robot("2100-01-31"))
    text = Path(node.paths.registries_yaml).read_text(encoding="utf-8")
    assert "expires" not in text
    assert "2100" not in text
    assert "# harbor.example.com credentials: end on 2100-01-31\n" in Memory(node.paths).record()["description"]


def test_somebody_else_s_file_has_no_stated_end(node: Node) -> None:
    node.apply(of_robot("2026-01-31"))
    node.start()
    assert node.info()["credentials"]
    node.write("configs: {harbor.example.com: {auth: {username: someone, password: %s}}}\n" % CANARY)
    assert node.info()["credentials"] == []


def test_a_jwt_s_own_end_is_proven(node: Node) -> None:
    config = of_robot("2100-01-31")
    config["configs"]["harbor.example.com"]["auth"]["password"] = "eyJhbGciOiJub25lIn0.eyJleHAiOjE1Nzc4MzY4MDB9.x"  # type: ignore[index]
    node.apply(config)
    node.start()
    found = node.info()
    (item,) = (item for item in found["problems"] if item["code"].startswith("credential_"))
    assert (item["code"], item["level"]) == ("credential_expired", "error")
    assert found["credentials"][0]["stated"] is False


def test_mirrors_of_the_embedded_registry_need_no_endpoint(node: Node) -> None:
    node.apply({"mirrors": {"docker.io": None}})
    node.start()
    assert "K3R273" in codes(node.info())
    node.embedded = "127.0.0.1:6443"
    node.start()
    assert "K3R273" not in codes(node.info())


def test_the_kubelet_s_providers_are_named_and_pending_until_it_has_read_them(node: Node) -> None:
    node.apply(CONFIG)
    node.start()
    path = node.paths.provider_config
    assert node.info()["providers"] == {"path": path, "exists": False, "managed": False, "names": []}
    node.write("providers: []\n", path, 50)
    assert node.info()["providers"] == {"path": path, "exists": True, "managed": False, "names": []}
    assert node.info()["state"] == "loaded"
    memory = Memory(node.paths)
    memory.write_record({**memory.record(), "programs": {"ecr": "0" * 64}})
    node.write(managed("providers: []\n"), path, 50)
    found = node.info()
    assert found["providers"] == {"path": path, "exists": True, "managed": True, "names": ["ecr"]}
    assert found["state"] == "pending"
    assert [item["message"] for item in found["problems"] if "the kubelet has not read it" in item["message"]]
    node.write(managed("providers: []\n"), path, -50)
    assert node.info()["state"] == "loaded"
