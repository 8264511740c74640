#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports what a node's registries are, what K3s has loaded of them, and what is wrong with either."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registries_info
short_description: Report what registries a node has, and what its K3s has loaded of them
version_added: 1.0.0
description:
  - Reads C(registries.yaml) as K3s decodes it, and compares what K3s generated at its last start with what the file
    should produce. Checks everything in between - templates of containerd's configuration, drop-ins and flags, proxies,
    certificates.
  - Works on any node, even if this collection has never been there, or if K3s is not installed.
  - Changes nothing and restarts nothing. A node needs only Python.
  - Credentials never appear in the result, nor in what Ansible prints with C(-vvv). The node encrypts its answer with a
    key that is made for this one call, and the controller removes the credentials.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
options:
  distribution:
    description: Which distribution runs on the node. Empty means the one that runs there, or V(k3s) if none is set up.
    type: str
    choices: ["", k3s, rke2]
    default: ""
  certificate_files:
    description: Certificate files to read in addition to those that the node finds itself. Only the action plugin sets
      it.
    type: list
    elements: str
    default: []
  certificate_pairs:
    description: Pairs of certificate and key file to read in the same way. Only the action plugin sets it.
    type: list
    elements: list
    default: []
  key:
    description: The key with which the node encrypts its answer. The action plugin makes a new one for each call.
    type: str
seealso:
  - module: k3sfleet.registries.k3s_registries
  - module: k3sfleet.registries.k3s_pull_diagnosis
"""

EXAMPLES = r"""
- name: Look at the node
  k3sfleet.registries.k3s_registries_info:
  become: true
  register: registries

- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ item.code }}: {{ item.message }} {{ item.fix }}"
  loop: "{{ registries.info.problems }}"
  loop_control:
    label: "{{ item.code }}"

- name: Stop if a restart is pending or somebody has edited files by hand
  ansible.builtin.assert:
    that: registries.info.state not in ['pending', 'drifted']
"""

RETURN = r"""
info:
  description: What is known about the node's registries. Secrets are masked.
  returned: success
  type: dict
  contains:
    distribution:
      description: V(k3s) or V(rke2).
      type: str
    release:
      description: The installed release, empty if there is none.
      type: str
      sample: v1.34.3+k3s1
    role:
      description: V(server) or V(agent).
      type: str
    data_dir:
      description: The folder that K3s keeps its data in.
      type: str
      sample: /var/lib/rancher/k3s
    unit:
      description: The service, empty if there is none.
      type: str
      sample: k3s-agent.service
    unit_state:
      description: What the init system says about it. This proves nothing about K3s' health.
      type: str
      sample: active
    started_at:
      description: When the running K3s was started, empty if none runs.
      type: str
      sample: "2026-11-25T02:05:36Z"
    registries:
      description: The file.
      type: dict
      contains:
        path:
          description: Where K3s looks for it.
          type: str
          sample: /etc/rancher/k3s/registries.yaml
        exists:
          description: Whether it is there.
          type: bool
        managed:
          description: Whether this collection has written it.
          type: bool
        mode:
          description: Its mode.
          type: str
          sample: "0600"
        config:
          description: What K3s reads from it, with every known key present. V(null) if there is no file that K3s
            accepts.
          type: dict
        error:
          description: Why K3s cannot use it, in K3s' words, without values.
          type: str
    providers:
      description: The kubelet's credential providers.
      type: dict
      contains:
        path:
          description: Where the kubelet's configuration of them is.
          type: str
        exists:
          description: Whether it is there.
          type: bool
        managed:
          description: Whether the collection has written it.
          type: bool
        names:
          description: The providers, if the collection has written it.
          type: list
          elements: str
    generation:
      description: The number of the generation that the collection has put in place, empty on other nodes.
      type: str
      sample: "3"
    state:
      description:
        - V(loaded), the running K3s has loaded what is in place.
        - V(pending), it has not, because the files are newer than its start, staged, or left over from an interrupted
          run.
        - V(drifted), somebody has edited files that the collection or K3s had written.
        - V(foreign), registries.yaml is not the collection's; RV(info.differences) says what is loaded of it.
        - V(unreadable), K3s cannot use the file. V(stopped), V(not_set_up), V(not_installed), no K3s runs that could
          load anything.
      type: str
      sample: loaded
    differences:
      description: Generated files that do not match the configuration.
      type: list
      elements: dict
      contains:
        file:
          description: The path.
          type: str
        kind:
          description: V(missing), V(unexpected) or V(differs).
          type: str
        diff:
          description: A unified diff from what is there to what is predicted, with secrets masked.
          type: str
    waiting:
      description:
        - Credentials that are in force without a restart, until K3s reads them at its next start.
      type: dict
      contains:
        since:
          description: When they came into force, ISO 8601 in UTC; V("") if none wait.
          type: str
        hosts:
          description: The hosts that they are for.
          type: list
          elements: str
    templates:
      description: Custom templates of containerd's configuration that leave something out.
      type: list
      elements: dict
      contains:
        path:
          description: The template.
          type: str
        message:
          description: What it leaves out.
          type: str
    settings:
      description: K3s' settings that affect registries, in K3s' order. The last one of a key counts.
      type: list
      elements: dict
      contains:
        source:
          description: The file, or V(unit) for the service's command line.
          type: str
        key:
          description: The setting.
          type: str
          sample: disable-default-registry-endpoint
        value:
          description: Its value.
          type: raw
    proxies:
      description: Proxy variables of the service through which mirrors are asked.
      type: list
      elements: dict
      contains:
        source:
          description: The environment file, or V(unit).
          type: str
        variable:
          description: Its name.
          type: str
          sample: HTTPS_PROXY
        registries:
          description: The mirrors that NO_PROXY does not name.
          type: list
          elements: str
    certificates:
      description: The certificates in the files that the configuration names.
      type: list
      elements: dict
      contains:
        registry:
          description: The key of C(configs).
          type: str
        kind:
          description: V(ca) or V(client).
          type: str
        path:
          description: The file on the node.
          type: str
        subject:
          description: The subject.
          type: str
        issuer:
          description: Who signed it.
          type: str
        fingerprint_sha256:
          description: Its fingerprint.
          type: str
        not_before:
          description: When it becomes valid.
          type: str
        not_after:
          description: When it expires.
          type: str
        days_left:
          description: Whole days until then, negative afterwards, V(null) if there is no certificate.
          type: int
        key_matches:
          description: Whether the key of a client certificate belongs to it, V(null) if there is no key to check.
          type: bool
        error:
          description: Why it cannot be used.
          type: str
    credentials:
      description:
        - The credentials that are known to end, without a word of them. Known are users whose passwords live for hours,
          tokens that say themselves when they end, and what C(auth.expires) in C(k3s_registries) states.
      type: list
      elements: dict
      contains:
        registry:
          description: The key of C(configs).
          type: str
        ends:
          description:
            - When they end at the latest, empty if that is not known. What lives for hours is counted from when
              registries.yaml was last written.
          type: str
          sample: "2027-01-31T00:00:00Z"
        days_left:
          description: Whole days until then, negative afterwards, V(null) if it is not known.
          type: int
        stated:
          description: Whether somebody has only stated it, with C(auth.expires). It never counts as an error.
          type: bool
        ended:
          description: Whether that is past.
          type: bool
        level:
          description: V(ok), V(warning) or V(error).
          type: str
        message:
          description: What ends when.
          type: str
        fix:
          description: What to do.
          type: str
    problems:
      description: What needs attention, including the findings of lint.
      type: list
      elements: dict
      contains:
        code:
          description: A word or a lint code.
          type: str
          sample: certificate_expiring
        level:
          description: V(error), V(warning) or V(info).
          type: str
        message:
          description: What is wrong, and where.
          type: str
        fix:
          description: What to do.
          type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import (
    identify,
    unsure_answer,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import Unsafe
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.arguments import INFO_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.observe import observe
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import TooMuch, seal


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(argument_spec=INFO_ARGUMENTS, supports_check_mode=True)
    parameters = module.params
    if not parameters["key"]:
        module.fail_json(msg="key is missing: this module works through its action plugin only, which sets it")
    try:
        node = identify(parameters)
        if node.unsure and not parameters["settings_read"]:
            module.exit_json(changed=False, **unsure_answer(node, parameters["key"]))
        said = observe(node, parameters["certificate_files"], parameters["certificate_pairs"])
    except (FileProblem, ServiceProblem, Unsafe) as problem:
        module.fail_json(msg="%s. Looking at a node's registries needs become: true." % problem)
    try:
        sealed = seal(said, parameters["key"])
    except TooMuch as problem:
        module.fail_json(msg="%s. See which of registries.yaml, config.yaml and its drop-ins is so large." % problem)
    module.exit_json(changed=False, sealed=sealed)


if __name__ == "__main__":
    main()
