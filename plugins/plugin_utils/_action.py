# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's action plugins share: arguments checked on the controller, plain values, the run's ledger."""

from __future__ import annotations

from typing import Any, Mapping

from ansible import constants as C
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger


def plain(value: Any) -> Any:
    """``value`` as plain Python types: without Ansible's tags, unsafe strings and lazy containers."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str):
        # str() of a subclass may return the subclass; joining makes a new, plain one.
        return "".join([str.__str__(value)])
    return value


def ledger_of(arguments: Mapping[str, Any]) -> Ledger:
    """The ledger of the cluster that the task works on, shared by all processes of this run."""
    return Ledger(str(C.DEFAULT_LOCAL_TMP), str(arguments.get("cluster") or "default"))
