# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`up` and `down`: from nothing to a fleet that answers, and back."""

from __future__ import annotations

import os
import secrets
import shutil

from tests.fleet import (
    containerd_source,
    contents,
    image,
    inventory,
    k3s_source,
    limits,
    nodes,
    podman,
    real_k3s,
    registry,
)
from tests.fleet.process import FleetError, say
from tests.fleet.state import FLEETS, REGISTRY_HOST, REGISTRY_PORT, Fleet, Node, Registry, check_name, load


def up(
    name: str,
    servers: int,
    agents: int,
    distribution: str,
    k3s: str,
    grace_seconds: int,
    init: str = "systemd",
    containerd: str = "",
    suite: str = image.SUITE,
) -> Fleet:
    """Make the fleet, or find it as it was asked for; returns when every node is Ready.

    :param containerd: the version that the stand-in runs, "" for Debian's; a real K3s has its own.
    :param suite: Debian's release on the nodes.
    """
    existing = _existing(check_name(name))
    if existing is not None:
        _check_same(existing, servers, agents, distribution, k3s, init, containerd, suite)
        return _resume(existing)
    limits.ensure(servers + agents)
    podman.remove(name)
    podman.refuse_what_others_have(name)
    shutil.rmtree(FLEETS / name, ignore_errors=True)
    source = k3s_source.choose(distribution, k3s)
    if containerd and source is None:
        containerd_source.ensure(containerd)
    tag = image.ensure(suite)
    fleet = _plan(name, servers, agents, distribution, grace_seconds)
    fleet.init, fleet.suite = init, suite
    fleet.k3s = "real" if source else "stand-in"
    fleet.containerd = "" if source else containerd
    say("The nodes run %s" % (source or "the stand-in for %s %s" % (distribution, fleet.release)))
    say("Fleet %s: %d servers, %d agents and a registry in %s" % (name, servers, agents, fleet.subnet))
    # It makes its hashes of passwords with a module that Python 3.13 no longer has.
    registry.create(fleet, image.ensure())
    nodes.create_all(fleet, tag, source)
    limits.share_processor()
    contents.fill(fleet)
    say("Registry %s answers and has %s" % (fleet.registry.url, ", ".join(contents.IMAGES)))
    fleet.registry.images = list(contents.IMAGES)
    inventory.write(fleet)
    nodes.wait_for_ssh(fleet)
    if source:
        real_k3s.start(fleet)
        fleet.release = real_k3s.running_release(fleet)
    nodes.wait_until_ready(fleet)
    fleet.save()
    say("Every node is Ready: " + ", ".join(node.name for node in fleet.nodes))
    return fleet


def _existing(name: str) -> Fleet | None:
    if not (FLEETS / name / "fleet.json").exists():
        return None
    fleet = load(name)
    wanted = {fleet.container(node.name) for node in fleet.nodes} | {fleet.container(registry.CONTAINER)}
    return fleet if wanted <= set(podman.containers(name)) else None


def _check_same(
    fleet: Fleet, servers: int, agents: int, distribution: str, k3s: str, init: str, containerd: str, suite: str
) -> None:
    asked = "stand-in" if k3s == "stand-in" else "real" if os.environ.get("K3S_BINARY") else fleet.k3s
    if asked != fleet.k3s:
        raise FleetError("fleet %s is there with a %s K3s, asked for is a %s one; `down %s` first" % (
            fleet.name, fleet.k3s, asked, fleet.name
        ))  # fmt: skip
    found = (len(fleet.servers), len(fleet.nodes) - len(fleet.servers), fleet.distribution, fleet.init)
    if found != (servers, agents, distribution, init):
        raise FleetError(
            "fleet %s is there with %d servers and %d agents of %s under %s; `down %s` first"
            % (fleet.name, *found, fleet.name)
        )
    if fleet.suite != suite:
        raise FleetError("fleet %s is there on Debian %s, asked for is %s; `down %s` first" % (
            fleet.name, fleet.suite, suite, fleet.name
        ))  # fmt: skip
    if fleet.k3s == "stand-in" and fleet.containerd != containerd:
        raise FleetError("fleet %s is there with containerd %s, asked for is %s; `down %s` first" % (
            fleet.name, fleet.containerd or "of Debian", containerd or "Debian's", fleet.name
        ))  # fmt: skip


def _resume(fleet: Fleet) -> Fleet:
    states = podman.containers(fleet.name)
    if any(state != "running" for state in states.values()):
        nodes.start_stopped(fleet, states)
        contents.fill(fleet, ())
        nodes.wait_for_ssh(fleet)
        nodes.wait_until_ready(fleet)
    say("Fleet %s is up: %d nodes and a registry" % (fleet.name, len(fleet.nodes)))
    return fleet


def _plan(name: str, servers: int, agents: int, distribution: str, grace_seconds: int) -> Fleet:
    subnet = podman.create_network(name)
    prefix = subnet.rpartition(".")[0]
    members = [Node("server-%d" % n, "server", "%s.%d" % (prefix, 10 + n)) for n in range(1, servers + 1)]
    members += [Node("agent-%d" % n, "agent", "%s.%d" % (prefix, 100 + n)) for n in range(1, agents + 1)]
    # Characters that YAML, TOML and shells would misread unquoted, and none that quoting changes.
    password = "pw-%s #%%x" % secrets.token_hex(12)
    place = Registry(REGISTRY_HOST, REGISTRY_PORT, prefix + ".2", "robot", password)
    return Fleet(
        name, distribution, "stand-in", k3s_source.release(distribution), subnet, secrets.token_hex(16), grace_seconds,
        place, members,
    )  # fmt: skip


def down(name: str) -> None:
    """Remove the fleet's containers, volumes, network and folder; nothing happens when there is none."""
    count = podman.remove(check_name(name))
    folder = FLEETS / name
    if folder.exists() or count:
        shutil.rmtree(folder, ignore_errors=True)
        say("Fleet %s is gone (%d containers)" % (name, count))


def down_all() -> None:
    names = set(podman.fleets())
    if FLEETS.is_dir():
        names |= {folder.name for folder in FLEETS.iterdir() if folder.is_dir()}
    for name in sorted(names):
        down(name)
