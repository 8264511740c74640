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
  - When any of it fails, the previous files are put back, K3s is restarted once more and waited for, and the task fails
    with the reason and the log lines that show it.
  - Before a server restarts, that of a rollback included, every other server of its cluster is asked directly, with
    the server's admin credentials - its etcd member and its API. The restart has to leave a majority of etcd's voting
    members, each of them just seen well.
  - All of this is one remote call, which goes on to its end on the node when the controller dies. If a server has to
    wait for others, it is two.
  - Each host waits within its task until it is its turn. Only one server is in its commit at any time, and agents are
    never beside it, whatever the strategy, C(serial) or C(throttle) of the play.
  - Under the linear strategy, the order is that of the printed plan, with any number of forks. No host waits for one
    that Ansible has not begun yet.
  - Once more than O(max_failures) nodes of the run have failed, the rest is left untouched, and says so.
  - Does nothing, and makes no remote call, on a node that needs no restart.
notes:
  - In check mode it shows the plan of the rollout.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
attributes:
  async:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - M(k3sfleet.registries.k3s_registries) shows what changes when it stages.
  action:
    support: full
  platform:
    support: full
    platforms: posix
options:
  operation:
    description:
      - V(commit) brings the staged state of this node into force.
      - V(commit) is refused to a run that does not have the Lease of the node's cluster.
      - V(hold) takes the cluster's Lease C(kube-system/k3sfleet-registries-rollout) through this server and renews it
        until the run ends, so that two runs never restart nodes of one cluster at the same time. When another run has
        it, the task fails and says who, since when. Every host of a play may ask; the first of its cluster takes it.
      - When it cannot be taken through this server, and the cluster has others that have not been asked yet, the task
        succeeds with V(elsewhere) in RV(lease). Ask through the next one then.
      - V(release) gives it back once every node of the cluster in this run has ended its commit.
    type: str
    choices: [commit, hold, release]
    default: commit
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
    description: How many nodes of the run may fail before the rest is left untouched.
    type: int
    default: 0
  canary_images:
    description: Images that have to be pulled on the node after its restart.
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
      - Ansible's forks are an upper limit, which the plan takes into account.
    type: str
    default: "1"
  canary_hosts:
    description: With O(operation=hold), the hosts that go first, one at a time.
    type: list
    elements: str
    default: []
  makes_way:
    description:
      - With O(operation=commit), whether the task ends early, with RV(made_way), if the host would wait in a fork that
        another cluster of the play needs. Whoever sets it has to repeat the task on those hosts, as the role does.
    type: bool
    default: false
  force:
    description: Continue although nodes were unhealthy before the rollout or another server is.
    type: bool
    default: false
  cluster:
    description: Tells this cluster from others that the same run works on. The role sets it.
    type: str
    default: ""
"""

EXAMPLES = r"""
# The role does all of this, and gives the Lease back after a failure too.
- name: Stage
  k3sfleet.registries.k3s_registries:
    node_role: agent
    config: "{{ k3s_registries }}"
    stage: true
  become: true
  register: staged

- name: Take the cluster's Lease
  k3sfleet.registries.k3s_rollout:
    operation: hold
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

- name: Give the cluster's Lease back
  k3sfleet.registries.k3s_rollout:
    operation: release
    node_role: server
  become: true
  delegate_to: server-1
"""

RETURN = r"""
lease:
  description:
    - What became of the cluster's Lease.
    - V(taken), V(renewed), V(held) or V(taken over from ...) when the run has it, V(not held) when it goes on without,
      V(elsewhere) when another server has to be asked, V(given back) or a sentence after O(operation=release).
  returned: with O(operation=hold) and O(operation=release)
  type: str
  sample: taken
lease_server:
  description: The server through which the run has taken the Lease.
  returned: with O(operation=hold)
  type: str
  sample: server-1
phase:
  description:
    - The part of the rollout in which this host takes its turn - V(canary), V(live), V(servers) or V(agents), in this
      order.
    - Each needs a task of its own, so that Ansible begins no host before those of the phases before it.
  returned: with O(operation=hold), if the host was staged in this run
  type: str
  sample: servers
clusters:
  description: How many clusters of this run have hosts that are still to be committed.
  returned: with O(operation=hold), if the host was staged in this run
  type: int
  sample: 1
made_way:
  description: Whether the host has not begun yet because another cluster of the play needed its fork. See O(makes_way).
  returned: with O(operation=commit)
  type: bool
lease_renewed:
  description: When the run that holds the Lease last renewed it.
  returned: when another run holds it
  type: str
  sample: "2026-01-01T03:00:15.000000Z"
lease_expires_in:
  description: Seconds until the run that holds the Lease counts as gone.
  returned: when another run holds it
  type: int
  sample: 42
restarted:
  description: Whether K3s was restarted.
  returned: always
  type: bool
live:
  description: Whether the change came into force without a restart.
  returned: with O(operation=commit)
  type: bool
rolled_back:
  description: Whether the node was put back as it was.
  returned: always
  type: bool
untouched:
  description: Whether the node was left as it was because the rollout had stopped.
  returned: always
  type: bool
step:
  description: The last step that was reached.
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
  returned: with O(operation=commit)
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
  returned: with O(operation=commit)
  type: str
  sample: /etc/rancher/k3s/registries.yaml.before-k3sfleet
waiting_for:
  description: The servers for which this one would wait before its restart. Not empty with O(announce) only.
  returned: with O(operation=commit)
  type: list
  elements: str
  sample: ["server-2 (its etcd does not answer: no answer in time)"]
waited_for:
  description: The servers for which this one has waited before a restart, and what was missing.
  returned: with O(operation=commit)
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
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import (
    Contradicted,
    confirmed,
    identify,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import ROLLOUT_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import (
    Commit,
    CommitOptions,
    Failure,
    Refused,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.lease import (
    RENEWED_FOR,
    Holder,
    LeaseHeld,
    LeaseUnavailable,
    give_back,
    take,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import NodeBusy
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, Unsafe
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem


def main() -> None:
    module = AnsibleModule(argument_spec=ROLLOUT_ARGUMENTS, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=bool(module.params["staged"].get("restart")))
    # A cut connection must not stop a commit half way: it goes on to its end, which is one of two good states.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parameters = module.params
    result: dict[str, Any] = {}
    try:
        node = identify(parameters)
        if parameters["operation"] == "commit":
            if node.unsure:
                raise Refused("%s changed since staging; run again" % " and ".join(node.unsure))
            commit = Commit(
                confirmed(node),
                CommitOptions(
                    restart_timeout=parameters["restart_timeout"],
                    quorum_timeout=max(0, parameters["quorum_timeout"]),
                    announce=parameters["announce"],
                    hanging=parameters["hanging"],
                    on_failure=parameters["on_failure"],
                    canary_images=parameters["canary_images"],
                    canary_timeout=parameters["canary_timeout"],
                    force=parameters["force"],
                    lease_holder=parameters["lease_holder"],
                    embedded_mirror=parameters["embedded_mirror"],
                ),
                tell=module.log,
            )
            result = commit.result
            try:
                commit.run()
            finally:
                for warning in result.pop("warnings"):
                    module.warn(warning[:1].upper() + warning[1:])
        else:
            result = _lease(node.paths, parameters)
    except LeaseUnavailable as problem:
        module.fail_json(msg=str(problem), lease="unavailable", **result)
    except LeaseHeld as problem:
        seen = {"lease_renewed": problem.renewed, "lease_expires_in": problem.expires_in}
        module.fail_json(msg=str(problem), lease="held", **seen, **result)
    except (Contradicted, Failure, FileProblem, NodeBusy, Refused, ServiceProblem, Unsafe) as problem:
        module.fail_json(msg=str(problem), **result)
    if result.get("kept"):
        module.warn(
            "The registries.yaml from before the collection is kept in %s, which K3s does not read" % result["kept"]
        )
    module.exit_json(**result)


def _lease(paths: NodePaths, parameters: dict[str, Any]) -> dict[str, Any]:
    holder = Holder(parameters["lease_holder"], RENEWED_FOR)
    if parameters["operation"] == "release":
        return {"changed": False, "lease": give_back(paths, holder)}
    return {"changed": False, "lease": take(paths, holder)}


if __name__ == "__main__":
    main()
