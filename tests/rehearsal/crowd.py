# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hundred nodes rehearse at once: no registry gets more from one node, nor from all of them, than was announced.

The nodes are this machine, each with folders of its own: its Python starts in a mount namespace in which a K3s runs, as
far as a rehearsal can see. Every node uses images of its own, so that a request tells whose it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.conftest import CHECKOUT, COLLECTIONS
from tests.registry_faults.servers import HttpServer
from tests.rehearsal import running_k3s
from tests.rehearsal.distant import Distant, Ledger
from tests.rehearsal.running_k3s import executable

if TYPE_CHECKING:
    from tests.registry_faults.servers import Request

NODES, IMAGES, FORKS, AT_ONCE = 100, 24, 20, 8
DISTANCE = 0.1
_PATIENCE = 1500

_PYTHON = """#!/bin/sh
exec unshare --mount --propagation private /bin/sh -e {folder}/enter "$@"
"""
# Lower layers only: nothing of this machine is written to.
_ENTER = """
mount -t overlay -o ro,lowerdir={folder}/bin:/usr/local/bin overlay /usr/local/bin
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
cp {folder}/k3s.service /run/systemd/system/
PATH=/usr/local/bin:$PATH exec {python} "$@"
"""


def _make_node(folder: Path, name: str, role: str, registry: str) -> None:
    etc = folder / "etc"
    etc.mkdir(parents=True)
    generated = folder / "data/agent/etc/containerd"
    generated.mkdir(parents=True)
    (generated / "config.toml").write_text("version = 3\n", encoding="utf-8")
    words = {"folder": folder, "python": sys.executable}
    executable(folder / "python", _PYTHON.format(**words))
    (folder / "enter").write_text(_ENTER.format(**words), encoding="utf-8")
    text = running_k3s.unit(role, str(folder / "data"), str(etc / "registries.yaml"))
    (folder / "k3s.service").write_text(text, encoding="utf-8")
    running_k3s.programs(folder / "bin", str(folder / "pods.json"))
    images = [f"{registry}/{name}/app{number}:1" for number in range(IMAGES)]
    (folder / "pods.json").write_text(running_k3s.pods_of(images), encoding="utf-8")


def _inventory(folder: Path, names: list[str], registry: str, mirror: str) -> Path:
    variables = {
        "ansible_connection": "local", "ansible_become": False, "ansible_pipelining": True,
        "ansible_python_interpreter": str(folder) + "/{{ inventory_hostname }}/python",
        "k3s_registries_config_dir": str(folder) + "/{{ inventory_hostname }}/etc",
        "k3s_registries": {"mirrors": {registry: {"endpoint": [f"http://{mirror}"]}}},
    }  # fmt: skip
    groups = {"server": names[:1], "agent": names[1:]}
    children = {group: {"hosts": {name: {} for name in hosts}} for group, hosts in groups.items()}
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump({"k3s_cluster": {"children": children, "vars": variables}}), encoding="utf-8")
    return path


def _node(request: Request) -> tuple[str, ...]:
    """Whose request it is, by the repository; two slashes before it are one name."""
    return (request.path.split("/")[2],)


def run(nodes: int = NODES, forks: int = FORKS) -> list[str]:
    """Returns what is not as it should be."""
    problems = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-crowd-")))
        ledgers = {"the old registry": Ledger(), "the new one": Ledger()}
        servers = [stack.enter_context(HttpServer(Distant(one, DISTANCE, _node))) for one in ledgers.values()]
        registry, mirror = (f"127.0.0.1:{server.port}" for server in servers)
        names = [f"node-{number}" for number in range(nodes)]
        for name in names:
            _make_node(folder / name, name, "server" if name == names[0] else "agent", registry)
        began = time.monotonic()
        output, code = _played(folder, _inventory(folder, names, registry, mirror), forks)
        seconds = time.monotonic() - began
    rehearsed = re.search(r"^Rehearsal: (\d+) images on (\d+) nodes: (.*)$", output, re.M)
    if code or rehearsed is None or rehearsed.groups()[:2] != (str(nodes * IMAGES), str(nodes)):
        return [f"the nodes were not rehearsed:\n{output[-4000:]}"]
    # Ansible breaks lines.
    if f"all nodes together at most {forks * AT_ONCE}" not in " ".join(output[: rehearsed.start()].split()):
        problems.append(f"the limit was not announced:\n{output[:2000]}")
    print(rehearsed[0])
    for name, ledger in ledgers.items():
        of_nodes = [ledger.most[node] for node in names]
        print(
            f"{name}: {ledger.total['']} requests, at most {max(of_nodes)} at once from one node, {ledger.most['']}"
            f" from all; announced: {AT_ONCE} and {forks * AT_ONCE}"
        )
        if max(of_nodes) > AT_ONCE or ledger.most[""] > forks * AT_ONCE:
            problems.append(f"{name} was asked more than was announced")
        if max(of_nodes) < AT_ONCE - 2 or min(of_nodes) < 1 or ledger.most[""] <= AT_ONCE:
            problems.append(f"{name} was not asked by the nodes in parallel: {sorted(of_nodes)}, {ledger.most['']}")
    print(f"{nodes} nodes, {forks} forks: {seconds:.0f} s")
    return problems


def _played(folder: Path, inventory: Path, forks: int) -> tuple[str, int]:
    environment: dict[str, Any] = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    done = subprocess.run(
        [program, "-i", str(inventory), "--forks", str(forks), "playbooks/rehearse.yml"],
        cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={**environment, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1",
             "ANSIBLE_HOME": str(folder / "ansible"), "ANSIBLE_LOCAL_TEMP": str(folder / "ansible/tmp")},
        timeout=_PATIENCE,
    )  # fmt: skip
    return done.stdout.decode("utf-8", "replace"), done.returncode
