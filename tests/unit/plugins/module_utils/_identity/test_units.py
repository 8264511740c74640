# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services run K3s, whatever they are called, and what their files say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity import units
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.units import Unit, find_units
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome

from tests.unit.plugins.module_utils._identity.node_root import NodeRoot

_INSTALLER = """[Unit]
Description=Lightweight Kubernetes
[Service]
Environment=A=1
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s \\
    server \\
        '--data-dir' \\
        '/srv/k3s data' \\
        --disable-default-registry-endpoint

"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeRoot:
    return NodeRoot(tmp_path, monkeypatch)


def found(root: NodeRoot) -> list[Unit]:
    return find_units(str(root.path)).units


def test_the_unit_of_k3s_installer(root: NodeRoot) -> None:
    environment = root.write("k3s.service.env", "# HTTPS_PROXY=no\nHTTPS_PROXY='http://proxy:3128'\nK3S_TOKEN=t\n")
    root.unit("k3s", _INSTALLER, active="active", enabled="enabled", pid=os.getpid(), more=[
        'Environment=A=1 "B=two words"', "EnvironmentFiles=%s (ignore_errors=yes)" % environment,
        "EnvironmentFiles=/absent (ignore_errors=yes)",
    ])  # fmt: skip
    (unit,) = found(root)
    assert (unit.service, unit.distribution, unit.role, unit.enabled) == ("k3s", "k3s", "server", True)
    assert (unit.state.state, unit.state.main_pid, unit.active) == ("running", os.getpid(), "active")
    assert unit.command == (
        "/usr/local/bin/k3s", "server", "--data-dir", "/srv/k3s data", "--disable-default-registry-endpoint",
    )  # fmt: skip
    assert unit.environment == (
        ("unit", {"A": "1", "B": "two words"}),
        (environment, {"HTTPS_PROXY": "http://proxy:3128", "K3S_TOKEN": "t"}),
    )


@pytest.mark.parametrize(
    ("name", "start", "distribution", "role"),
    [
        ("k3s", "/usr/local/bin/k3s agent --server https://x", "k3s", "agent"),
        ("k3s-edge", "/usr/local/bin/k3s server", "k3s", "server"),
        ("kubernetes", "/opt/bin/k3s --debug agent", "k3s", "agent"),
        ("kubernetes", "/opt/bin/k3s --data-dir /srv agent", "k3s", "agent"),
        ("kubernetes", "/bin/sh -c 'exec /usr/local/bin/rke2 server'", "rke2", "server"),
        ("kubernetes", '"/usr/local/bin/k3s" "agent"', "k3s", "agent"),
        ("k3s", "/usr/local/bin/start-it", "k3s", "server"),
        ("rke2-agent", "/usr/local/bin/start-it", "rke2", "agent"),
    ],
)
def test_the_role_comes_from_the_command_line(
    root: NodeRoot, name: str, start: str, distribution: str, role: str
) -> None:
    root.unit(name, "[Service]\nExecStart=%s\n" % start)
    assert [(unit.service, unit.distribution, unit.role) for unit in found(root)] == [(name, distribution, role)]


@pytest.mark.parametrize(
    "start", ["/usr/bin/python3 /opt/k3s/agent.py", "/usr/bin/k3s-ansible server", "/usr/local/bin/k3s kubectl proxy"]
)
def test_other_units_are_none_of_ours(root: NodeRoot, start: str) -> None:
    root.unit("tool", "[Service]\nExecStart=%s\n" % start)
    assert found(root) == []


def test_a_drop_in_may_change_the_command_line(root: NodeRoot) -> None:
    root.unit("k3s", "[Service]\nExecStart=/usr/local/bin/k3s server\n")
    root.write("etc/systemd/system/k3s.service.d/x.conf", "[Service]\nExecStart=\nExecStart=/usr/local/bin/k3s agent\n")
    assert [unit.role for unit in found(root)] == ["agent"]


def test_aliases_and_masked_units_are_not_counted(root: NodeRoot) -> None:
    root.unit("k3s", "[Service]\nExecStart=/usr/local/bin/k3s server\n")
    folder = root.path / "etc/systemd/system"
    (folder / "kubernetes.service").symlink_to(folder / "k3s.service")
    (folder / "k3s-agent.service").symlink_to("/dev/null")
    root.write("usr/lib/systemd/system/k3s-agent.service", "[Service]\nExecStart=/usr/bin/k3s agent\n")
    assert [unit.service for unit in found(root)] == ["k3s"]


def test_units_of_packages_are_found_by_their_name_only(root: NodeRoot) -> None:
    root.unit("rke2-server", "[Service]\nExecStart=/usr/bin/rke2 server\n", folder="usr/lib/systemd/system")
    root.unit("other", "[Service]\nExecStart=/usr/bin/rke2 server\n", folder="usr/lib/systemd/system")
    assert [unit.service for unit in found(root)] == ["rke2-server"]


def test_systemd_is_asked_once_for_all(root: NodeRoot) -> None:
    root.unit("k3s", "[Service]\nExecStart=/usr/local/bin/k3s server\n")
    root.unit("k3s-agent", "[Service]\nExecStart=/usr/local/bin/k3s agent\n", active="active")
    assert [unit.state.alive for unit in found(root)] == [False, True]
    assert len(root.calls) == 1


def test_a_systemd_that_does_not_answer_is_told(root: NodeRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    root.unit("k3s", "[Service]\nExecStart=/usr/local/bin/k3s server\n")
    monkeypatch.setattr(units, "run", lambda command, timeout: Outcome(1, "", "no bus"))
    with pytest.raises(units.ServiceProblem, match="no bus"):
        found(root)


def test_an_openrc_service(root: NodeRoot) -> None:
    root.without_systemd()
    environment = root.write("k3s.env", 'export HTTP_PROXY="http://proxy"\n')
    root.write(
        "etc/init.d/k3s-edge",
        'command="/usr/local/bin/k3s"\ncommand_args="agent \\\n    --private-registry=/etc/r.yaml \\\n'
        '    >>/var/log/k3s.log 2>&1"\nif [ -f %s ]; then . %s; fi\n' % (environment, environment),
    )
    root.write("etc/init.d/sshd", 'command="/usr/sbin/sshd"\n')
    (unit,) = found(root)
    assert (unit.service, unit.role, unit.enabled) == ("k3s-edge", "agent", False)
    assert unit.command == ("/usr/local/bin/k3s", "agent", "--private-registry=/etc/r.yaml")
    assert (environment, {"HTTP_PROXY": "http://proxy"}) in unit.environment
    root.write("etc/runlevels/default/k3s-edge", "")
    assert found(root)[0].enabled


def test_an_image_that_is_being_built_has_units_that_do_not_run(root: NodeRoot) -> None:
    root.unit("k3s", "[Service]\nExecStart=/usr/local/bin/k3s server\n", active="active")
    root.without_systemd()
    assert [(unit.service, unit.state.state) for unit in found(root)] == [("k3s", "absent")]
