#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls images on a node to prove that it can, and says why if it cannot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_canary_pull
short_description: Prove that a K3s node can pull images
version_added: 1.0.0
description:
  - Pulls images through containerd's CRI, as the kubelet does, with the node's own registries configuration, and says
    for each one that could not be pulled which endpoint is to blame, why, and what to do.
  - containerd asks the registry for a tag even if it has the image already, so that a known image proves the way to
    the registry too and costs one request.
  - Every pull has a deadline of its own. A registry that accepts connections and says nothing would hold it for
    minutes.
  - An image that cannot be pulled is no failure of the module; see RV(pulls).
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
attributes:
  check_mode:
    details:
      - Nothing is pulled.
options:
  images:
    description: The images, as C(crictl pull) takes them.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds for each image.
    type: int
    default: 120
  config:
    description:
      - The node's registries configuration, for the explanation of a failure, as
        RV(k3sfleet.registries.k3s_registries_info#module:info.registries.config) has it.
      - Without it, it is read from what K3s has generated.
    type: dict
seealso:
  - module: k3sfleet.registries.k3s_pull_diagnosis
  - module: k3sfleet.registries.k3s_registry_probe
"""

EXAMPLES = r"""
- name: Pull the pause image, which every pod needs
  k3sfleet.registries.k3s_canary_pull:
    node_role: agent
    images:
      - docker.io/rancher/mirrored-pause:3.6
    timeout: 60
  become: true
  register: canary
  failed_when: canary is failed or canary.pulls | rejectattr('ok') | length > 0
"""

RETURN = r"""
pulls:
  description: One entry for each image, in the order given. Empty in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: The image, normalised as containerd does.
      type: str
      sample: docker.io/rancher/mirrored-pause:3.6
    ok:
      description: Whether it was pulled.
      type: bool
    new:
      description: Whether the node did not have it before.
      type: bool
    seconds:
      description: How long that took.
      type: float
    cause:
      description: V(ok), or one of the causes of M(k3sfleet.registries.k3s_pull_diagnosis).
      type: str
    endpoint:
      description: The endpoint to blame, V(null) if there is none or the log does not decide.
      type: str
    message:
      description: What happened.
      type: str
    fix:
      description: What to do.
      type: str
    evidence:
      description: The lines of containerd's log that led to this. Secrets are masked.
      type: list
      elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import (
    Contradicted,
    confirmed,
    identify,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import canary
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import NODE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import Unsafe
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.config_option import take_config

ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    images={"type": "list", "elements": "str", "required": True},
    timeout={"type": "int", "default": 120},
    config={"type": "dict", "no_log": True},
)


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    config = take_config(module)
    try:
        paths = confirmed(identify(module.params)).paths
    except (Contradicted, ServiceProblem, Unsafe) as problem:
        module.fail_json(msg=str(problem))
    pulls: list[dict[str, Any]] = []
    for image in [] if module.check_mode else module.params["images"]:
        present = canary.is_present(paths, image)
        pulled = canary.pull(paths, image, module.params["timeout"], config)
        pulls.append(dict(pulled, new=pulled["ok"] and not present))
    module.exit_json(changed=any(item["new"] for item in pulls), pulls=pulls)


if __name__ == "__main__":
    main()
