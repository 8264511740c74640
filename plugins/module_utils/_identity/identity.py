# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is: found on the node, and used by all that changes it as by all that reports on it.

The inventory and the variables are wishes. A value that nobody set says nothing, and is taken from the node; one that
was set is held against the node, and a contradiction stops before anything is written.
"""

from __future__ import annotations

import os
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import (
    PROVIDER_BIN_DIR,
    PROVIDER_CONFIG,
    NodePaths,
    node_paths,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import (
    ABSENT,
    ServiceState,
)

from .config_files import ConfigFile, main_config_file, read_config_files
from .contradictions import Contradiction
from .settings import Settings
from .units import RANCHER, Unit, find_units

NEITHER = "neither"
"""The role that the inventory gives to a host which is in neither of the cluster's groups."""


class Stated(NamedTuple):
    """What was set. "" is no statement; ``role`` may be :data:`NEITHER`."""

    distribution: str = ""
    role: str = ""
    service: str = ""
    config_dir: str = ""
    data_dir: str = ""
    cert_dir: str = ""
    registries_file: str = ""


class Identity(NamedTuple):
    """What the node is.

    ``state``: ``not_installed`` (neither a program nor a service), ``not_set_up`` (a program without a service, or a
    service that was never enabled nor started), ``stopped`` (this includes a service that has failed) or ``running``.
    ``unit`` is the service that counts, None without one. ``unsure`` names the configuration files that only a YAML
    parser can read: until the controller has done that, the rest is not certain.

    ``rancher`` says by what it is seen that Rancher provisions this node, and writes its registries.yaml; None if it
    does not. It is no contradiction, since what only looks or removes may go on.
    """

    paths: NodePaths
    state: str
    unit: Unit | None
    service: ServiceState
    settings: Settings
    config_files: tuple[ConfigFile, ...]
    contradictions: tuple[Contradiction, ...]
    rancher: Contradiction | None = None

    @property
    def unsure(self) -> list[str]:
        return [item.path for item in self.config_files if item.entries is None]

    @property
    def alive(self) -> bool:
        """Whether K3s runs or is being started."""
        return self.service.alive


def find(stated: Stated, root: str = "/", read: Mapping[str, Any] | None = None) -> Identity:
    """Find out what this node is.

    :param read: what the controller has read from configuration files that the node could not: see
        :func:`config_files.read_config_files`.
    :raises Unsafe: for a path that must not be used.
    :raises ServiceProblem: if the init system does not answer.
    """
    units, rancher = find_units(root)
    unit, ambiguous = _the_one(units, stated)
    distribution = unit.distribution if unit else stated.distribution or "k3s"
    role = unit.role if unit else stated.role if stated.role in ("server", "agent") else "agent"
    command = unit.command if unit else ()
    environment = unit.environment if unit else ()
    config_dir = os.path.join(root, "etc/rancher", distribution)
    main = main_config_file(distribution, command, environment, config_dir if unit else stated.config_dir or config_dir)
    config_files = read_config_files(main, lambda: read or _remembered(stated.config_dir or config_dir))
    settings = Settings(
        distribution, command, environment, [(item.path, item.entries) for item in config_files if item.entries]
    )
    # A service in use has K3s' defaults unless it was told something else. Until then, what was set is for later.
    in_use = unit is not None and (unit.state.alive or unit.enabled)
    data_dir, registries_yaml = os.path.join(root, "var/lib/rancher", distribution), config_dir + "/registries.yaml"
    if not in_use:
        data_dir, registries_yaml = stated.data_dir or data_dir, stated.registries_file
    paths = node_paths(
        distribution=distribution,
        node_role=role,
        service=unit.service if unit else stated.service,
        config_dir=stated.config_dir or config_dir,
        data_dir=_absolute(settings.value("data-dir")) or data_dir,
        cert_dir=stated.cert_dir,
        registries_yaml=_absolute(settings.value("private-registry")) or registries_yaml,
        config_file=main,
        kubeconfig=_absolute(settings.value("write-kubeconfig")),
        provider_config=_absolute(settings.value("image-credential-provider-config"))
        or os.path.join(root, PROVIDER_CONFIG.lstrip("/")),
        provider_bin_dir=_absolute(settings.value("image-credential-provider-bin-dir"))
        or os.path.join(root, PROVIDER_BIN_DIR.lstrip("/")),
    )
    found = list(ambiguous)
    if unit is not None and in_use and not ambiguous:
        found.extend(_contradictions(stated, unit, paths, settings))
    if not found and not (unit and unit.state.alive):
        found.extend(_running_without_service(root))
    return Identity(
        paths=paths,
        state=_state(unit, paths),
        unit=unit,
        service=unit.state if unit else ABSENT,
        settings=settings,
        config_files=tuple(config_files),
        contradictions=tuple(found),
        rancher=_rancher(rancher, config_files, paths),
    )


def _rancher(agent: str, config_files: Sequence[ConfigFile], paths: NodePaths) -> Contradiction | None:
    """Rancher's agent is on nodes of imported clusters too, and its drop-in stays on nodes that have left Rancher: only
    both together mean that it writes this node's files."""
    drop_in = [item.path for item in config_files if os.path.basename(item.path) == "50-rancher.yaml"]
    if not (agent and drop_in):
        return None
    return Contradiction("rancher", paths.registries_yaml, "%s.service %s" % (RANCHER, agent), drop_in[0])


def _running_without_service(root: str) -> list[Contradiction]:
    # Imported here: on hardly any node is there anything to look for.
    from . import processes

    return processes.running_without_service(root)


def _remembered(config_dir: str) -> Mapping[str, Any]:
    """What an earlier run's controller has read."""
    # Imported here: hardly any node needs it.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory

    return Memory(node_paths(config_dir=config_dir)).settings_read()


def _the_one(units: Sequence[Unit], stated: Stated) -> tuple[Unit | None, list[Contradiction]]:
    """The service that counts: the one that runs, else the one that is enabled, else the only one that was meant."""
    for fitting in ([unit for unit in units if unit.state.alive], [unit for unit in units if unit.enabled]):
        if len(fitting) == 1:
            return fitting[0], []
        if fitting:
            return _named(fitting, stated)
    # None of them was ever enabled or started. What was set may mean one of them, and does not contradict the others.
    meant = [
        unit
        for unit in units
        if stated.distribution in ("", unit.distribution)
        and stated.role in ("", unit.role)
        and stated.service in ("", unit.service)
    ]
    if len(meant) > 1:
        return _named(meant, stated)
    return (meant[0], []) if meant else (None, [])


def _named(units: Sequence[Unit], stated: Stated) -> tuple[Unit | None, list[Contradiction]]:
    named = [unit for unit in units if unit.service == stated.service]
    if len(named) == 1 and sum(unit.state.alive for unit in units) < 2:
        return named[0], []
    names = ", ".join(unit.name for unit in units)
    return units[0], [Contradiction("units", stated.service, names, names)]


def _contradictions(stated: Stated, unit: Unit, paths: NodePaths, settings: Settings) -> list[Contradiction]:
    found = []
    if stated.role == NEITHER:
        found.append(Contradiction("group", "", unit.role, unit.name))
    elif stated.role and stated.role != unit.role:
        found.append(Contradiction("role", stated.role, unit.role, unit.name))
    if stated.distribution and stated.distribution != unit.distribution:
        # Everything below follows from it.
        return [*found, Contradiction("distribution", stated.distribution, unit.distribution, unit.name)]
    if stated.service and stated.service != unit.service:
        found.append(Contradiction("service", stated.service, unit.service, unit.name))
    for what, given, used, key in (
        ("data_dir", stated.data_dir, paths.data_dir, "data-dir"),
        ("registries_file", stated.registries_file, paths.registries_yaml, "private-registry"),
    ):
        if given and os.path.realpath(given) != os.path.realpath(used):
            found.append(Contradiction(what, given, used, settings.source(key) or "the default"))
    return found


def _state(unit: Unit | None, paths: NodePaths) -> str:
    if unit is None:
        return "not_set_up" if os.path.exists(paths.binary) else "not_installed"
    if unit.state.alive:
        return "running"
    # What K3s generates at every start tells whether there has been one.
    if unit.enabled or unit.state.state == "failed" or os.path.exists(paths.containerd_config):
        return "stopped"
    return "not_set_up"


def _absolute(value: Any) -> str:
    """A path that K3s is given, "" for none and for one that depends on the folder in which K3s was started."""
    text = str(value or "")
    return text if os.path.isabs(text) and os.path.normpath(text) != "/" else ""
