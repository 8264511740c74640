#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of k3s_registries_summary; the work is the action plugin's, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registries_summary
short_description: "Internal to the role k3s_registries: print what was found about the registries of a whole fleet"
version_added: 1.0.0
description:
  - Internal. The tasks of the role C(k3s_registries) use it; its name, its options and its result may change.
  - Prints, readable in a terminal and in AWX, the table of nodes by endpoints that a verification ends with, or the
    failing pulls of a fleet by cause, those of most nodes first, each with its fix and the lines that show it, or what
    an upgrade does to the registries of a fleet.
  - Runs on the controller only, once per play; no node is asked.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
options:
  verdicts:
    description: The C(verdict) of every node, as C(k3s_registries_examine) returns it.
    type: list
    elements: dict
  diagnosis:
    description: Host names to what M(k3sfleet.registries.k3s_pull_diagnosis) registered there, failed results too.
    type: dict
  info:
    description:
      - Host names to what M(k3sfleet.registries.k3s_registries_info) registered there, beside O(diagnosis).
      - Where it failed or could not reach a host, so that the host was not asked further, that is said.
    type: dict
    default: {}
  upgrade:
    description:
      - Host names to the C(upgrade) that C(k3s_upgrade_check) has returned there. The task fails if something speaks
        against the upgrade, or if a host of the play is missing here.
    type: dict
  rehearsals:
    description:
      - Host names to what M(k3sfleet.registries.k3s_registries) has returned there for C(rehearse). Returns what the
        change means for pulls on all of them, for whoever approves it. The tasks of the nodes have printed it already.
    type: dict
seealso:
  - module: k3sfleet.registries.k3s_pull_diagnosis
"""

EXAMPLES = r"""
- name: Look for failing pulls
  k3sfleet.registries.k3s_pull_diagnosis:
    since: 2h
  become: true
  register: diagnosis

- name: Say what they have in common
  k3sfleet.registries.k3s_registries_summary:
    diagnosis: "{{ dict(hosts | zip(hosts | map('extract', hostvars, 'diagnosis'))) }}"
  vars:
    hosts: "{{ ansible_play_hosts }}"
  run_once: true
"""

RETURN = r"""
lines:
  description: What was printed.
  returned: success
  type: list
  elements: str
headline:
  description: Its last line, which sums up.
  returned: success
  type: str
  sample: "2 of 40 nodes failed: edge-7, edge-31"
nodes:
  description: The nodes that do not pass, or that have failing pulls.
  returned: success
  type: list
  elements: str
"""
