#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the file with a node's metrics where node_exporter reads it, or removes it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registries_metrics
short_description: "Internal to the role k3s_registries: the file from which node_exporter reads a node's metrics"
version_added: 1.0.0
description:
  - Internal to the role P(k3sfleet.registries.k3s_registries#role), whose entry points C(verify) and C(remove) use it.
    Its name, its options and its results may change with any release. The metrics themselves are described in
    docs/monitoring.md.
  - Writes C(k3s_registries.prom) into the folder of node_exporter's textfile collector, or removes it.
  - The file is replaced in one step. Everybody on the node can read it (mode 0644).
  - Fails if the folder is missing, is a symbolic link, or if another user than root can write to it. The folder is
    never created or changed.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
options:
  folder:
    description: The folder, an absolute path.
    type: path
    required: true
  text:
    description: The metrics, in Prometheus' text format. Required with V(present).
    type: str
  state:
    description: V(absent) removes the file. It does nothing if there is none.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Remove the metrics
  k3sfleet.registries.k3s_registries_metrics:
    folder: /var/lib/prometheus/node-exporter
    state: absent
  become: true
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /var/lib/prometheus/node-exporter/k3s_registries.prom
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._metrics import textfile

ARGUMENTS: dict[str, dict[str, Any]] = {
    "folder": {"type": "path", "required": True},
    "text": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(ARGUMENTS, required_if=[("state", "present", ["text"])], supports_check_mode=True)
    folder, text = module.params["folder"], module.params["text"]
    path = os.path.join(folder, textfile.NAME)
    try:
        if module.params["state"] == "absent":
            module.exit_json(changed=textfile.remove(folder, module.check_mode), path=path)
        if not module.check_mode:
            textfile.write(folder, text)
    except textfile.MetricsProblem as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=True, path=path)


if __name__ == "__main__":
    main()
