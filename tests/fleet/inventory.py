# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible is given: an inventory and a file of variables, made for `ansible-playbook -i ... -e @...`."""

from __future__ import annotations

from typing import Any

import yaml

from tests.fleet.certificates import write_private
from tests.fleet.state import USER, Fleet

CANARY = "docker.io/rancher/mirrored-pause:3.6"
_HEAD = "# SPDX-License-Identifier: GPL-3.0-or-later\n---\n"


def write(fleet: Fleet) -> None:
    """Write inventory.yml and registries.yml (0600: the password is in it)."""
    inventory = {"k3s_cluster": {"children": _groups(fleet), "vars": _connection(fleet)}}
    _dump(fleet, "inventory.yml", inventory)
    _dump(fleet, "registries.yml", _registries(fleet))


def _dump(fleet: Fleet, name: str, content: Any) -> None:
    text = _HEAD + yaml.safe_dump(content, sort_keys=False, default_flow_style=False, width=120)
    write_private(fleet.folder / name, text.encode())


def _groups(fleet: Fleet) -> dict[str, Any]:
    return {
        role: {"hosts": {node.name: {"ansible_host": node.address} for node in fleet.nodes if node.role == role}}
        for role in ("server", "agent")
    }


def _connection(fleet: Fleet) -> dict[str, Any]:
    options = {
        "UserKnownHostsFile": str(fleet.folder / "ssh" / "known_hosts"),
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
    }
    return {
        "ansible_user": USER,
        "ansible_become": True,
        "ansible_become_method": "sudo",
        "ansible_ssh_private_key_file": str(fleet.folder / "ssh" / "id_ed25519"),
        "ansible_ssh_common_args": " ".join('-o %s="%s"' % pair for pair in options.items()),
        "ansible_ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s",
        "ansible_ssh_pipelining": True,
        "ansible_python_interpreter": "/usr/bin/python3",
        **({"k3s_registries_distribution": "rke2"} if fleet.distribution == "rke2" else {}),
    }


def _registries(fleet: Fleet) -> dict[str, Any]:
    pki = fleet.folder / "pki"
    tls = {
        key: str(pki / name)
        for key, name in (("ca_src", "ca.crt"), ("cert_src", "client.crt"), ("key_src", "client.key"))
    }
    auth = {"username": fleet.registry.username, "password": fleet.registry.password}
    return {
        "k3s_registries": {
            "mirrors": {"docker.io": {"endpoint": [fleet.registry.url]}},
            "configs": {"%s:%d" % (fleet.registry.host, fleet.registry.port): {"auth": auth, "tls": tls}},
        },
        "k3s_registries_canary_images": [CANARY],
    }
