#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes, renews or releases the cluster's Lease, through one of its servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_rollout_lease
short_description: Hold or release the Lease that keeps two rollouts from working on one cluster
version_added: 1.0.0
description:
  - A Lease in the cluster's API, C(kube-system/k3sfleet-registries-rollout), says which run may restart nodes.
    M(k3sfleet.registries.k3s_rollout) refuses to work for a run that does not hold it.
  - While the run lives, a process on the controller renews the Lease every 15 seconds. If the run dies, that process
    releases it. If that process dies too, the Lease expires after 60 seconds and the next run takes it over.
  - Every host of a play may run this task. The first one of each cluster takes the Lease for all of them.
notes:
  - Run it on a server of the cluster, or delegate it to one, as root.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
options:
  state:
    description:
      - V(held) takes the Lease and renews it until it is released or the run ends. If another run holds it and is
        alive, the task fails and says who holds it and since when.
      - If this server cannot provide the Lease and the cluster has other servers, the task succeeds and returns
        V(elsewhere) in RV(lease). Run the task again through the next server.
      - V(released) releases it once every node of the cluster in this run has ended its commit.
    type: str
    choices: [held, released]
    default: held
  holder:
    description: The name of this run in the Lease. Set by the action plugin.
    type: str
    default: ""
  renew_only:
    description:
      - Whether to renew the Lease only if this run has it, and otherwise to leave it as it is, with V(not_held) in
        RV(lease).
      - Set by the action plugin for its renewals.
    type: bool
    default: false
  pull_secrets:
    description:
      - Whether to ask for the pods and service accounts that bring credentials of their own.
      - Set by the action plugin if credentials change without a restart.
    type: bool
    default: false
  max_failures:
    description: If more nodes than this have failed already, the Lease is not taken, since no node will begin.
    type: int
    default: 0
  force:
    description: Go on without the Lease if it cannot be taken.
    type: bool
    default: false
seealso:
  - module: k3sfleet.registries.k3s_rollout
"""

EXAMPLES = r"""
- name: Take the cluster's rollout lease
  k3sfleet.registries.k3s_rollout_lease:
    node_role: server
  become: true
  delegate_to: server-1

- name: Release the cluster's rollout lease
  k3sfleet.registries.k3s_rollout_lease:
    node_role: server
    state: released
  become: true
  delegate_to: server-1
"""

RETURN = r"""
lease:
  description:
    - What happened to the Lease.
    - With O(state=held) - V(taken), V(renewed), V(taken_over) from a run that died, V(held) by this run already,
      V(not_held) if the run goes on without it, V(elsewhere) if another server has to be asked, V(held_by_another),
      V(unavailable), or V(would_be_taken) in check mode.
    - With O(state=released) - V(released), V(not_held), V(kept) as long as other nodes of this run are still to come,
      V(left_to_server) if a server that the run lost is still in its commit, or V(unavailable).
  returned: always
  type: str
  sample: taken
server:
  description: The server through which the run holds the Lease, V("") if it does not.
  returned: always
  type: str
  sample: server-1
previous:
  description: The dead run from which the Lease was taken over, V("") otherwise.
  returned: always
  type: str
renewed:
  description: When the other run that holds the Lease last renewed it, V("") if no other run does.
  returned: always
  type: str
  sample: "2026-01-01T03:00:15.000000Z"
expires_in:
  description: Seconds until the other run, or the server that is still in its commit, no longer holds the Lease.
  returned: always
  type: int
  sample: 42
waits_for:
  description: With V(kept) in RV(lease), the hosts that are still to come.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import (
    Contradicted,
    identify,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import lease
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import LEASE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import Unsafe


def main() -> None:
    module = AnsibleModule(argument_spec=LEASE_ARGUMENTS, supports_check_mode=True)
    result: dict[str, Any] = {"changed": False, "renewed": "", "expires_in": 0, "previous": ""}
    if module.check_mode:
        result.update(_pull_secrets(module))
        module.exit_json(lease=lease.NOT_HELD, **result)
    holder = lease.Holder(module.params["holder"], lease.RENEWED_FOR)
    try:
        paths = identify(module.params).paths
        if module.params["state"] == "released":
            outcome = lease.release(paths, holder)
        else:
            outcome = lease.take(paths, holder, anew=not module.params["renew_only"])
    except lease.LeaseHeld as held:
        result.update(renewed=held.renewed, expires_in=held.expires_in)
        module.fail_json(msg=str(held), lease=lease.HELD_BY_ANOTHER, **result)
    except (lease.LeaseUnavailable, Contradicted, Unsafe) as problem:
        module.fail_json(msg=str(problem), lease=lease.UNAVAILABLE, **result)
    result.update(outcome._asdict(), **_pull_secrets(module))
    module.exit_json(**result)


def _pull_secrets(module: AnsibleModule) -> dict[str, Any]:
    """Who brings credentials of their own, for the action plugin alone, if it asks."""
    if not module.params["pull_secrets"]:
        return {}
    # Imported here: it is for changes of credentials without a restart only.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials import pull_secrets

    try:
        found = pull_secrets.asked(identify(module.params).paths)
    except (pull_secrets.Unavailable, Contradicted, Unsafe) as problem:
        return {"pull_secrets": {"error": str(problem), "found": []}}
    listed = [dict(item._asdict(), registries=list(item.registries)) for item in found]
    return {"pull_secrets": {"error": "", "found": listed}}


if __name__ == "__main__":
    main()
