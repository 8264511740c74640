#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what an upgrade of K3s would do to a node's registries."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_upgrade_check
short_description: "Internal to the role k3s_registries: ask a node what an upgrade of K3s does to its registries"
version_added: 1.0.0
description:
  - Internal to the role P(k3sfleet.registries.k3s_registries#role), whose entry point C(upgrade_check) uses it. Its
    options and results may change with any release.
  - Looks at the configuration that is in force under the rules and known problems of another release, at the
    C(hosts.toml) that this release would write, and asks registries from the node whether it can pull the release's
    images and those that it runs.
  - Pulls nothing and changes nothing.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
attributes:
  check_mode:
    details:
      - It does the same.
options:
  target_release:
    description: The target release of the upgrade, of K3s or RKE2, such as V(v1.35.2+k3s1).
    type: str
    required: true
  image_files:
    description:
      - Files on the controller with the release's images, one per line. Empty fetches the release's own list with the
        controller.
    type: list
    elements: path
    default: []
  release_url:
    description: The base URL of the releases, with GitHub's paths below it.
    type: str
    default: https://github.com
  list_timeout:
    description: Seconds after which the list cannot be fetched.
    type: int
    default: 30
  images:
    description: Further images that the node needs with the new release.
    type: list
    elements: str
    default: []
  allow:
    description: Patterns of images that need not be there, as in C(k3s_registries_rehearse_allow).
    type: list
    elements: str
    default: []
  system_default_registry:
    description: The nodes' C(system-default-registry). Empty takes what the node itself says.
    type: str
    default: ""
  seconds:
    description: Seconds for all questions to registries together.
    type: float
    default: 60.0
  lists:
    description: Names of images by architecture. Only the action plugin sets it.
    type: dict
  key:
    description: Seals what only the controller can read. Only the action plugin sets it.
    type: str
"""

EXAMPLES = r"""
- name: Ask the node what an upgrade does to its registries
  k3sfleet.registries.k3s_upgrade_check:
    target_release: v1.35.2+k3s1
  become: true
  register: upgrade
"""

RETURN = r"""
upgrade:
  description: What was found.
  returned: success
  type: dict
  contains:
    problem:
      description: Why nothing can be said about this node. Everything else is missing then.
      type: str
    target:
      description: The release in question.
      type: str
      sample: v1.35.2+k3s1
    installed:
      description: The release that is installed.
      type: str
      sample: v1.34.3+k3s1
    known_up_to:
      description: The newest release whose rules are known, if the release in question is newer. Otherwise empty.
      type: str
    not_known:
      description: Why the configuration is not known, so that only images were looked at. Otherwise empty.
      type: str
    findings:
      description: What is wrong with the configuration under the new release, errors and whatever is not so today.
      type: list
      elements: dict
    hosts:
      description: The files that the new release writes otherwise, each with C(file), C(kind) and C(diff).
      type: list
      elements: dict
    images:
      description: The images, each with its C(state) and, if it cannot be pulled, C(cause), C(message) and C(fix).
      type: list
      elements: dict
    upgrade_image:
      description: The image with which the system-upgrade-controller upgrades a node.
      type: str
      sample: docker.io/rancher/k3s-upgrade:v1.35.2-k3s1
    sees_controller:
      description: Whether the system-upgrade-controller runs, as far as this node knows.
      type: bool
    default_registry:
      description: What stood before the names of the release's images.
      type: str
    unreadable:
      description: Names in use that are no names of images.
      type: list
      elements: str
    asked:
      description: How many questions registries were asked.
      type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.contradictions import (
    RANCHER_WARNED,
    rancher,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import (
    Contradicted,
    confirmed,
    identify,
    unsure_answer,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import UPGRADE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import Unsafe
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.rehearsing import NotRehearsed
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.upgrading import Wanted, check_on
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import ReleaseError, parse_release


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(argument_spec=UPGRADE_ARGUMENTS, supports_check_mode=True)
    parameters = module.params
    if parameters["lists"] is None:
        module.fail_json(
            msg="the release's images were not read on the controller: call k3sfleet.registries.k3s_upgrade_check as a "
            "task, so that its action plugin reads them"
        )
    found: dict[str, Any] = {}
    try:
        node = identify(parameters)
        if node.unsure and parameters["key"]:
            module.exit_json(changed=False, **unsure_answer(node, parameters["key"]))
        wanted = Wanted(
            parse_release(parameters["target_release"]),
            parameters["lists"],
            parameters["images"],
            parameters["allow"],
            parameters["system_default_registry"],
            parameters["seconds"],
        )
        if node.rancher:
            module.warn("%s. %s" % (rancher(node.rancher._asdict()), RANCHER_WARNED))
        found = {"problem": "", **check_on(confirmed(node), wanted)}
    except (
        Contradicted, FileProblem, ImageError, NotRehearsed, ReleaseError, ServiceProblem, Unsafe
    ) as problem:  # fmt: skip
        found = {"problem": str(problem)}
    module.exit_json(changed=False, upgrade=found)


if __name__ == "__main__":
    main()
