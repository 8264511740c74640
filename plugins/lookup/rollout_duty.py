# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host of a rollout has to do: when its turn comes, and whether it takes and releases its cluster's Lease."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_duty
short_description: "Internal to the role k3s_registries: a host's turn, who rehearses, and who takes the Lease"
version_added: 1.0.0
description:
  - Internal. The tasks of the role C(k3s_registries) use it; its name and its result may change.
  - If many hosts ask for the Lease, it gives the duty to one of each cluster. The others then need no task for it.
author:
  - the k3sfleet.registries authors (@k3sfleet)
options:
  _terms:
    description: V(phase), V(rehearse), V(take), V(release) or V(nothing).
    type: list
    elements: str
    required: true
  cluster:
    description: The names of the cluster's groups, as C(SERVER_GROUP/AGENT_GROUP). Only V(nothing) needs none.
    type: str
  mode:
    description: For V(rehearse), which nodes do.
    type: str
    choices: [never, canary, all]
    default: never
"""

EXAMPLES = r"""
- name: The server through which this host releases the Lease, or an empty text
  ansible.builtin.debug:
    msg: "{{ lookup('k3sfleet.registries.rollout_duty', 'release', cluster='server/agent') }}"
"""

RETURN = r"""
_raw:
  description:
    - For V(phase), the part of the rollout in which this host takes its turn - V(canary), V(hanging), V(live),
      V(servers) or V(agents). Each needs a task of its own, so that Ansible begins no host before those of the phases
      before it.
    - For V(rehearse), whether this host has to ask registries, before anything is touched.
    - For V(nothing), whether no host of the play has anything to do after staging. Ansible asks this once, in its own
      process, and needs no other for each host then.
    - For V(take), whether this host has to. For V(release), the server to do it through, or an empty text.
  type: list
  elements: raw
"""

from typing import Any

from ansible import constants as C
from ansible.plugins.lookup import LookupBase
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import ledger_of, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import lease_duty, plan, rehearsal
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Run


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        if terms[0] == "nothing":
            return [self._nothing(variables)]
        host = str(variables["inventory_hostname"])
        ledger = ledger_of({"cluster": self.get_option("cluster")})
        if terms[0] == "phase":
            return [plan.phase(ledger.read(), host)]
        with ledger.opened() as run:
            if terms[0] == "rehearse":
                return [self._rehearses(run, host, variables)]
            return [lease_duty.join(run, host) if terms[0] == "take" else lease_duty.leave(run, host)]

    @staticmethod
    def _nothing(variables: Any) -> bool:
        # A host that is lost has left the play, and what has come of it is still to be handed on.
        lost = len(variables["ansible_play_hosts"]) < len(variables["ansible_play_hosts_all"])
        return not lost and not Ledger.goes_on(str(C.DEFAULT_LOCAL_TMP))

    def _rehearses(self, run: Run, host: str, variables: Any) -> bool:
        mode = self.get_option("mode")
        if not run.in_order:
            # The task itself decides: a host that is only on its way to it holds up no other.
            return mode != rehearsal.NEVER and bool(rehearsal.candidates(run, [host]))
        rehearsal.choose(run, mode, plain(variables.get("ansible_play_batch") or []), host)
        return host in rehearsal.pending(run)
