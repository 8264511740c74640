#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of k3s_registries_examine; the work is the action plugin's, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registries_examine
short_description: "Internal to the role k3s_registries: ask a node everything in one task"
version_added: 1.0.0
description:
  - Internal to the role P(k3sfleet.registries.k3s_registries#role), whose entry points C(verify), C(report) and
    C(diagnose) use it. Its options and results may change with any release; use the modules that it asks, which are
    named below.
  - Asks a node what its registries are and, as far as the options say, what follows from that. A question that fails,
    or a node that cannot be reached, is an answer and no failure.
  - With O(verify) the answers are judged, and the task fails if the node does not pass.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
attributes:
  check_mode:
    details:
      - No image is pulled.
options:
  node:
    description: The options that say what the node is, which M(k3sfleet.registries.k3s_registries_info) and all others
      are given.
    type: dict
    default: {}
  applied:
    description:
      - Options of M(k3sfleet.registries.k3s_registries), which is asked in check mode what it would change.
      - Not asked if they have no C(config), or another C(state) than C(present).
    type: dict
  probe:
    description: Options of M(k3sfleet.registries.k3s_registry_probe). Not asked without, nor if K3s is not installed.
    type: dict
  canary:
    description: The same of M(k3sfleet.registries.k3s_canary_pull). Not asked without C(images).
    type: dict
  diagnosis:
    description: The same of M(k3sfleet.registries.k3s_pull_diagnosis).
    type: dict
  rehearsal:
    description:
      - Options of M(k3sfleet.registries.k3s_registries) with C(rehearse), which is asked in check mode whether the node
        could still pull its images. Not asked if they have no C(config).
    type: dict
  verify:
    description: Judge the answers, and fail if the node does not pass. A node whose K3s is stopped passes, and is asked
      neither O(probe) nor O(canary).
    type: dict
    suboptions:
      managed:
        description: Whether the node is meant to have the collection's configuration, so that another's is a failure.
        type: bool
        default: false
      not_installed:
        description: V(allow) lets a node pass on which K3s is not installed, so that nothing can be verified there.
        type: str
        choices: [fail, allow]
        default: fail
      keep:
        description: Keep everything that was found for C(k3s_registries_summary), which writes it for all nodes.
        type: bool
        default: false
      metrics_dir:
        description:
          - The folder on the node in which M(k3sfleet.registries.k3s_registries_metrics) writes the result as metrics.
            Empty writes none. Nothing is written in check mode, or if the node cannot be reached.
          - If it cannot be written, the node does not pass. That it is written is not a change.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Ask the node what it has loaded and what its endpoints answer, and fail if something is wrong
  k3sfleet.registries.k3s_registries_examine:
    probe: {}
    verify: {}
  become: true
"""

RETURN = r"""
info:
  description: What M(k3sfleet.registries.k3s_registries_info) has returned, a failed or unreachable result too.
  returned: without O(verify)
  type: dict
applied:
  description: The same of M(k3sfleet.registries.k3s_registries), empty if it was not asked.
  returned: without O(verify)
  type: dict
probe:
  description: The same of M(k3sfleet.registries.k3s_registry_probe).
  returned: without O(verify)
  type: dict
canary:
  description: The same of M(k3sfleet.registries.k3s_canary_pull).
  returned: without O(verify)
  type: dict
diagnosis:
  description: The same of M(k3sfleet.registries.k3s_pull_diagnosis).
  returned: without O(verify)
  type: dict
rehearsal:
  description: The same of M(k3sfleet.registries.k3s_registries) with C(rehearse), empty if it was not asked.
  returned: without O(verify)
  type: dict
kept:
  description: The mark under which the run keeps what was found, empty if the controller could not keep it.
  returned: with O(verify.keep)
  type: str
verdict:
  description: Whether the node passes, and why not.
  returned: with O(verify)
  type: dict
  contains:
    host:
      description: The node.
      type: str
    ok:
      description: Whether it passes.
      type: bool
    state:
      description:
        - The state that M(k3sfleet.registries.k3s_registries_info) gives, V(not applied) if the inventory says
          something else, V(unreachable) or V(not examined).
      type: str
    release:
      description: The installed release.
      type: str
    cells:
      description: Each endpoint to what it is to the node, in a few words.
      type: dict
      sample: {"registry.example.com:5000": ok 12 ms}
    canary:
      description: The same for the canary images.
      type: str
      sample: ok 0.8 s
    failures:
      description: Why it does not pass, one sentence each, with the fix.
      type: list
      elements: str
    warnings:
      description: What is worth mentioning.
      type: list
      elements: str
"""
