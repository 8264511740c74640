#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a staged configuration into force on one node, or puts the node back as it was."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_rollout
short_description: Bring a staged registry configuration into force, node by node on proven health
version_added: 1.0.0
description:
  - Takes what M(k3sfleet.registries.k3s_registries) has staged on the node, puts it in place, restarts K3s without
    waiting for systemd, and waits under its own deadline until the node is proven healthy - containerd's CRI
    conditions, the kubelet, the API, the node Ready with a heartbeat or lease newer than the restart, the etcd vote
    if there is one.
  - Then compares what K3s generated with what it should have generated, and pulls the canary images.
  - If any of it fails, the node is rolled back - the previous files are put back, K3s is restarted once more and waited
    for - and the task fails with the reason and the log lines that show it.
  - Before a server restarts, that of a rollback included, every other server of its cluster is asked directly, with
    the server's admin credentials - its etcd member and its API. The restart has to leave a majority of etcd's voting
    members, each of them just seen well.
  - All of this is one remote call, which goes on to its end on the node when the controller dies. If a server has to
    wait for others, it is two.
  - Each host waits within its task until it is its turn. Only one server is in its commit at any time, and agents are
    never beside it, whatever the strategy, C(serial) or C(throttle) of the play.
  - Under the linear strategy, the order is that of the printed plan, with any number of forks. No host waits for one
    that Ansible has not begun yet.
  - Once more than O(max_failures) nodes of the run have failed, all others are left untouched and say so.
  - On a node that needs no restart it does nothing and makes no remote call.
  - Takes the cluster's Lease for granted; see M(k3sfleet.registries.k3s_rollout_lease). A run without it is refused.
notes:
  - In check mode it shows the plan of the rollout.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
attributes:
  diff_mode:
    details:
      - M(k3sfleet.registries.k3s_registries) shows what changes when it stages.
options:
  lease_holder:
    description: Names this run in the Lease. Set by the action plugin.
    type: str
    default: ""
  staged:
    description: The registered result of M(k3sfleet.registries.k3s_registries) on this node.
    type: dict
    default: {}
  embedded_mirror:
    description:
      - Where the cluster's servers have K3s' embedded registry, V("") if it is off. An agent is compared with it after
        its restart. Set by the action plugin, from what the servers of the same run have said; not set, an agent's own
        files tell.
    type: str
  live:
    description:
      - Whether the plan has this node without a restart. If a registry says otherwise by then, the task fails, and
        nothing has been changed. If you do not set it, the node decides, and restarts in doubt.
      - Set by the action plugin.
    type: bool
  stage:
    description:
      - Stage the node, as M(k3sfleet.registries.k3s_registries) does with its options of these names, and with its
        O(k3sfleet.registries.k3s_registries#module:stage) and O(k3sfleet.registries.k3s_registries#module:live).
        Then ask the registries whose credentials change whether that works without a restart.
      - Set by the action plugin of M(k3sfleet.registries.k3s_registries), which enters the answer in the plan.
    type: dict
    suboptions:
      state:
        description: Which state is staged.
        type: str
        choices: [present, absent, previous]
        default: present
      settle:
        description: Whether K3s restarts to read credentials that are in force without a restart.
        type: bool
        default: false
      adopt:
        description: Whether to take over a registries.yaml only if it is equal in effect.
        type: bool
        default: false
      rancher_managed:
        description: Whether a node that Rancher provisions is refused.
        type: str
        choices: [refuse, warn]
        default: refuse
      programs:
        description: Where the node has received programs that it lacked.
        type: dict
      snapshot:
        description: By which salt and digest the controller knows this configuration.
        type: str
      key:
        description: The key with which the node encrypts what it asks back.
        type: str
  rehearse:
    description:
      - Change nothing, and ask registries whether the node could still pull the images that it uses.
      - Set by the action plugin of M(k3sfleet.registries.k3s_registries).
    type: dict
    suboptions:
      images:
        description: More images that the node must be able to pull.
        type: list
        elements: str
        default: []
      allow:
        description: Images that may be lost, as names or patterns.
        type: list
        elements: str
        default: []
      seconds:
        description: The deadline for all questions together.
        type: float
        default: 60.0
  prepared:
    description: With O(rehearse) or O(stage), what the controller has prepared. Set by the same action plugin.
    type: str
  restart_timeout:
    description: Seconds to wait for a healthy node after a restart.
    type: int
    default: 300
  quorum_timeout:
    description:
      - Seconds for which a server that is about to restart waits for other servers that do not answer, V(0) or more.
      - When the time is over and a majority has not been seen well, the task fails with nothing done on this node.
      - The restart of a rollback waits for them within O(restart_timeout) instead.
      - With one or two voting members of etcd there is no majority to spare. The restart goes ahead if every other
        member is well, after a warning that the API is away for its time.
      - Without embedded etcd, one other server whose API is ready is enough; if there is none, there is a warning.
      - With O(force) nobody is asked.
    type: int
    default: 60
  announce:
    description:
      - When other servers would have to be waited for, end with nothing done and name them in RV(waiting_for).
      - Set by the action plugin, which tells the person at the terminal and calls again.
    type: bool
    default: false
  hanging:
    description:
      - The names of etcd members whose servers hang on the registries.yaml that this run is about to replace. Their
        API is no reason to wait while their etcd answers.
      - Set by the action plugin.
    type: list
    elements: str
    default: []
  on_failure:
    description: V(rollback) puts the node back as it was, V(keep) leaves the new configuration in place for inspection.
    type: str
    choices: [rollback, keep]
    default: rollback
  max_failures:
    description: How many nodes of the run may fail before the others are left untouched.
    type: int
    default: 0
  canary_images:
    description: Images that the node has to pull after its restart.
    type: list
    elements: str
    default: []
  canary_timeout:
    description: Seconds for one canary image.
    type: int
    default: 120
  agent_batch:
    description:
      - How many agents restart at once, a number or a percentage of the agents in the play such as V(25%).
      - Or several of them, as a list or as text such as V(1, 5, 10%), for batches that grow. The last is that of all
        further batches.
      - A batch that is followed by one of another size, or by O(batch_pause), ends before the next begins. Otherwise
        the next agent begins as soon as one has ended.
      - Ansible's forks are an upper limit, which the plan takes into account.
    type: raw
    default: "1"
  batch_pause:
    description: Seconds between the end of a batch of agents and the begin of the next, V(0) or more.
    type: int
    default: 0
  stop_after:
    description:
      - When no further node is begun - seconds from the first restart of the run, from V(1) to V(604800), or a time of
        day of the controller such as V(04:30). A time that is over when the run begins is that of the next day.
      - A node that has begun is finished. The task of each further one fails with RV(stopped). Empty for never.
    type: str
    default: ""
  makes_way:
    description:
      - Whether the task ends early, with RV(made_way), if the host would wait in a fork that another cluster of the
        play needs. If you set it, repeat the task on those hosts, as the role does.
    type: bool
    default: false
  cordon:
    description:
      - Cordon the node before its restart, and uncordon it when it is proven healthy, after a rollback too. Pods that
        run on it are not drained.
      - The node does it with its kubelet's credentials. The annotation C(k3sfleet.registries/cordoned-by) of its Node
        names the run. What somebody else has cordoned stays cordoned.
      - A change without a restart cordons nothing. Neither does a node whose containerd does not answer, since no pod
        can start on it.
      - If the node cannot be cordoned, the task fails with nothing changed. With O(force) it goes ahead, after a
        warning.
      - A node that is not healthy in the end stays cordoned, and a warning says so. The next run uncordons it, with any
        value of this option.
    type: bool
    default: false
  force:
    description: Continue although nodes were unhealthy before the rollout or another server is.
    type: bool
    default: false
seealso:
  - module: k3sfleet.registries.k3s_registries
  - module: k3sfleet.registries.k3s_rollout_lease
"""

EXAMPLES = r"""
# The role does all of this, and releases the Lease after a failure too.
- name: Stage
  k3sfleet.registries.k3s_registries:
    node_role: agent
    config: "{{ k3s_registries }}"
    stage: true
  become: true
  register: staged

- name: Take the cluster's Lease
  k3sfleet.registries.k3s_rollout_lease:
    node_role: server
  become: true
  delegate_to: server-1

- name: Roll out, two agents at a time
  k3sfleet.registries.k3s_rollout:
    node_role: agent
    staged: "{{ staged }}"
    agent_batch: "2"
    canary_images:
      - docker.io/rancher/mirrored-pause:3.6
  become: true

- name: Release the cluster's Lease
  k3sfleet.registries.k3s_rollout_lease:
    node_role: server
    state: released
  become: true
  delegate_to: server-1
"""

RETURN = r"""
made_way:
  description: Whether the host has not begun yet because another cluster of the play needed its fork. See O(makes_way).
  returned: always
  type: bool
restarted:
  description: Whether K3s was restarted.
  returned: always
  type: bool
live:
  description: Whether the change came into force without a restart.
  returned: always
  type: bool
rolled_back:
  description: Whether the node was put back as it was.
  returned: always
  type: bool
untouched:
  description: Whether the node was left as it was because the rollout had stopped.
  returned: always
  type: bool
stopped:
  description: Whether that was because the time of O(stop_after) was over.
  returned: always
  type: bool
cordoned:
  description:
    - Whether the node bore a cordon of this collection during its restart. V(false) if somebody else had cordoned it.
  returned: always
  type: bool
uncordoned:
  description:
    - Whether such a cordon, of this run or of an earlier one, was undone. If not, a warning says why the node stays
      cordoned.
  returned: always
  type: bool
step:
  description:
    - The last step that was reached - V(nothing_to_do), V(would_restart) in check mode, V(made_way), V(not_started),
      V(files_in_place), V(changed_live), V(restarted), V(reloaded) for a K3s that hung and read its files again by
      itself, V(healthy), V(loaded) as predicted, V(canary_pulled) or V(done).
    - V(waiting_for_servers) if the node uses the new files and is ready as soon as other servers are.
    - After a failure it can be V(not_restarted) if the old files are back but the cluster could not do without this
      server, V(rollback_failed), or V(unknown).
  returned: always
  type: str
  sample: done
seconds:
  description: How long it took.
  returned: always
  type: float
health:
  description: The evidence of the node's health, in words.
  returned: always
  type: str
  sample: containerd ready, kubelet ready, API ready, node Ready
canaries:
  description: The pulled canary images.
  returned: always
  type: list
  elements: dict
  contains:
    image:
      description: The image.
      type: str
    seconds:
      description: How long its pull took.
      type: float
differences:
  description: In what K3s' generated files differ from the prediction.
  returned: always
  type: list
  elements: str
diagnosis:
  description:
    - Why the canary image could not be pulled, read from containerd.log; empty when it could or the log does not say.
    - The keys are those of M(k3sfleet.registries.k3s_pull_diagnosis), without the evidence, which is in RV(log).
  returned: always
  type: dict
  sample:
    image: docker.io/rancher/mirrored-pause:3.6
    cause: not_found
    endpoint: https://registry.example.com:5000
    message: registry.example.com:5000 does not have the image.
    fix: Push the image to the mirror.
kept:
  description:
    - Where the registries.yaml from before the collection has been put when its kept copy was removed with all others,
      V("") otherwise. See M(k3sfleet.registries.k3s_registries).
  returned: always
  type: str
  sample: /etc/rancher/k3s/registries.yaml.before-k3sfleet
waiting_for:
  description: The servers for which this one would wait before its restart. Not empty with O(announce) only.
  returned: always
  type: list
  elements: str
  sample: ["server-2 (its etcd does not answer: no answer in time)"]
waited_for:
  description: The servers for which this one has waited before a restart, and what was missing.
  returned: always
  type: list
  elements: str
  sample: ["server-2 (its API is not ready)"]
log:
  description: On failure, the lines of the service's log or of containerd.log that show why, without secrets.
  returned: always
  type: list
  elements: str
"""

import signal
from dataclasses import fields
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import (
    Contradicted,
    confirmed,
    identify,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import ROLLOUT_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import DesiredProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory, NodeBusy
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import Unsafe
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem


# Each of the three loads much that the others do without, and imports it when it is called.
def main() -> None:
    module = AnsibleModule(argument_spec=ROLLOUT_ARGUMENTS, supports_check_mode=True)
    if module.params["stage"]:
        _stage(module)
    elif module.params["rehearse"] is not None:
        _rehearse(module)
    elif module.check_mode:
        module.exit_json(changed=bool(module.params["staged"].get("restart")))
    else:
        _commit(module)


def _commit(module: AnsibleModule) -> None:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node import placing
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Commit, Failure, Refused
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit_options import CommitOptions

    # A cut connection must not stop a commit half way: it goes on to its end, which is one of two good states.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parameters = module.params
    result: dict[str, Any] = {}
    try:
        node = identify(parameters)
        if node.unsure:
            raise Refused("%s changed since staging; run again" % " and ".join(node.unsure))
        commit = Commit(
            confirmed(node),
            CommitOptions(**{item.name: parameters[item.name] for item in fields(CommitOptions)}),
            tell=module.log,
        )
        result = commit.result
        try:
            commit.run()
        finally:
            for warning in result.pop("warnings"):
                module.warn(warning[:1].upper() + warning[1:])
    except (Contradicted, Failure, FileProblem, NodeBusy, Refused, ServiceProblem, Unsafe) as problem:
        module.fail_json(msg=str(problem), **result)
    if result.get("kept"):
        module.warn(placing.KEPT % result["kept"])
    module.exit_json(**result)


def _stage(module: AnsibleModule) -> None:
    """Stage the node, and try its new credentials in the same call if they are to do without a restart."""
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node import staging_call

    def doubts(node: Identity) -> dict[str, Any]:
        try:
            return {"doubts": _doubts(module, node)}
        except Exception as problem:  # noqa: BLE001 - the node is staged, and whatever goes wrong here is a doubt
            return {"doubts": ["the registries could not be asked: %s" % problem]}

    parameters = {**module.params, **module.params["stage"], "stage": True, "live": True}
    staging_call.answer(module, parameters, doubts)


def _rehearse(module: AnsibleModule) -> None:
    """Say which images the node could still pull."""
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import StageRefused

    try:
        found = _rehearsal(module, confirmed(identify(module.params)))
    except (Contradicted, DesiredProblem, FileProblem, ServiceProblem, StageRefused, Unsafe) as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, rehearsal=found)


def _doubts(module: AnsibleModule, node: Identity) -> list[str]:
    if node.unsure:
        return ["the node cannot read %s by itself" % " and ".join(node.unsure)]
    wanted = module.params["prepared"] or Memory(node.paths).candidate_text()
    if wanted is None:
        return ["in check mode, no registry is asked for an earlier state"]
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node import live_question

    return live_question.ask_for(node, wanted, module.params["canary_images"])


def _rehearsal(module: AnsibleModule, node: Identity) -> dict[str, Any]:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node import rehearsing
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import NOTHING, refusal

    wanted, prepared = module.params["rehearse"], module.params["prepared"]
    try:
        if node.unsure:
            raise rehearsing.NotRehearsed("the node cannot read %s by itself" % " and ".join(node.unsure))
        if not prepared:
            raise rehearsing.NotRehearsed("an earlier state cannot be rehearsed")
        found = rehearsing.rehearse_on(node, prepared, wanted["images"], wanted["allow"], wanted["seconds"])
    except rehearsing.NotRehearsed as problem:
        return {"problem": str(problem), "refusal": "", **NOTHING.as_dict()}
    return {"problem": "", "refusal": refusal(found), **found.as_dict()}


if __name__ == "__main__":
    main()
