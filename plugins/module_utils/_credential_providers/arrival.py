# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node asks its controller back before it can have its providers."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

from . import programs, staging


def question(
    paths: NodePaths, desired: Desired, *, arrived: Mapping[str, str], adopt: bool, check_mode: bool, key: str
) -> dict[str, Any]:
    """Keep the programs that have arrived, and say what is lacking; {} if nothing is.

    :param arrived: where on this node the controller has put programs, by their checksums.
    :param key: seals what only the controller may read: a configuration may hold secrets.
    :raises FileProblem: when a program cannot be kept.
    :raises NodeBusy: when another run is changing this node.
    """
    foreign = staging.foreign(paths, desired) if adopt else None
    if foreign is not None:
        # Imported here: hardly any node needs it.
        from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import seal

        text = foreign.decode("utf-8", "surrogateescape")
        return {"foreign_providers": seal({"path": paths.provider_config, "text": text}, key)}
    wanted = desired.at(paths).on_node if desired.providers else ()
    if check_mode or not any(provider.sha256 for provider in wanted):
        return {}
    bin_dir = paths.provider_bin_dir
    if not programs.missing(bin_dir, wanted):
        return {}
    with Memory(paths).locked():
        programs.take_over(bin_dir, wanted)
        for sha256 in programs.missing(bin_dir, wanted):
            if sha256 in arrived:
                with files.reported("read", arrived[sha256]), open(arrived[sha256], "rb") as source:
                    programs.keep(bin_dir, sha256, source)
        lacking = programs.missing(bin_dir, wanted)
    return {"lacks_programs": lacking} if lacking else {}
