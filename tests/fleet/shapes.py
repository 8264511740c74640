# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of a running fleet in other shapes: a unit of another name, flags in other places, two units, or none.

What a function changes counts from the unit's next start on, and ``restore`` takes all of it back.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Mapping, Sequence

import yaml

from tests.fleet import nodes, podman, real_k3s, units
from tests.fleet.archive import Archive
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet

_START_SECONDS = 60.0
_UNITS = "cd /%s && grep -l '^ExecStart=/usr/local/bin/%s ' *.service | sed 's/.service$//'"
_DROP_IN = "/config.yaml.d/90-shape.yaml"


def write_unit(
    fleet: Fleet,
    node: str,
    service: str = "",
    command: str = "",
    flags: Sequence[str] = (),
    port: int = 0,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Write a unit, by default the node's own as the fleet made it.

    :param flags: for ExecStart, after `server` or `agent`.
    :param port: where an agent joins, if it is not the usual one.
    :param environment: more variables for the unit's environment file.
    """
    known = fleet.node(node)
    service, command = service or fleet.service(known), command or known.role
    archive = Archive()
    variables = {**nodes.environment(fleet, known, port), **(environment or {})}
    for path, text in units.files(fleet.distribution, service, command, variables, flags).items():
        archive.file(path, text, 0o600 if path.endswith(".env") else 0o644)
    podman.podman("cp", "--archive=false", "-", fleet.container(node) + ":/", stdin=archive.content())
    if port and fleet.k3s == "real":
        set_config(fleet, node, {"server": "https://%s:%d" % (fleet.servers[0].name, port)})
    _systemctl(fleet, node, "daemon-reload")


def remove_unit(fleet: Fleet, node: str, service: str = "") -> None:
    """Stop and disable a unit, by default the node's own, and remove its files; the command stays."""
    service = service or fleet.service(fleet.node(node))
    _systemctl(fleet, node, "disable", "--now", service)
    paths = ["/" + path for path in units.files(fleet.distribution, service, "server", {})]
    nodes.execute(fleet, node, ["rm", "-f", *paths])
    nodes.execute(fleet, node, ["rmdir", *{path.rpartition("/")[0] for path in paths if ".service.d/" in path}])
    _systemctl(fleet, node, "daemon-reload")


def rename_unit(
    fleet: Fleet, node: str, service: str, flags: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> None:
    """The node's K3s under another unit, running."""
    remove_unit(fleet, node)
    write_unit(fleet, node, service, flags=flags, environment=environment)
    start(fleet, node, service)


def start(fleet: Fleet, node: str, service: str = "") -> None:
    """Enable and restart a unit, and wait until K3s says that it is up.

    :raises FleetError: when it does not within a minute, with what its journal says.
    """
    service = service or fleet.service(fleet.node(node))
    _systemctl(fleet, node, "enable", service)
    _systemctl(fleet, node, "restart", "--no-block", service)
    deadline = time.monotonic() + _START_SECONDS
    show = ["systemctl", "show", "--property=ActiveState,Job", "--value", service]
    while nodes.execute(fleet, node, show).stdout.split() != ["active"]:
        if time.monotonic() > deadline:
            journal = nodes.execute(fleet, node, ["journalctl", "-o", "cat", "-n", "12", "-u", service]).stdout
            raise FleetError("%s on %s is not active after %d s:\n%s" % (service, node, _START_SECONDS, journal))
        time.sleep(0.2)


def set_config(fleet: Fleet, node: str, changes: Mapping[str, Any], drop_in: bool = False) -> None:
    """Change keys of config.yaml, or of a drop-in in config.yaml.d; None takes a key away."""
    path = fleet.config_dir + (_DROP_IN if drop_in else "/config.yaml")
    found = nodes.execute(fleet, node, ["cat", path], check=False)
    content = (yaml.safe_load(found.stdout) or {}) if found.returncode == 0 else {}
    content = {key: value for key, value in {**content, **changes}.items() if value is not None}
    if not content:
        nodes.execute(fleet, node, ["rm", "-f", path])
        return
    script = 'umask 077; mkdir -p "${1%/*}"; cat > "$1"'
    nodes.execute(fleet, node, ["sh", "-ec", script, "sh", path], stdin=yaml.safe_dump(content).encode())


def restore(fleet: Fleet) -> None:
    """Every node's own unit, alone and running, with the configuration that the fleet gave it; nodes that are like that
    go on running. Not for several servers with etcd at once."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda node: restore_node(fleet, node.name), fleet.nodes))


def restore_node(fleet: Fleet, node: str) -> None:
    """The same for one node."""
    found = _units(fleet, node)
    if found == [fleet.service(fleet.node(node))] and _as_made(fleet, node):
        return
    for service in found:
        remove_unit(fleet, node, service)
    nodes.execute(fleet, node, ["rm", "-f", *_config_files(fleet)])
    if _made_config(fleet, node):
        set_config(fleet, node, _made_config(fleet, node))
    write_unit(fleet, node)
    start(fleet, node)


def _units(fleet: Fleet, node: str) -> list[str]:
    """The services that run the distribution's command."""
    script = _UNITS % (units.folder(fleet.distribution), fleet.distribution)
    return list(nodes.execute(fleet, node, ["sh", "-c", script]).stdout.split())


def _as_made(fleet: Fleet, node: str) -> bool:
    """Whether the node's own unit runs, with the texts that the fleet has given it."""
    known = fleet.node(node)
    wanted = units.files(fleet.distribution, fleet.service(known), known.role, nodes.environment(fleet, known))
    texts = nodes.execute(fleet, node, ["cat", *("/" + path for path in wanted)], check=False).stdout
    config = nodes.execute(fleet, node, ["cat", *_config_files(fleet)], check=False).stdout
    active = nodes.execute(fleet, node, ["systemctl", "is-active", fleet.service(known)], check=False).stdout
    return (texts, yaml.safe_load(config) or {}, active) == (
        "".join(wanted.values()),
        _made_config(fleet, node),
        "active\n",
    )


def _config_files(fleet: Fleet) -> list[str]:
    return [fleet.config_dir + "/config.yaml", fleet.config_dir + _DROP_IN]


def _made_config(fleet: Fleet, node: str) -> dict[str, Any]:
    return real_k3s.settings(fleet, fleet.node(node)) if fleet.k3s == "real" else {}


def _systemctl(fleet: Fleet, node: str, *words: str) -> None:
    nodes.execute(fleet, node, ["systemctl", "--quiet", *words])
