# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pull that was just tried on this node failed, from containerd's own log."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.loaded_secrets import loaded_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.log_files import (
    find_log_files,
    read_log_file,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader

# containerd stamps its lines with its own clock reading; a pull's first line may carry the second it was asked in.
_CLOCKS_DIFFER = 1.0


def explain(paths: NodePaths, image: str, since: float, shape: Mapping[str, Any]) -> dict[str, Any]:
    """The diagnosis of ``image``'s pull, as ``diagnose_pulls`` gives it; {} when the log says nothing about it.

    :param since: when the pull was asked for, seconds since 1970.
    :param shape: the node's registries configuration, its secrets hidden.
    """
    secrets = loaded_secrets(paths.containerd_config)
    reader = PullReader(dict(shape), [image], since - _CLOCKS_DIFFER, secrets=secrets)
    try:
        for path in find_log_files(paths.containerd_log, since):
            reader.read(read_log_file(path))
    except OSError:
        # The explanation is a help, not a step of the rollout.
        return {}
    found = reader.diagnoses()
    return dict(found[-1]) if found else {}
