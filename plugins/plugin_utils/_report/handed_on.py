# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run hands on with set_stats: AWX shows it as a job's artifacts, and gives it to the next job of a workflow."""

from __future__ import annotations

import json
from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import outcome
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.outcomes import outcomes

#: Bytes of JSON that a document has at most to be handed on.
LARGEST = 1 << 20
#: The variables that are handed on.
NAMES = {
    "rollout": "k3s_registries_rollout_result",
    "verify": "k3s_registries_verify_result",
    "diagnose": "k3s_registries_diagnose_result",
}
_JOB = ("awx_job_id", "tower_job_id")


def in_awx(task_vars: Mapping[str, Any]) -> bool:
    """Whether the run is a job of AWX, which deletes the files that a job writes. Elsewhere, there are the files."""
    return any(name in task_vars for name in _JOB)


def stats(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """As the result of ansible.builtin.set_stats has it, without a task of its own.

    :param name: one of :data:`NAMES`.
    """
    return {"data": {NAMES[name]: data}, "per_host": False, "aggregate": False}


def of_rollouts(ledger: Ledger, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """:func:`of_hosts` of the rollouts over all clusters of this run.

    :param ledger: of any of them.
    """
    left = set(plain(task_vars.get("ansible_play_hosts") or []))
    return of_hosts(outcomes(ledger.all(), plain(task_vars.get("ansible_play_hosts_all") or []), left))


def of_hosts(outcomes: Mapping[str, str]) -> dict[str, Any]:
    """``{outcome, nodes, hosts}``: the worst outcome, how many hosts have which, and their names.

    :param outcomes: hosts to outcomes.
    """
    hosts = outcome.by_outcome(outcomes)
    return {
        "outcome": outcome.of_all(outcomes.values()),
        "nodes": {word: len(names) for word, names in hosts.items()},
        "hosts": hosts,
    }


def of_document(document: Mapping[str, Any], file_variable: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """:func:`of_hosts` of a document; in AWX with ``document``, and ``document_left_out`` if it is too large for that.

    :param file_variable: the variable that names a file for it.
    """
    found = of_hosts({name: host["outcome"] for name, host in document["hosts"].items()})
    if not in_awx(task_vars):
        return found
    size = len(json.dumps(document).encode("utf-8"))
    if size <= LARGEST:
        return {**found, "document": document, "document_left_out": ""}
    left_out = (
        "the document has %.1f MiB, and more than %d MiB are not handed on. Name a file that survives the job in %s"
        % (size / (1 << 20), LARGEST >> 20, file_variable)
    )
    return {**found, "document": None, "document_left_out": left_out}
