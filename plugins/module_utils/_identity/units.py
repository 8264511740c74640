# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services of K3s and RKE2 there are on a node, whatever they are called, and how each is set up.

What a service runs stands in its own files: ``k3s server``, ``rke2 agent``. Its name tells little (some roles call the
unit ``k3s`` on agents, too), and a running K3s hides its command line behind a title of its own.
"""

from __future__ import annotations

import glob
import os
import re
from typing import Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import environment_file, files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import run
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import (
    ABSENT,
    OpenRC,
    ServiceProblem,
    ServiceState,
    systemd_state,
)

_CALL_TIMEOUT = 30.0
_ENABLED = ("enabled", "enabled-runtime", "generated")
#: In the order in which systemd prefers them. A unit of any name is looked for where administrators put units; the
#: last two hold hundreds of the system's own.
_ANY_NAME = ("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system")
_KNOWN_NAME = ("usr/lib/systemd/system", "lib/systemd/system")
_BY_NAME = {"k3s": ("k3s", "server"), "k3s-agent": ("k3s", "agent"), "rke2-server": ("rke2", "server"),
            "rke2-agent": ("rke2", "agent")}  # fmt: skip
_RUNS = re.compile(
    r"(?:^|[\s/'\"=])(k3s|rke2)(?:-(server|agent)|[\"']?(?:\s+[\"']?-[^\s]+(?:\s+/[^\s]+)?)*\s+[\"']?(server|agent))"
    r"(?=[\s\"';]|\Z)"
)
RANCHER = "rancher-system-agent"
"""The service with which Rancher provisions a node."""

PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,Job,MainPID,NRestarts,Environment,EnvironmentFiles"


class Unit(NamedTuple):
    """A service that runs K3s or RKE2.

    ``service`` is its name without ``.service``; ``enabled`` says whether it starts with the node; ``active`` is
    systemd's own word for its state, "" under OpenRC; ``command`` are the words of its command line; ``environment``
    are pairs of source and variables, the later ones winning, a source being ``unit`` or a file.
    """

    service: str
    distribution: str
    role: str
    enabled: bool
    state: ServiceState
    active: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, Mapping[str, str]], ...]
    name: str


class Found(NamedTuple):
    """``units`` run K3s or RKE2, in the order of their names. ``rancher`` says whether Rancher's agent counts here:
    ``runs``, ``is enabled``, or "" if it does not."""

    units: list[Unit]
    rancher: str = ""


def find_units(root: str = "/") -> Found:
    """Every service here that runs K3s or RKE2, and Rancher's.

    :raises ServiceProblem: if the init system does not answer.
    """
    parts = unit_files(root)
    texts = _systemd_texts(parts)
    if not os.path.isdir(os.path.join(root, "run/systemd/system")):
        found = _openrc_units(root)
        # An image that is being built has units and no init system: nothing runs there.
        return Found(found or [_unit(service, text, {}, root) for service, text in texts.items()])
    services = sorted(texts)
    shown = _shown([*services, *_rancher(parts)])
    found = [_unit(service, texts[service], shown.get(service, {}), root) for service in services]
    return Found(found, _in_use(shown.get(RANCHER, {})))


def _rancher(parts: Mapping[str, Sequence[str]]) -> list[str]:
    """Rancher's service, if there is a unit of that name: it is shown in the same call as all others."""
    return [RANCHER] if RANCHER + ".service" in parts else []


def _in_use(values: Mapping[str, Sequence[str]]) -> str:
    single = {key: given[-1] for key, given in values.items() if given}
    if not single:
        return ""
    if systemd_state(single).alive:
        return "runs"
    return "is enabled" if single.get("UnitFileState", "") in _ENABLED else ""


def unit_folders(root: str) -> list[str]:
    """The folders in which services are looked for, whether they are there or not."""
    return [os.path.join(root, folder) for folder in _ANY_NAME + _KNOWN_NAME]


def unit_files(root: str) -> dict[str, list[str]]:
    """The files that may say what a service runs, with its drop-ins, by the unit's name."""
    seen: dict[str, list[str]] = {}
    for folder in _ANY_NAME + _KNOWN_NAME:
        path = os.path.join(root, folder)
        for name in files.names_in(path):
            known = "k3s" in name or "rke2" in name or name == RANCHER + ".service"
            if not name.endswith(".service") or name in seen or not (known or folder in _ANY_NAME):
                continue
            seen[name] = _parts(root, os.path.join(path, name), name, known)
    return seen


def _systemd_texts(files_of_units: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The text of every unit that runs K3s or RKE2, with its drop-ins, by the service's name."""
    seen = {name: _unit_text(name, parts) for name, parts in files_of_units.items()}
    return {name[: -len(".service")]: text for name, text in seen.items() if text and _runs(name, text)}


def _parts(root: str, path: str, name: str, known: bool) -> list[str]:
    """A unit's file, and its drop-ins in the order in which they count."""
    parts = [path]
    if known or os.path.isdir(path + ".d"):
        drop_ins: dict[str, str] = {}
        for folder in reversed(_ANY_NAME + _KNOWN_NAME):
            for found in glob.glob(os.path.join(glob.escape(os.path.join(root, folder, name + ".d")), "*.conf")):
                drop_ins[os.path.basename(found)] = found
        parts += [drop_ins[key] for key in sorted(drop_ins)]
    return parts


def _unit_text(name: str, parts: Sequence[str]) -> str:
    """A unit's text with its drop-ins'; "" for a masked one and for a link to another unit (an alias)."""
    path = parts[0]
    if os.path.islink(path) and os.path.basename(os.path.realpath(path)) != name:
        return ""
    return "\n".join(_text(part) for part in parts)


def _text(path: str) -> str:
    try:
        return (files.read(path).content or b"").decode("utf-8", "replace")
    except files.FileProblem:
        return ""


def _exec_start(text: str) -> str:
    """The last ExecStart of a unit and its drop-ins; an empty one clears those before it."""
    found = ""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() == "ExecStart":
            found = value.strip()
    return found.lstrip("-@:+!")


def _runs(name: str, text: str) -> tuple[str, str] | None:
    """Distribution and role by the command line, else by the name that the installers give; None for another unit."""
    match = _RUNS.search(_exec_start(text))
    if match:
        return match.group(1), match.group(2) or match.group(3)
    return _BY_NAME.get(name[: -len(".service")] if name.endswith(".service") else name)


def _shown(services: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """What systemd says of each service: one call, some 5 ms, whatever their number."""
    if not services:
        return {}
    outcome = run(
        ["systemctl", "show", "--property=" + PROPERTIES, *(service + ".service" for service in services)],
        _CALL_TIMEOUT,
    )
    if not outcome.ok:
        raise ServiceProblem("systemctl show %s failed: %s" % (" ".join(services), outcome.err.strip()))
    found = {}
    for block in outcome.out.strip("\n").split("\n\n"):
        values: dict[str, list[str]] = {}
        for line in block.splitlines():
            key, equals, value = line.partition("=")
            if equals:
                values.setdefault(key, []).append(value)
        identity = values.get("Id", [""])[0]
        found[identity[: -len(".service")] if identity.endswith(".service") else identity] = values
    return found


def environment_files(root: str) -> tuple[list[str], list[str]]:
    """The services that count, and the patterns of the environment files that systemd gives to those that run K3s or
    RKE2.

    :raises ServiceProblem: if systemd does not answer.
    """
    parts = unit_files(root)
    services = sorted(_systemd_texts(parts))
    shown = _shown(services)
    return [*services, *_rancher(parts)], [
        pattern for service in services for pattern in _environment_files(shown.get(service, {}))
    ]


def _environment_files(values: Mapping[str, list[str]]) -> list[str]:
    return [re.sub(r" \(ignore_errors=(?:yes|no)\)\Z", "", value) for value in values.get("EnvironmentFiles", [])]


def _unit(service: str, text: str, values: Mapping[str, list[str]], root: str) -> Unit:
    single = {key: given[-1] for key, given in values.items() if given}
    distribution, role = _runs(service + ".service", text) or ("k3s", "agent")
    inline = environment_file.words(" ".join(values.get("Environment", [])))
    environment = [("unit", environment_file.assignments(inline))]
    for pattern in _environment_files(values):
        environment.extend((path, environment_file.read(path)) for path in sorted(glob.glob(pattern)))
    return Unit(
        service=service,
        distribution=distribution,
        role=role,
        enabled=single.get("UnitFileState", "") in _ENABLED,
        state=systemd_state(single) if single else ABSENT,
        active=single.get("ActiveState", ""),
        command=tuple(environment_file.words(_exec_start(text))),
        environment=tuple(environment),
        name=service + ".service",
    )


def _openrc_units(root: str) -> list[Unit]:
    folder = os.path.join(root, "etc/init.d")
    found = []
    for name in files.names_in(folder):
        text = re.sub(r"\\\n", " ", _text(os.path.join(folder, name)))
        program = re.search(r"^command=[\"']?(\S*?/)?(k3s|rke2)[\"']?\s*$", text, re.MULTILINE)
        if program is None and name not in _BY_NAME:
            continue
        found.append(_openrc_unit(name, text, root))
    return found


def _openrc_unit(name: str, text: str, root: str) -> Unit:
    program = re.search(r"^command=[\"']?([^\s\"']+)", text, re.MULTILINE)
    arguments = re.search(r'^command_args="((?:[^"\\]|\\.)*)"', text, re.MULTILINE | re.DOTALL)
    command = [program.group(1) if program else "", *environment_file.words(arguments.group(1) if arguments else "")]
    # K3s' installer writes "server ... >>/var/log/k3s.log 2>&1".
    command = command[: next((index for index, word in enumerate(command) if ">" in word), len(command))]
    match = _RUNS.search(" ".join(command))
    distribution, role = _BY_NAME.get(name, ("k3s", "agent"))
    if match:
        distribution, role = match.group(1), match.group(2) or match.group(3)
    sources = [one or other for one, other in re.findall(r"\.\s+(/\S+\.env)|sourcex?\s+(/\S+)", text)]
    sources = sources or ["/etc/rancher/%s/%s.env" % (distribution, name)]
    sources = [path for path in ["/etc/environment", *sources] if os.path.exists(path)]
    environment = [(path, environment_file.read(path)) for path in sources]
    enabled = bool(glob.glob(os.path.join(glob.escape(root), "etc/runlevels/*", name)))
    state = OpenRC(name, root).state() if os.path.isdir(os.path.join(root, "run/openrc")) else ABSENT
    return Unit(name, distribution, role, enabled, state, "", tuple(command), tuple(environment), name)
