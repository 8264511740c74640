# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's playbooks as people do, over hosts that all are this machine: no K3s, no root, no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

import yaml

from tests.conftest import COLLECTIONS

_RECAP = re.compile(r"^(\S+)\s+: ok=\d+ +changed=(\d+)", re.M)


class Done(NamedTuple):
    """``changed``: the hosts of the recap, with how much was changed there."""

    status: int
    output: str
    changed: dict[str, int]

    @property
    def hosts(self) -> set[str]:
        return set(self.changed)


def run(
    folder: Path,
    playbook: str,
    groups: Mapping[str, Sequence[str]] | None,
    *arguments: str,
    variables: Mapping[str, Any] | None = None,
) -> Done:
    """Run a playbook of the collection, or one of ``folder``, over an inventory there (None: without one).

    :param variables: of all hosts, in the inventory. What a node has is below ``folder``, unless they say otherwise.
    """
    command = [str(Path(sys.executable).with_name("ansible-playbook"))]
    command.append(playbook if playbook.endswith(".yml") else "k3sfleet.registries." + playbook)
    if groups is not None:
        of_all = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "k3s_registries_config_dir": str(folder / "etc-of-{{ inventory_hostname }}"),
            "k3s_registries_data_dir": str(folder / "data-of-{{ inventory_hostname }}"),
            "k3s_registries_service": "k3s-that-no-machine-has",
            **(variables or {}),
        }
        children = {group: {"hosts": {host: {} for host in hosts}} for group, hosts in groups.items()}
        (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"vars": of_all, "children": children}}))
        command += ["--inventory", "inventory.yml"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**environment, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    changed = {host: int(number) for host, number in _RECAP.findall(done.stdout)}
    return Done(done.returncode, done.stdout, changed)
