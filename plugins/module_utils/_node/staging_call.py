# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The call that stages a node, from the arguments of k3s_registries to its answer.

k3s_rollout makes it too, where registries are asked about new credentials in the same call.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.arrival import question
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.contradictions import (
    RANCHER_WARNED,
    Contradiction,
    rancher,
    sentence,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import (
    Contradicted,
    confirmed,
    identify,
    unsure_answer,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import NEITHER, Identity

from . import expectation, placing
from .desired import Desired, DesiredProblem, from_text
from .files import FileProblem
from .generations import GenerationDamaged
from .memory import Memory, NodeBusy
from .paths import Unsafe
from .service import ServiceProblem
from .stage import StageRefused, previous_state, stage

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_PROBLEMS = (DesiredProblem, FileProblem, GenerationDamaged, NodeBusy, ServiceProblem, StageRefused, Unsafe)

#: What is to be known besides, of a node whose credentials are to change without a restart; it goes into the answer.
More = Callable[[Identity], Mapping[str, Any]]


def answer(module: AnsibleModule, parameters: Mapping[str, Any], ask: More | None = None) -> None:
    """Stage the node, and end the module with its answer, which RETURN of k3s_registries describes.

    :param parameters: the arguments, as ``STAGE_ARGUMENTS`` has them.
    """
    previous = parameters["state"] == "previous"
    if not previous and not parameters["prepared"]:
        module.fail_json(
            msg="the configuration was not prepared on the controller: call k3sfleet.registries.k3s_registries as a "
            "task, so that its action plugin prepares it"
        )
    try:
        node = identify(parameters)
        if node.unsure and not parameters["settings_read"]:
            module.exit_json(changed=False, **unsure_answer(node, parameters["key"]))
        confirmed(node)
        warned = [] if node.rancher is None else _of_rancher(module, node.rancher, parameters)
        if parameters["node_role"] == NEITHER:
            module.exit_json(left_alone=True, **_nothing_to_do(node, []))
        desired: Desired | None = (
            previous_state(node.paths, parameters["live"], parameters["settle"])
            if previous
            else from_text(parameters["prepared"])
        )
        if desired is None:
            module.exit_json(left_alone=False, **_nothing_to_do(node, ["no earlier state is kept on this node"]))
            return
        desired, warnings = expectation.with_store(node, desired, check_mode=module.check_mode)
        asks_back = {} if previous else question(
            node.paths, desired, arrived=parameters["programs"] or {}, adopt=parameters["adopt"],
            check_mode=module.check_mode, key=parameters["key"] or "",
        )  # fmt: skip
        if asks_back:
            module.exit_json(changed=False, **asks_back)
        result = stage(
            node,
            desired,
            in_place=not parameters["stage"],
            check_mode=module.check_mode,
            adopt=parameters["adopt"],
        )
        _remember_settings(node, parameters["settings_read"], check_mode=module.check_mode)
        said = [*warned, *result.pop("warnings", []), *warnings]
        if not module.check_mode:
            _keep_snapshot(parameters, node, desired, dict(result, warnings=said, left_alone=False))
    except Contradicted as problem:
        module.fail_json(msg=str(problem), contradictions=problem.contradictions)
    except _PROBLEMS as problem:
        module.fail_json(msg=str(problem))
    for warning in said:
        module.warn(warning)
    if result.get("kept"):
        module.warn(placing.KEPT % result["kept"])
    if ask is not None and result["live"] and result["reach"]:
        result.update(ask(node))
    module.exit_json(left_alone=False, **result)


def _of_rancher(module: AnsibleModule, seen: Contradiction, parameters: Mapping[str, Any]) -> list[str]:
    """What to warn of on a node whose files Rancher writes; what would put files there ends here."""
    if parameters["state"] != "absent" and parameters["rancher_managed"] == "refuse":
        module.fail_json(msg=sentence(seen._asdict()), contradictions=[seen._asdict()])
    return ["%s. %s" % (rancher(seen._asdict()), RANCHER_WARNED)]


def _nothing_to_do(node: Identity, reasons: list[str]) -> dict[str, Any]:
    """The result for a node on which nothing is looked at any further."""
    return {
        "changed": False, "restart": False, "live": False, "reasons": reasons, "reach": {}, "files": [],
        "node_role": node.paths.node_role, "node_state": node.state, "service": node.paths.service,
        "service_state": node.service.state, "embedded_mirror": None, "release": "", "node_name": "",
        "architecture": "", "foreign": False, "registries": [], "generation": 0, "health": {}, "kept": "",
    }  # fmt: skip


def _keep_snapshot(parameters: Mapping[str, Any], node: Identity, desired: Desired, result: dict[str, Any]) -> None:
    """Let the next run see by one command that nothing has changed, if the node has everything."""
    name = parameters["snapshot"]
    wanted = name and parameters["stage"] and not parameters["settings_read"]
    if not wanted or result["changed"] or result["restart"]:
        return
    # Imported here: a node on which something changes has no use for it.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.keeping import Staged, keep

    def again() -> Staged:
        node = confirmed(identify(parameters))
        desired = from_text(parameters["prepared"])
        result = stage(node, desired, in_place=False, check_mode=True, adopt=parameters["adopt"])
        return Staged(node, desired.at(node.paths), dict(result, left_alone=False))

    # The node is as wanted, with or without a snapshot.
    with contextlib.suppress(Contradicted, *_PROBLEMS):
        keep(name, Staged(node, desired.at(node.paths), result), again)


def _remember_settings(node: Identity, read: Mapping[str, Any] | None, check_mode: bool) -> None:
    """Keep what the controller has read, for the commit and for the runs to come."""
    memory = Memory(node.paths)
    if read and not check_mode and os.path.isdir(node.paths.state_dir) and memory.settings_read() != read:
        memory.write_settings_read(dict(read))
