#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of k3s_registries_verdict; the work is the action plugin's, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registries_verdict
short_description: Fail a node whose registries are not as they should be
version_added: 1.0.0
description:
  - Judges a node by what M(k3sfleet.registries.k3s_registries_info), M(k3sfleet.registries.k3s_registry_probe) and
    M(k3sfleet.registries.k3s_canary_pull) have returned for it, on the controller; the node is not asked again.
  - A node passes when K3s has loaded what is in place, nothing about it is an error, every registry can be reached by
    at least one of its endpoints, and every canary image can be pulled. A fallback to the internet that does not answer
    is no failure as long as the mirrors before it do. A node on which K3s is stopped or not installed passes.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  action:
    support: full
  platform:
    support: full
    platforms: posix
options:
  info:
    description: What M(k3sfleet.registries.k3s_registries_info) registered, a failed or unreachable result too.
    type: dict
    required: true
  probe:
    description: The same of M(k3sfleet.registries.k3s_registry_probe), empty if it was not run.
    type: dict
    default: {}
  canary:
    description: The same of M(k3sfleet.registries.k3s_canary_pull).
    type: dict
    default: {}
  applied:
    description:
      - What M(k3sfleet.registries.k3s_registries) has returned in check mode, which compares the inventory with what is
        in place. A node on which something would change does not pass.
    type: dict
    default: {}
  managed:
    description: Whether the node is meant to have the collection's configuration, so that another's is a failure.
    type: bool
    default: false
  not_installed:
    description: V(allow) lets a node pass on which K3s is not installed, so that nothing can be verified there.
    type: str
    choices: [fail, allow]
    default: fail
seealso:
  - module: k3sfleet.registries.k3s_registries_summary
"""

EXAMPLES = r"""
- name: Look at the node
  k3sfleet.registries.k3s_registries_info:
  become: true
  register: info

- name: Ask its endpoints
  k3sfleet.registries.k3s_registry_probe:
  become: true
  register: probe

- name: Fail if something is wrong
  k3sfleet.registries.k3s_registries_verdict:
    info: "{{ info }}"
    probe: "{{ probe }}"
"""

RETURN = r"""
verdict:
  description: The judgement.
  returned: always
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
        - The state that M(k3sfleet.registries.k3s_registries_info) gives, V(not applied) where the inventory says
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
