#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a node's private-registry configuration in place, or stages it for a rollout."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registries
short_description: Put a K3s node's private-registry configuration in place, or stage it for a rollout
version_added: 1.0.0
description:
  - Checks the configuration and the certificates on the controller, by the rules that K3s and containerd really
    follow. If something is wrong, the task stops there, before the node is touched.
  - Compares the node with what you want in one remote call. With O(stage=true), a node that has not changed since it
    had everything takes one shell command instead, and no Python. What needs no restart is put in place at once, file
    by file and atomically - changed certificates, a text that leaves the loaded configuration equal, and everything on
    a node where K3s is not installed or not running.
  - With O(stage=true), what needs a restart is staged next to the live files, and nothing live is touched.
    M(k3sfleet.registries.k3s_rollout) activates it. Without O(stage), it is put in place, and RV(restart) tells you
    to restart K3s.
  - To find out whether K3s has loaded a configuration, the module compares what K3s generated at its last start
    (C(certs.d/*/hosts.toml) and the credentials in C(config.toml)) with what it should have generated. So it also finds
    a node whose K3s was never restarted after an edit.
notes:
  - The module runs as root on the node. It needs nothing there but Python 3.8 or later.
  - Secrets are neither returned nor shown in diffs. On the node they are only in files of mode 0600.
  - Every folder that a file goes into, and every folder above it, must belong to root and be writable by root only.
    Otherwise the task fails before anything is touched. If a run is killed, the next one deletes its unfinished files.
  - A node that M(k3sfleet.registries.k3s_rollout) has cordoned and could not uncordon is uncordoned if it does not have
    to restart again. That counts as a change, and a warning says so.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
attributes:
  diff_mode:
    support: full
    details:
      - Shows registries.yaml without secrets and the certificates by subject, fingerprint and expiry.
options:
  config:
    description:
      - The content of registries.yaml as K3s documents it, with the keys V(mirrors) and V(configs), or its text.
      - A text is read strictly - what K3s would refuse or drop is an error that names the line. It holds K3s' own keys
        only, not those that follow.
      - Below C(configs.<registry>.tls) the keys C(ca_src), C(cert_src) and C(key_src) name files on the controller
        (encrypted with ansible-vault or not), C(ca_content), C(cert_content) and C(key_content) give PEM text. Both
        are checked and shipped. C(ca_file), C(cert_file) and C(key_file) name files that are already on the node.
      - C(configs.<registry>.auth.expires) is the day on which the credentials end, such as V(2027-01-31), as the
        registry's page says it. It is not written to registries.yaml. Lint, verify and the report warn from 30 days
        before it on; it never fails a run, since the registry may go on accepting them.
      - A relative path on the controller is looked for in C(files/) next to the playbook and the role, then next to the
        inventory, then in the current folder.
      - Required with O(state=present), unless you set one of the settings below. A configuration from which K3s would
        read nothing (C(mirrors) and C(configs) null or empty) is refused.
    type: raw
  state:
    description:
      - V(present) puts the configuration in place, V(absent) removes everything that the collection has put there,
        and nothing else. If registries.yaml is a symbolic link, the file that it points to is written, and removed too.
      - V(previous) restores the state before the last change, which the node has kept. A node that has already been
        restored stays there.
    type: str
    choices: [present, absent, previous]
    default: present
  stage:
    description: Stage what needs a restart for M(k3sfleet.registries.k3s_rollout) instead of putting it in place.
    type: bool
    default: false
  live:
    description:
      - If mirrors, rewrites, TLS settings, the default endpoint or credentials change, activate them without a
        restart - M(k3sfleet.registries.k3s_rollout) then writes C(certs.d/*/hosts.toml) with the bytes that K3s itself
        will write at its next start, which containerd reads at every pull.
      - New credentials get a header in those files, in addition to what K3s will write, until K3s reads them at its
        next start. Before that, the node asks each endpoint whose credentials change with the new ones.
      - Any doubt causes a restart. RV(reasons) says why. Among the doubts are a registry that offers Bearer tokens, one
        that redirects within its own host name, C(http) endpoints, credentials that are removed, identity tokens, and
        pods with an imagePullSecret.
    type: bool
    default: false
  settle:
    description:
      - Restart K3s where credentials are in force without a restart and K3s has not started since, so that it reads
        them.
    type: bool
    default: false
  canary_images:
    description: With O(live), the images whose manifests a node asks for with new credentials before it uses them.
    type: list
    elements: str
    default: []
  validate_only:
    description: Check the configuration and the certificates on the controller and do nothing else.
    type: bool
    default: false
  disable_default_endpoint:
    description:
      - Sets K3s' C(disable-default-registry-endpoint) in the collection's drop-in below C(config.yaml.d).
      - If you do not set it, it is left alone.
    type: bool
  embedded_registry:
    description: Sets K3s' C(embedded-registry) on servers in the drop-in. If you do not set it, it is left alone.
    type: bool
  system_default_registry:
    description:
      - Sets K3s' C(system-default-registry) on servers in the drop-in. If you do not set it, it is left alone.
      - The value is a C(host[:port]), with a path after it for newer RKE2. Anything else is refused.
    type: str
  credential_providers:
    description:
      - >-
        The kubelet's credential providers: a list of mappings with the keys C(name), C(src) (a file on the
        controller, or a mapping of architectures to files) with an optional C(checksum), or C(path) (a program that
        the node has), C(match_images), C(default_cache_duration), C(args), C(env) and C(token_attributes). The
        documentation of the role C(k3s_registries) describes them.
      - >-
        The programs and the kubelet's C(config.yaml) go where K3s looks for them, by its settings or by default. A
        program is sent only if the node does not have its content yet.
      - >-
        They are checked by the kubelet's own rules, on the controller and on the node. A node on which K3s could
        not start with them is refused before anything on it is touched.
      - >-
        If there is a C(config.yaml) that the collection has not written, the task fails. With O(adopt), it is taken
        over if it says the same.
    type: raw
  credential_store:
    description:
      - Have the kubelet hand out the credentials in O(config) with a small credential provider, so that new ones need
        no restart. It reads them from a file of root's at each pull of a pod.
      - It holds the credentials of a registry only if everybody who is asked for its images is one host with these
        credentials. For the others, a warning says why not and what would make it possible.
      - The task fails before anything is touched if O(config) would bring stored credentials to another host.
    type: bool
    default: false
  adopt:
    description:
      - Take over a registries.yaml that the collection has not written only if it is equal in effect, that is, if
        K3s has generated from it what it would generate from O(config). Otherwise the task fails with the difference
        and leaves the node unchanged.
      - Without O(adopt), such a file is replaced like any other, and kept with the previous states. RV(kept) says where
        it is after O(state=absent).
    type: bool
    default: false
  rancher_managed:
    description:
      - What happens to a node that Rancher provisions, where Rancher's system agent writes registries.yaml itself.
        V(refuse) fails before anything on it is touched, V(warn) goes on. With O(state=absent) it is always a
        warning.
      - It is such a node if the service C(rancher-system-agent) runs or is enabled, and C(50-rancher.yaml) is among the
        drop-ins of K3s' configuration.
    type: str
    choices: [refuse, warn]
    default: refuse
  keep_generations:
    description:
      - How many earlier states of the managed files the node keeps for a rollback, from 1 to 100.
      - The first registries.yaml that the collection did not write is kept as well, until O(state=absent). Later
        ones count like any other state.
    type: int
    default: 3
  rollout:
    description:
      - Settings of the rollout that follows. They are checked before the first node is touched, and decide in
        which phase of it a node takes its turn.
    type: dict
    suboptions:
      agent_batch:
        description: What O(k3sfleet.registries.k3s_rollout#module:agent_batch) will be.
        type: raw
        default: "1"
      canary:
        description: The host or group that goes first, V("") if there is none. It must be in the inventory.
        type: str
        default: ""
      follows:
        description: Whether this run goes on with the rollout after staging. If not, its summary follows staging.
        type: bool
        default: true
      verifies:
        description: Whether this run verifies the nodes in the end, those that need no rollout included.
        type: bool
        default: false
      rehearse:
        description:
          - Which nodes rehearse between staging and the rollout, with O(rehearse.staged). V(canary) is one node for
            each distinct configuration and architecture.
        type: str
        choices: [never, canary, all]
        default: never
      rehearsed:
        description:
          - Digests of configurations, as RV(candidate) has them. If there are any, another configuration is refused
            before the first node is asked.
        type: list
        elements: str
        default: []
  rehearse:
    description:
      - Also have the node ask registries whether it could still pull the images that it uses, those of its pods, its
        pause image and O(rehearse.images). The task fails if an image would be lost.
      - Use it in check mode, or with O(rehearse.staged). Nothing is pulled. If nothing would change on the node,
        nothing is asked.
    type: dict
    suboptions:
      images:
        description: More images that the node must be able to pull.
        type: list
        elements: str
        default: []
      allow:
        description: Images that may be lost, as names with or without a tag, or patterns with V(*) and V(?).
        type: list
        elements: str
        default: []
      seconds:
        description: The deadline for all questions of a node together.
        type: float
        default: 60.0
      staged:
        description:
          - The registered result of staging. Then the node is not staged again, and rehearses only if
            O(rollout.rehearse) says so. A lost image does not fail the task, and stops the rollout that follows.
        type: dict
      whole:
        description: Return all images even if the task fails, and Ansible prints all that it returns.
        type: bool
        default: false
  key:
    description: The key with which the node encrypts its answer for the controller. Only the action plugin sets it.
    type: str
  programs:
    description: Where the node has received programs that it lacked. Only the action plugin sets it.
    type: dict
  snapshot:
    description:
      - By which salt and digest the controller knows this configuration when it looks whether the node has changed.
        Only the action plugin sets it.
    type: str
  prepared:
    description: What the controller has made from the other options. Only the action plugin sets it.
    type: str
"""

EXAMPLES = r"""
- name: Put the configuration in place and see whether K3s needs a restart
  k3sfleet.registries.k3s_registries:
    node_role: agent
    config:
      mirrors:
        docker.io:
          endpoint:
            - https://registry.example.com:5000
      configs:
        "registry.example.com:5000":
          auth:
            username: robot
            password: "{{ vault_registry_password }}"
          tls:
            ca_src: files/registry-ca.crt
  become: true
  register: registries

- name: Remove what the collection has put on a node
  k3sfleet.registries.k3s_registries:
    node_role: agent
    state: absent
  become: true
"""

RETURN = r"""
restart:
  description: Whether K3s needs a restart to load the configuration.
  returned: success, unless O(validate_only)
  type: bool
live:
  description: Whether the change becomes active without a restart after all.
  returned: success, unless O(validate_only)
  type: bool
reasons:
  description: The reasons for RV(restart), as sentences that name files and registries.
  returned: success, unless O(validate_only)
  type: list
  elements: str
  sample: ["certs.d/docker.io/hosts.toml is not there"]
reach:
  description:
    - With RV(live), if credentials change, the registries whose images are requested from the endpoints with new
      credentials. Empty if no credentials change.
  returned: success, unless O(validate_only)
  type: dict
  contains:
    registries:
      description: Registries, as they are in image names.
      type: list
      elements: str
    others:
      description: Whether all other registries are among them, except RV(reach.known).
      type: bool
    known:
      description: The registries that have a hosts.toml.
      type: list
      elements: str
candidate:
  description:
    - The digest of the configuration, certificates and keys included. Nobody can read them from it. Give it to
      O(rollout.rehearsed), so that what is applied after an approval is what was rehearsed.
  returned: with O(rehearse), without O(rehearse.staged)
  type: str
rehearsal:
  description: What the configuration does to the pulls of the node.
  returned: with O(rehearse), if something changes
  type: dict
  contains:
    problem:
      description: Why nothing could be rehearsed, empty usually.
      type: str
    refusal:
      description: Which images would be lost, why, and what to do. Empty if none would.
      type: str
    headline:
      description: How the images stand.
      type: str
      sample: "40 images: 38 from another place, 1 lost, 1 not known"
    effect:
      description:
        - What the change means for pulls, in words, as P(k3sfleet.registries.compare_pulls#filter) says it.
        - Empty if the configuration in force is not one that the collection has written.
      type: list
      elements: str
    counts:
      description: The number of images by verdict.
      type: dict
    asked:
      description: The number of questions.
      type: int
    stops:
      description: Whether an image would be lost that O(rehearse.allow) does not let go.
      type: bool
    unreadable:
      description: Names of images in use that containerd does not accept.
      type: list
      elements: str
    images:
      description: The images, each with what becomes of it. If the task fails, without those that can be pulled before
        and after.
      type: list
      elements: dict
      contains:
        image:
          description: The full name.
          type: str
        users:
          description: Who uses it, such as a pod.
          type: list
          elements: str
        verdict:
          description:
            - V(same_place), V(other_place), V(gained), V(lost), V(already_broken), V(not_known), V(on_the_node) or
              V(own_credentials).
            - V(on_the_node) is an image that could not be pulled and need not be, because it was imported or is pinned.
            - V(own_credentials) is one that is only used by pods with an imagePullSecret, which is not read.
          type: str
        allowed:
          description: Whether it may be lost.
          type: bool
        before:
          description: The URL from which it can be pulled now, empty if it cannot.
          type: str
        after:
          description: The URL from which it can be pulled with the configuration, empty if it cannot.
          type: str
        endpoint:
          description: The endpoint whose answer decides.
          type: str
        cause:
          description: V(ok), or why not, as in M(k3sfleet.registries.k3s_registry_probe).
          type: str
        message:
          description: Why it cannot be pulled.
          type: str
        fix:
          description: What to do.
          type: str
        digest:
          description: What the tag gives at the new place, if that is not what runs.
          type: str
        running:
          description: The digests that run.
          type: list
          elements: str
files:
  description: The files that differ, each with its RV(files[].path) and RV(files[].action).
  returned: success, unless O(validate_only)
  type: list
  elements: dict
  contains:
    path:
      description: The file on the node.
      type: str
    action:
      description: V(create), V(update), V(mode) or V(remove).
      type: str
foreign:
  description: Whether there was a registries.yaml that the collection did not write. It is kept as a generation.
  returned: success, unless O(validate_only)
  type: bool
left_alone:
  description: Whether nothing was checked, because the host is in neither of the cluster's groups and runs no K3s.
  returned: success, unless O(validate_only)
  type: bool
node_role:
  description: What the node is, V(server) or V(agent), according to its service.
  returned: success, unless O(validate_only)
  type: str
node_state:
  description:
    - V(not_installed), V(not_set_up) (a program without a service, or a service that was neither enabled nor started),
      V(stopped) or V(running).
  returned: success, unless O(validate_only)
  type: str
embedded_mirror:
  description:
    - On a server, the address that K3s' embedded registry has after its next start, V("") if that is off. V(null) on an
      agent, which gets it from its server, and if it is not known.
  returned: success, unless O(validate_only)
  type: str
  sample: 127.0.0.1:6443
contradictions:
  description: How the node differs from what the inventory or the variables say, if the task fails for that reason.
  returned: failure
  type: list
  elements: dict
  contains:
    what:
      description:
        - V(role), V(group), V(distribution), V(service), V(data_dir), V(registries_file), V(units), V(process) or
          V(rancher).
      type: str
    stated:
      description: What the inventory or a variable says; the file that Rancher writes.
      type: str
    found:
      description: What the node says.
      type: str
    place:
      description: Where on the node.
      type: str
service:
  description: The service that runs K3s.
  returned: success, unless O(validate_only)
  type: str
service_state:
  description: V(absent), V(stopped), V(failed), V(starting) or V(running).
  returned: success, unless O(validate_only)
  type: str
release:
  description: The installed release, empty if it is not installed.
  returned: success, unless O(validate_only)
  type: str
  sample: v1.34.3+k3s1
node_name:
  description: The node's name in the cluster, if a restart is needed.
  returned: success, unless O(validate_only)
  type: str
architecture:
  description: The machine of the node, as C(uname -m) gives it, if a restart is needed.
  returned: success, unless O(validate_only)
  type: str
  sample: x86_64
health:
  description: The state of the node before anything was done to it, if a restart is needed.
  returned: success, unless O(validate_only)
  type: dict
  contains:
    healthy:
      description: Whether every piece of evidence was present.
      type: bool
    sentence:
      description: The evidence in words.
      type: str
    explained:
      description: Whether the pending change explains why the node is unhealthy.
      type: bool
registries:
  description: The registries that the configuration is for.
  returned: success, unless O(validate_only)
  type: list
  elements: str
generation:
  description: The number of the generation in place, 0 if there is none.
  returned: success, unless O(validate_only)
  type: int
certificates:
  description: The shipped certificates, without keys.
  returned: success, if there are any
  type: list
  elements: dict
  contains:
    registry:
      description: The key below C(configs).
      type: str
    source:
      description: V(ca) or V(cert).
      type: str
    subject:
      description: The subject.
      type: str
    issuer:
      description: The issuer.
      type: str
    sha256:
      description: The fingerprint.
      type: str
    not_after:
      description: When it expires, ISO 8601 in UTC.
      type: str
    days_left:
      description: Days until then.
      type: int
kept:
  description:
    - After a removal, where the first registries.yaml that was not the collection's is now. V("") if there is none.
    - The name is that of registries.yaml with C(.before-k3sfleet) at its end, mode 0600. K3s does not read it.
  returned: success, unless O(validate_only)
  type: str
  sample: /etc/rancher/k3s/registries.yaml.before-k3sfleet
findings:
  description:
    - What the check of the configuration found, each with code, level, path, message and fix.
    - What is found in a text has C(line), C(column) and C(excerpt), too - the line without secrets, and its marker.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import STAGE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.staging_call import answer


def main() -> None:
    module = AnsibleModule(argument_spec=STAGE_ARGUMENTS, supports_check_mode=True)
    answer(module, module.params)


if __name__ == "__main__":
    main()
