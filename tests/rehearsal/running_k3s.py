# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A K3s that runs, as far as a rehearsal can see, without a container: its unit, its programs, its pods, its files."""

from __future__ import annotations

import json
from pathlib import Path

_UNIT = "[Service]\nExecStart=/usr/local/bin/k3s {role} --data-dir {data_dir} --private-registry {registries_yaml}\n"
_K3S = """#!/bin/sh
case "$*" in
    *--version*) echo "k3s version v1.34.3+k3s1 (0123abcd)" ;;
    "crictl ps"*) echo '{"containers": []}' ;;
    "crictl images"*) echo '{"images": []}' ;;
    *"get pods"*) cat PODS ;;
    *) exit 1 ;;
esac
"""
_SYSTEMCTL = """#!/bin/sh
case "$*" in
    show*k3s.service*) cat << 'END'
Id=k3s.service
LoadState=loaded
UnitFileState=enabled
ActiveState=active
Job=0
MainPID=1
NRestarts=0
Environment=
EnvironmentFiles=
END
    ;;
    *) exit 1 ;;
esac
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def unit(role: str, data_dir: str, registries_yaml: str) -> str:
    """The text of k3s.service."""
    return _UNIT.format(role=role, data_dir=data_dir, registries_yaml=registries_yaml)


def programs(folder: Path, pods: str) -> None:
    """``k3s`` and ``systemctl``. :param pods: where the node has the list of its pods."""
    executable(folder / "k3s", _K3S.replace("PODS", pods))
    executable(folder / "systemctl", _SYSTEMCTL)


def pods_of(images: list[str]) -> str:
    """The list of a node with one pod."""
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    pod = {"metadata": {"name": "app", "namespace": "default"}, "spec": {"containers": containers}}
    return json.dumps({"items": [{**pod, "status": {"phase": "Running"}}]})
