#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of k3s_registries_report; the work is the action plugin's, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registries_report
short_description: "Internal to the role k3s_registries: write what is known about a fleet as HTML and JSON"
version_added: 1.0.0
description:
  - Internal to the role P(k3sfleet.registries.k3s_registries#role), whose entry point C(report) uses it. Its options
    may change with any release.
  - Makes one self-contained HTML file from what M(k3sfleet.registries.k3s_registries_info),
    M(k3sfleet.registries.k3s_registry_probe) and M(k3sfleet.registries.k3s_pull_diagnosis) have returned for the hosts
    of a play - the nodes by their registries, what has drifted or waits for a restart, nodes that could not be
    reached, certificates by days left, the latency of every endpoint, and failing pulls with their fix.
  - The file needs no network, no web server and, for reading, no JavaScript. The same document is written as JSON.
  - Runs on the controller only, once per play; no node is asked. Credentials are masked once more before anything is
    written, whoever has gathered the results.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
attributes:
  check_mode:
    details:
      - The page is made and nothing is written.
options:
  path:
    description:
      - The HTML file to write, on the controller. Missing folders are made.
      - Both files are replaced in one step each, so that a reader never sees half a report.
      - Neither is written through a symbolic link, nor over another user's file in a folder that everybody may write,
        such as C(/tmp). The task fails then, and writes none of the two.
    type: path
    required: true
  json_path:
    description: The JSON file to write. Empty means O(path) with the ending C(.json).
    type: path
    default: ""
  mode:
    description:
      - The mode of both files. The report holds no credentials, but it tells addresses, versions and weaknesses of a
        fleet, so that only its owner may read it unless you say otherwise.
    type: str
    default: "0600"
  title:
    description: The title of the report, such as the name of the fleet.
    type: str
    default: Private registries
  hosts:
    description:
      - The hosts of the report, with or without results. Without this option all hosts of the play, those included that
        have become unreachable.
    type: list
    elements: str
  info:
    description:
      - Host names to what M(k3sfleet.registries.k3s_registries_info) registered there, failed and unreachable results
        too.
    type: dict
    default: {}
  probe:
    description: The same for M(k3sfleet.registries.k3s_registry_probe).
    type: dict
    default: {}
  diagnosis:
    description: The same for M(k3sfleet.registries.k3s_pull_diagnosis).
    type: dict
    default: {}
  rehearsal:
    description:
      - The same for M(k3sfleet.registries.k3s_registries) with C(rehearse). Without it, the report has no section about
        what a new configuration means for pulls.
    type: dict
    default: {}
  examined:
    description:
      - The variable in which the hosts of the play have registered what C(k3s_registries_examine) returned, in place of
        O(info), O(probe), O(diagnosis) and O(rehearsal).
    type: str
    default: ""
  groups:
    description: The names of the V(server) and of the V(agent) hosts, as the variable C(groups) has them.
    type: dict
    default: {}
seealso:
  - module: k3sfleet.registries.k3s_registries_info
  - module: k3sfleet.registries.k3s_registry_probe
  - module: k3sfleet.registries.k3s_pull_diagnosis
"""

EXAMPLES = r"""
- name: Look at every node
  k3sfleet.registries.k3s_registries_info:
  become: true
  ignore_unreachable: true
  ignore_errors: true
  register: info

- name: Look for failing pulls
  k3sfleet.registries.k3s_pull_diagnosis:
    since: 2h
  become: true
  ignore_unreachable: true
  ignore_errors: true
  register: diagnosis

- name: Write the report
  k3sfleet.registries.k3s_registries_report:
    path: /srv/reports/registries.html
    mode: "0644"
    groups: "{{ groups }}"
    info: "{{ dict(hosts | zip(hosts | map('extract', hostvars, 'info'))) }}"
    diagnosis: "{{ dict(hosts | zip(hosts | map('extract', hostvars, 'diagnosis'))) }}"
  vars:
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
path:
  description: The HTML file.
  returned: success
  type: str
  sample: /srv/reports/registries.html
json_path:
  description: The JSON file.
  returned: success
  type: str
  sample: /srv/reports/registries.json
summary:
  description: The report in numbers, small enough for C(ansible.builtin.set_stats).
  returned: success
  type: dict
  contains:
    headline:
      description: The report in one line.
      type: str
      sample: 11 of 40 nodes need attention
    level:
      description: The worst level of a node - V(error), V(warning), V(unknown), V(info) or V(ok).
      type: str
      sample: warning
    nodes:
      description: How many nodes there are.
      type: int
    attention:
      description: How many of them need attention.
      type: int
    conditions:
      description: How many nodes are in which condition.
      type: dict
      sample: {ok: 29, pending: 2}
    findings:
      description: How many different troubles there are, each counted once for all its nodes.
      type: int
    failing_pulls:
      description: How many causes of failing pulls there are.
      type: int
    expiring_certificates:
      description: How many certificates have expired, expire within 30 days, or cannot be used.
      type: int
    expiring_credentials:
      description:
        - How many registries have credentials that have ended or end within 30 days, as far as that is known.
      type: int
handed_on:
  description: What the role hands on with C(ansible.builtin.set_stats), in addition to RV(summary).
  returned: success
  type: dict
  contains:
    outcome:
      description: The worst outcome of a node - V(unreachable), V(failed) if a module failed there, or V(unchanged).
      type: str
    hosts:
      description: Each outcome that there is to the names of its nodes.
      type: dict
    nodes:
      description: The same with numbers.
      type: dict
      sample: {unreachable: 1, unchanged: 39}
    document:
      description: The JSON, V(null) if it has more than 1 MiB.
      returned: in a job of AWX
      type: dict
    document_left_out:
      description: Why it is left out, empty if it is not.
      returned: in a job of AWX
      type: str
"""
