# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line and environment of the service, from the init system's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._info import unit
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths

_UNIT = """# /etc/systemd/system/k3s.service
[Service]
Environment=A=1
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s \\
    server \\
        '--data-dir' \\
        '/srv/k3s data' \\
        --disable-default-registry-endpoint

# /etc/systemd/system/k3s.service.d/x.conf
[Service]
TimeoutStartSec=5min
"""


def _write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def test_a_systemd_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    _write(tmp_path, "k3s.service.env", "# HTTPS_PROXY=no\nHTTPS_PROXY='http://proxy:3128'\nK3S_TOKEN=t\n")
    shown = 'ActiveState=active\nLoadState=loaded\nEnvironment=A=1 "B=two words"\n'
    shown += "EnvironmentFiles=%s (ignore_errors=yes)\n" % (tmp_path / "k3s.service.env")
    shown += "EnvironmentFiles=%s (ignore_errors=yes)\n" % (tmp_path / "absent")
    monkeypatch.setattr(unit, "run", lambda command, timeout: Outcome(0, shown if command[1] == "show" else _UNIT, ""))
    found = unit.read_unit(node_paths(node_role="server"), str(tmp_path))
    assert (found.name, found.active) == ("k3s.service", "active")
    assert found.command == [
        "/usr/local/bin/k3s", "server", "--data-dir", "/srv/k3s data", "--disable-default-registry-endpoint",
    ]  # fmt: skip
    assert found.environment == [
        ("unit", {"A": "1", "B": "two words"}),
        (str(tmp_path / "k3s.service.env"), {"HTTPS_PROXY": "http://proxy:3128", "K3S_TOKEN": "t"}),
    ]


def test_a_unit_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr(
        unit, "run", lambda command, timeout: Outcome(0, "LoadState=not-found\nActiveState=inactive", "")
    )
    assert unit.read_unit(node_paths(), str(tmp_path)).command == []


def test_an_openrc_service(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "etc/init.d/k3s-agent",
        'command="/usr/local/bin/k3s"\ncommand_args="agent \\\n    --private-registry=/etc/r.yaml \\\n'
        '    >>/var/log/k3s.log 2>&1"\n'
        "set -o allexport\nif [ -f /etc/environment ]; then . /etc/environment; fi\nif [ -f %s ]; then . %s; fi\n"
        % (tmp_path / "k3s.env", tmp_path / "k3s.env"),
    )
    _write(tmp_path, "k3s.env", 'export HTTP_PROXY="http://proxy"\n')
    found = unit.read_unit(NodePaths("k3s", "agent", "k3s-agent", "/c", "/d", "/e", "/f"), str(tmp_path))
    assert found.command[1:] == ["agent", "--private-registry=/etc/r.yaml"]
    assert (str(tmp_path / "k3s.env"), {"HTTP_PROXY": "http://proxy"}) in found.environment


@pytest.mark.parametrize(
    ("file", "given", "found"),
    [
        ("etc/systemd/system/k3s.service", ("", ""), ("k3s", "server")),
        ("etc/systemd/system/k3s-agent.service", ("", ""), ("k3s", "agent")),
        ("usr/local/lib/systemd/system/rke2-server.service", ("", ""), ("rke2", "server")),
        ("etc/init.d/k3s-agent", ("", ""), ("k3s", "agent")),
        ("etc/systemd/system/k3s.service", ("rke2", ""), ("rke2", "agent")),
        ("etc/systemd/system/k3s-agent.service", ("", "server"), ("k3s", "server")),
        ("etc/nothing", ("", ""), ("k3s", "agent")),
    ],
)
def test_what_is_installed(tmp_path: Path, file: str, given: tuple[str, str], found: tuple[str, str]) -> None:
    _write(tmp_path, file, "")
    assert unit.find_service(*given, root=str(tmp_path)) == found
