# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real containerd makes of the recipes, and what it logs: one process, with every recipe's credentials."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conformance.containerd import Containerd

PULL_SECONDS = 60.0
_TIME = re.compile(r'^time="[^"]*"')
_NOISE = ("level=warning", "level=debug")


def credentials(configs: Iterable[dict[str, Any]]) -> str:
    """The part of containerd's configuration with the credentials, as K3s writes it."""
    tables = {host: settings["auth"] for config in configs for host, settings in config["configs"].items() if settings}
    lines = []
    for host, auth in tables.items():
        lines.append(f'[plugins."io.containerd.grpc.v1.cri".registry.configs."{host}".auth]')
        lines += [f"  {name} = '{auth[name]}'" for name in ("username", "password")]
    return "\n".join(lines) + "\n"


def pull(containerd: Containerd, config: dict[str, Any], image: str) -> tuple[str, list[str]]:
    """Pull as a node with this configuration does.

    :returns: containerd's error, "" if there is none, and the lines that it has logged about it.
    """
    containerd.configure(hosts_toml(normalise(config), True))
    start = containerd.log.stat().st_size
    error = containerd.try_to_pull(image, PULL_SECONDS)
    return error, _lines(containerd, start, image)


def _lines(containerd: Containerd, start: int, image: str, patience: float = 10.0) -> list[str]:
    """The log from a place on, once the end of the pull is in it."""
    deadline = time.monotonic() + patience
    while True:
        lines = containerd.log.read_bytes()[start:].decode("utf-8", "replace").splitlines()
        ended = any("PullImage" in line and image in line and ("failed" in line or "returns" in line) for line in lines)
        if ended or time.monotonic() > deadline:
            return [_TIME.sub('time="2026-11-27T12:00:00Z"', line) for line in lines if not _is_noise(line)]
        time.sleep(0.05)


def _is_noise(line: str) -> bool:
    return any(level in line for level in _NOISE)


def diagnose(lines: list[str], config: dict[str, Any]) -> list[dict[str, Any]]:
    """What the diagnosis of a node's log says."""
    reader = PullReader(config)
    reader.read(lines)
    return reader.diagnoses()
