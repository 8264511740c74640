# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential store as a part of what a node is to have: one more file, one more credential provider.

From here on nothing about them is special. They are compared, staged, put in place, kept in generations, rolled back
and removed like the files and providers that the inventory names.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Callable, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import programs
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import (
    ANY_ARCHITECTURE,
    Declared,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import installed_release
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired, DesiredFile
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generated import read_generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import StageRefused

from . import interpreter
from .handed_over import HandedOver, handed_over
from .provider_program import NAME
from .staging import planned
from .store import MODE, Store


class WithStore(NamedTuple):
    """``desired`` has the store in it. ``warnings``: which credentials it does not hold, and why."""

    desired: Desired
    warnings: tuple[str, ...] = ()


def with_store(
    node: Identity, desired: Desired, *, check_mode: bool, find: Callable[[], str] = interpreter.find
) -> WithStore:
    """The wanted state with the store that it asks for, proven anew for this node. One that asks for none is returned
    as it is.

    :param check_mode: keep nothing on the node, not even the program that nobody starts yet.
    :param find: finds the interpreter of the program.
    :raises StageRefused: if the kubelet hands out credentials that this state would bring to others, or the node has no
        interpreter for the program.
    :raises FileProblem: if the node's files cannot be read, or the program cannot be kept.
    :raises NodeBusy: if another run is changing this node.
    """
    if not desired.settings.get("credential_store"):
        return WithStore(desired)
    paths = node.paths
    desired = _without(paths, desired).at(paths)
    release = installed_release.installed(paths, keep=False) if node.state != "not_installed" else ""
    plan = planned(node, desired, release, read_generated(paths))
    if plan.refusals:
        raise StageRefused("; ".join(plan.refusals))
    warnings = tuple("%(path)s: %(message)s. %(fix)s" % finding for finding in plan.findings)
    registries = plan.store.registries
    try:
        handed = handed_over(find(), paths.credential_store, registries) if registries else None
    except interpreter.NoInterpreter as problem:
        raise StageRefused(str(problem)) from None
    if handed is None:
        return WithStore(desired, warnings)
    if not check_mode:
        _keep(paths, handed)
    return WithStore(_with(paths, desired, plan.store, handed), warnings)


def _without(paths: NodePaths, desired: Desired) -> Desired:
    """The state without a store: an earlier one, which the node has kept, comes with the store that it had."""
    return replace(
        desired,
        shipped=tuple(item for item in desired.shipped if item.path != paths.credential_store),
        providers=tuple(item for item in desired.providers if item.provider.name != NAME),
    )


def _with(paths: NodePaths, desired: Desired, store: Store, handed: HandedOver) -> Desired:
    provider = handed.provider
    declared = Declared(provider._replace(sha256=""), {ANY_ARCHITECTURE: provider.sha256})
    return replace(
        desired,
        shipped=(*desired.shipped, DesiredFile(paths.credential_store, store.content(), MODE)),
        providers=(*desired.providers, declared),
    ).at(paths)


def _keep(paths: NodePaths, handed: HandedOver) -> None:
    provider = handed.provider
    if programs.missing(paths.provider_bin_dir, [provider]):
        with Memory(paths).locked():
            programs.keep(paths.provider_bin_dir, provider.sha256, io.BytesIO(handed.program))
