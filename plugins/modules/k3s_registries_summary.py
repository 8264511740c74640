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
  - Hands on the outcome with V(verify), V(diagnose) and V(rollout), as C(ansible.builtin.set_stats) does.
  - Runs on the controller only, once per play; no node is asked.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
attributes:
  check_mode:
    details:
      - Everything is printed and nothing is written.
options:
  of:
    description:
      - V(verify) shows the C(verdict) of every node, and V(diagnose) its failing pulls; both as
        C(k3s_registries_examine) returns them. A node on which that failed, or that could not be reached, is named.
      - V(upgrade_check) shows the C(upgrade) that C(k3s_upgrade_check) has returned. The task fails if something speaks
        against the upgrade, or if a host of the play is missing.
      - V(rehearse) returns what a change means for pulls, for whoever approves it, out of what
        M(k3sfleet.registries.k3s_registries) has returned for C(rehearse). The tasks of the nodes have printed it
        already.
      - V(rollout) prints nothing, and hands on what has come of each host of a rollout.
    type: str
    choices: [verify, diagnose, upgrade_check, rehearse, rollout]
    required: true
  registered:
    description: The variable in which the hosts of the play have registered it. Not needed with V(rollout).
    type: str
    default: ""
  path:
    description:
      - The JSON file to write on the controller, with V(verify) and V(diagnose). Empty writes none. Missing folders are
        made.
      - It has every host of the play. For V(verify), C(k3s_registries_examine) must have kept what it found.
      - It is replaced in one step. It is not written through a symbolic link, nor over another user's file in a folder
        that everybody may write. The task fails then.
    type: path
    default: ""
  mode:
    description:
      - The mode of this file. It holds no credentials, but it tells addresses, versions and weaknesses of a fleet.
    type: str
    default: "0600"
  groups:
    description: The names of the V(server) and of the V(agent) hosts, as the variable C(groups) has them.
    type: dict
    default: {}
seealso:
  - module: k3sfleet.registries.k3s_pull_diagnosis
"""

EXAMPLES = r"""
- name: Look for failing pulls
  k3sfleet.registries.k3s_registries_examine:
    diagnosis:
      since: 2h
  become: true
  register: examined

- name: Say what they have in common
  k3sfleet.registries.k3s_registries_summary:
    of: diagnose
    registered: examined
  run_once: true
"""

RETURN = r"""
lines:
  description: What was printed.
  returned: success, except with V(rollout)
  type: list
  elements: str
headline:
  description: Its last line, which sums up.
  returned: success, except with V(rollout)
  type: str
  sample: "2 of 40 nodes failed: edge-7, edge-31"
json_path:
  description: The JSON file.
  returned: with O(path)
  type: str
  sample: /srv/results/verify.json
nodes:
  description: The nodes that do not pass, or that have failing pulls.
  returned: success, except with V(rollout)
  type: list
  elements: str
"""
