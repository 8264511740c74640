# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that tell a node's files and its service."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  distribution:
    description: Which distribution runs on the node.
    type: str
    choices: [k3s, rke2]
    default: k3s
  node_role:
    description: Whether the node is a server or an agent of the cluster.
    type: str
    choices: [server, agent]
    required: true
  service:
    description:
      - The service that runs it.
      - Empty means C(k3s), C(k3s-agent), C(rke2-server) or C(rke2-agent).
    type: str
    default: ""
  config_dir:
    description: The folder of C(config.yaml). Empty means C(/etc/rancher/<distribution>).
    type: path
    default: ""
  data_dir:
    description: The value of C(--data-dir). Empty means C(/var/lib/rancher/<distribution>).
    type: path
    default: ""
  cert_dir:
    description:
      - The folder for shipped certificates, one folder per registry in it.
      - Empty means C(<config_dir>/registry-certs).
    type: path
    default: ""
  registries_file:
    description: The value of C(--private-registry). Empty means C(<config_dir>/registries.yaml).
    type: path
    default: ""
"""
