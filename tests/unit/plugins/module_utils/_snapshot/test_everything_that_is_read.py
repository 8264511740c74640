# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever staging reads of a node is among what the command compares: found by watching it, not by reading it."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.what_counts import WhatCounts

from tests.unit.plugins.module_utils._snapshot.reads import watched
from tests.unit.plugins.module_utils._snapshot.whole_node import WholeNode

#: The clock, which the command compares as the time of the system's start; and what a process asks about itself.
_OF_NO_NODE = re.compile(r"/proc/(?:uptime\Z|self/)")


def _is_compared(call: str, path: str, counts: WhatCounts) -> bool:
    """Whether the command would see it if the answer to a call was another one."""
    process = re.match(r"/proc/(\d+)/stat\Z", path)
    if process:
        return int(process.group(1)) == counts.process
    path = os.path.normpath(path)
    real = os.path.realpath(path)
    if any(real == gone or real.startswith(gone + os.sep) for gone in counts.absent):
        return True
    if not os.path.lexists(path):
        # A name that is new in a folder shows in its list.
        return os.path.dirname(real) in counts.listed
    if path != real and not any(link in counts.entries for link in (path, *map(str, Path(path).parents))):
        return False
    if os.path.isdir(real):
        return real in (counts.listed if call in ("listdir", "scandir") else counts.folders)
    if call == "open":
        return real in counts.contents
    return real in counts.entries


def _with_links(node: WholeNode) -> None:
    """/var/lib/rancher on a larger disk, and a registries.yaml that K3s reads through a link."""
    disk = node.root / "disk"
    (node.root / "var/lib/rancher").rename(disk)
    (node.root / "var/lib/rancher").symlink_to(disk)
    registries = Path(node.paths.registries_yaml)
    (node.root / "elsewhere").mkdir()
    registries.rename(node.root / "elsewhere/registries.yaml")
    registries.symlink_to("../../../elsewhere/registries.yaml")


def _with_settings_of_the_controller(node: WholeNode) -> None:
    """A config.yaml that only the controller can read, which an earlier run has done."""
    path = node.write("etc/rancher/k3s/config.yaml", "node-label: &a [c=d]\nkubelet-arg: *a\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    Memory(node.paths).write_settings_read({str(path): {"digest": digest, "entries": []}})


def _with_a_drop_in(node: WholeNode) -> None:
    """Settings of K3s beside registries.yaml."""
    more = {"disable_default_endpoint": True}
    node.desired = replace(node.desired, settings={**node.desired.settings, **more}).at(node.paths)
    node.k3s.knows(node.desired)
    node.get_everything()


def _of_rancher(node: WholeNode) -> None:
    """Rancher's service, which is neither enabled nor runs, and what it leaves behind."""
    node.write("etc/systemd/system/rancher-system-agent.service", "[Service]\nExecStart=/bin/agent sentinel\n")
    node.write("etc/rancher/k3s/config.yaml.d/50-rancher.yaml", "node-label: [a=b]\n")


_NODES = {
    "usual": lambda node: None, "links": _with_links, "controller": _with_settings_of_the_controller,
    "drop-in": _with_a_drop_in, "rancher": _of_rancher,
}  # fmt: skip


@pytest.mark.parametrize("kind", _NODES)
def test_everything_that_staging_reads_is_compared(node: WholeNode, kind: str) -> None:
    _NODES[kind](node)
    node.staged(check_mode=False)
    assert node.keep()
    counts = node.counts()
    with watched() as seen:
        found = node.staged(check_mode=False)
    assert not found.result["changed"]
    assert not found.result["restart"]
    own = [(call, path) for call, path in seen if path.startswith((str(node.root), "/proc/"))]
    # The lock on the state folder, and the watch itself, see that it works.
    assert ("open", node.paths.registries_yaml) in own
    assert ("stat", node.paths.config_dir) in own
    # To find systemctl is for whoever calls it.
    own = [item for item in own if not item[1].startswith(str(node.root / "bin")) and not _OF_NO_NODE.match(item[1])]
    assert len(own) > 100
    assert sorted({item for item in own if not _is_compared(*item, counts)}) == []


@pytest.mark.parametrize("kind", ["usual", "rancher"])
def test_everything_that_systemd_is_asked_is_compared(node: WholeNode, kind: str) -> None:
    _NODES[kind](node)
    calls = node.root / "systemctl.calls"
    node.keep()
    calls.unlink()
    node.staged()
    asked = _asked(calls.read_text(encoding="utf-8"))
    calls.unlink()
    assert node.short_way() is not None
    compared = _asked(calls.read_text(encoding="utf-8"))
    assert asked
    assert asked <= compared


def _asked(lines: str) -> set[tuple[str, str]]:
    found = set()
    for line in lines.splitlines():
        words = [word for word in line.split() if word not in ("show", "--")]
        properties = [name for word in words if word.startswith("--property=") for name in word[11:].split(",")]
        found |= {(unit, name) for unit in words if not unit.startswith("-") for name in properties}
    return found
