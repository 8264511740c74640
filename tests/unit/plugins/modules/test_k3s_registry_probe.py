# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a node runs it: as a program, on a node with what K3s generates, and on one without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.modules import k3s_registry_probe

from tests.registry_faults import servers

SECRET = "CANARY-1b2c3d4e"


def run(**options: Any) -> dict[str, Any]:
    arguments = {"ANSIBLE_MODULE_ARGS": {"_ansible_remote_tmp": "/tmp", **options}}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", k3s_registry_probe.__file__],
        input=json.dumps(arguments).encode(),
        capture_output=True,
        env=environment,
        check=False,
        timeout=600,
    )
    assert done.stdout, done.stderr.decode()
    assert SECRET.encode() not in done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "agent" / "etc" / "containerd" / "certs.d" / "quay.io").mkdir(parents=True)
    return tmp_path


def write(data_dir: Path, port: int) -> None:
    etc = data_dir / "agent" / "etc" / "containerd"
    (etc / "certs.d" / "quay.io" / "hosts.toml").write_text(f'[host."http://127.0.0.1:{port}/v2"]\n')
    table = f'[plugins."io.containerd.grpc.v1.cri".registry.configs."127.0.0.1:{port}".auth]'
    (etc / "config.toml").write_text(f'{table}\nusername = "robot"\npassword = "{SECRET}"\n')


def test_what_k3s_generated_is_asked(data_dir: Path) -> None:
    store = servers.Store()
    store.image("team/app", "1", ("amd64", "arm64", "386", "arm", "riscv64", "s390x", "ppc64le"))
    with servers.HttpServer(store) as server:
        write(data_dir, server.port)
        result = run(data_dir=str(data_dir), images=["quay.io/team/app:1"], timeout=5)
    assert result["changed"] is False
    found = [(entry["image"], entry["registry"], entry["kind"], entry["cause"]) for entry in result["endpoints"]]
    assert found == [("", "quay.io", "mirror", "ok"), ("quay.io/team/app:1", "quay.io", "mirror", "ok")]


def test_results_have_the_documented_keys(data_dir: Path) -> None:
    with servers.closed_port() as port:
        write(data_dir, port)
        (entry,) = run(data_dir=str(data_dir), timeout=5)["endpoints"]
    documented = yaml.safe_load(k3s_registry_probe.RETURN)["endpoints"]["contains"]
    assert set(entry) == set(documented)
    assert set(entry["times"]) == set(documented["times"]["contains"])


def test_a_configuration_is_tried_before_the_node_has_it(tmp_path: Path) -> None:
    """Its endpoints are named in the result, its password is in none of it, the invocation included."""
    with servers.HttpServer(servers.status(401, **{"WWW-Authenticate": "Basic"})) as server:
        host = f"127.0.0.1:{server.port}"
        result = run(
            data_dir=str(tmp_path / "nothing"),
            default_endpoint=False,
            config={
                "mirrors": {"quay.io": {"endpoint": [f"http://{host}"]}},
                "configs": {host: {"auth": {"username": "robot", "password": SECRET}}},
            },
        )
    causes = {(entry["registry"], entry["endpoint"], entry["cause"]) for entry in result["endpoints"]}
    assert ("quay.io", f"http://{host}/v2", "unauthorized") in causes
    assert SECRET not in json.dumps(result)


def test_certificates_of_the_controller_are_left_out_with_a_warning() -> None:
    tls = {"ca_src": "files/ca.crt", "key_content": SECRET}
    result = run(config={"configs": {"r.invalid": {"tls": tls}}}, all_endpoints=False)
    # Text, or with ansible-core 2.19 and later a structure around it.
    found = [str(warning) for warning in result["warnings"]]
    assert len(found) == 2
    assert 'configs."r.invalid".tls.ca_src was left out' in found[0]
    assert 'configs."r.invalid".tls.key_content was left out' in found[1]


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    missing = run(data_dir=str(tmp_path / "nothing"))
    assert missing["failed"]
    assert "set data_dir" in missing["msg"]
    assert "images: " in run(images=["a/UPPER"], config={})["msg"]
    assert "config: mirrors" in run(config={"mirrors": ["x"]})["msg"]
    assert "timeout" in run(config={}, timeout=0)["msg"]
    assert run(config={})["endpoints"] == []
