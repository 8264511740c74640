#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of k3s_registries_lint; the work is the action plugin's, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registries_lint
short_description: "Internal to the playbook lint: print what it finds"
version_added: 1.0.0
description:
  - Internal to the playbook C(lint) of this collection, whose variables are the interface; it may change at any time.
  - Lints files of the controller, and prints what is found or writes it to a file. No node is asked.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
attributes:
  check_mode:
    details: The report is not written.
options:
  file:
    description:
      - A file, a folder that is looked through for files whose name ends in C(registries.yaml), or a pattern.
      - A list of them, or a text with commas between them.
    type: raw
  config:
    description: What is looked at without O(file) - the variable C(k3s_registries).
    type: raw
  output:
    description: V(text) and V(github) are printed, V(json) and V(sarif) are written to O(report).
    type: str
    choices: [text, github, json, sarif]
    default: text
  report:
    description: The file for V(json) and V(sarif).
    type: path
    default: ""
  fail_on:
    description: The lowest level of a finding with which the task fails.
    type: str
    choices: [error, warning, never]
    default: error
  levels:
    description: Levels by the code of a rule, V(error) or V(warning).
    type: dict
    default: {}
  ignore:
    description: Findings that are ignored - mappings with C(rule) and C(reason), and optionally C(file) and C(path).
    type: list
    elements: raw
    default: []
  k3s_version:
    description: Release of the nodes, for the rules about releases.
    type: str
    default: ""
  disable_default_endpoint:
    description: Whether the nodes set C(disable-default-registry-endpoint).
    type: bool
    default: false
  embedded_registry:
    description: Whether the cluster sets C(embedded-registry).
    type: bool
    default: false
  image:
    description: An image whose attempts are shown, in order, for each file without errors.
    type: str
    default: ""
  images:
    description: Images that the nodes will pull; those that no mirror covers are reported.
    type: list
    elements: str
    default: []
seealso:
  - plugin: k3sfleet.registries.lint_registries
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Lint every registries.yaml below a folder
  k3sfleet.registries.k3s_registries_lint:
    file: clusters
    fail_on: warning
"""

RETURN = r"""
errors:
  description: How many findings are errors.
  returned: unless nothing could be looked at
  type: int
warnings_found:
  description: How many findings are warnings.
  returned: unless nothing could be looked at
  type: int
summary:
  description: Both as a sentence, with the number of files.
  returned: unless nothing could be looked at
  type: str
  sample: "2 files: 1 error, 3 warnings"
"""
