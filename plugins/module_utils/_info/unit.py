# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the service is set up: which unit, which command line, which environment, from which files.

Read from the init system's own files, since a running K3s hides its command line (it sets its process title).
"""

from __future__ import annotations

import glob
import os
import re
from typing import NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import environment_file, files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import run
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

_CALL_TIMEOUT = 30.0
_UNITS = (("k3s", "server", "k3s"), ("k3s", "agent", "k3s-agent"), ("rke2", "server", "rke2-server"),
          ("rke2", "agent", "rke2-agent"))  # fmt: skip
_UNIT_FOLDERS = ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")


class Unit(NamedTuple):
    """``command``: the words of its command line; ``environment``: pairs of source and variables, the later ones
    win, where a source is ``unit`` or a file."""

    name: str
    active: str
    command: list[str]
    environment: list[tuple[str, dict[str, str]]]


def find_service(distribution: str = "", node_role: str = "", root: str = "/") -> tuple[str, str]:
    """The distribution and role of what is installed here, by the units that the installers write.

    :param distribution: ``k3s`` or ``rke2``, "" to find out; the same for ``node_role``.
    :returns: both; ``k3s`` and ``agent`` for what nothing tells.
    """
    fitting = [
        unit
        for unit in _UNITS
        if (not distribution or unit[0] == distribution) and (not node_role or unit[1] == node_role)
    ]
    for found in fitting:
        places = [os.path.join(root, folder, found[2] + ".service") for folder in _UNIT_FOLDERS]
        if any(os.path.exists(path) for path in [*places, os.path.join(root, "etc/init.d", found[2])]):
            return found[0], found[1]
    return distribution or "k3s", node_role or "agent"


def read_unit(paths: NodePaths, root: str = "/") -> Unit:
    """The service as the init system has it; an empty one where it has none."""
    if os.path.isdir(os.path.join(root, "run/systemd/system")):
        return _systemd(paths.service)
    return _openrc(paths, root)


def _systemd(service: str) -> Unit:
    name = service + ".service"
    # RKE2 and K3s have one ExecStart; its text is quoted as systemd wrote it into the unit.
    shown = run(
        ["systemctl", "show", "--property=ActiveState,LoadState,Environment,EnvironmentFiles", name], _CALL_TIMEOUT
    )
    values: dict[str, list[str]] = {}
    for line in shown.out.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            values.setdefault(key, []).append(value)
    if values.get("LoadState", ["not-found"])[0] == "not-found":
        return Unit(name, "", [], [])
    environment = [
        ("unit", environment_file.assignments(environment_file.words(" ".join(values.get("Environment", [])))))
    ]
    for value in values.get("EnvironmentFiles", []):
        pattern = re.sub(r" \(ignore_errors=(?:yes|no)\)\Z", "", value)
        environment.extend((path, environment_file.read(path)) for path in sorted(glob.glob(pattern)))
    text = run(["systemctl", "cat", "--no-pager", name], _CALL_TIMEOUT).out
    return Unit(name, values.get("ActiveState", [""])[0], _exec_start(text), environment)


def _exec_start(text: str) -> list[str]:
    """The last ExecStart of a unit and its drop-ins; an empty one clears those before it."""
    found = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() == "ExecStart":
            found = value.strip()
    return environment_file.words(found.lstrip("-@:+!"))


def _openrc(paths: NodePaths, root: str) -> Unit:
    script = files.read(os.path.join(root, "etc/init.d", paths.service)).content
    if script is None:
        return Unit("", "", [], [])
    text = re.sub(r"\\\n", " ", script.decode("utf-8", "replace"))
    arguments = re.search(r'^command_args="((?:[^"\\]|\\.)*)"', text, re.MULTILINE | re.DOTALL)
    command = environment_file.words(arguments.group(1)) if arguments else []
    # K3s' installer writes "server ... >>/var/log/k3s.log 2>&1".
    command = command[: next((index for index, word in enumerate(command) if ">" in word), len(command))]
    sources = re.findall(r"\.\s+(/\S+\.env)|sourcex?\s+(/\S+)", text)
    paths_found = [one or other for one, other in sources] or [os.path.join(paths.config_dir, paths.service + ".env")]
    environment = [
        (path, environment_file.read(path)) for path in ["/etc/environment", *paths_found] if os.path.exists(path)
    ]
    return Unit(paths.service, "", [paths.binary, *command], environment)
