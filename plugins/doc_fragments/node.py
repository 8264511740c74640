# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that say what a node is."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  distribution:
    description:
      - Which distribution runs on the node. If the node runs the other one, it is refused.
    type: str
    choices: [k3s, rke2]
    default: k3s
  node_role:
    description:
      - What the inventory says the node is - a V(server) or an V(agent) of the cluster, or in V(neither) or V(both)
        of its groups. If the node runs something else, it is refused, and the message says where to fix it.
      - If empty, the role is what the node's service runs.
    type: str
    choices: ["", server, agent, neither, both]
    default: ""
  service:
    description:
      - The service that runs it. If the node runs it under another name, it is refused.
      - If empty, the service is found on the node, whatever its name.
    type: str
    default: ""
  config_dir:
    description:
      - The folder in which the collection creates its folders on the node. C(config.yaml) and C(registries.yaml) are
        there too, unless the service says otherwise. Empty means C(/etc/rancher/<distribution>).
    type: path
    default: ""
  data_dir:
    description:
      - The value of C(--data-dir). If the node uses another one, it is refused.
      - If empty, it is what K3s' command line, environment or configuration files say on the node.
    type: path
    default: ""
  cert_dir:
    description:
      - The folder for shipped certificates. Each registry has a folder in it.
      - Empty means C(<config_dir>/registry-certs).
    type: path
    default: ""
  registries_file:
    description:
      - The value of C(--private-registry). If the node uses another one, it is refused.
      - If empty, it is what K3s' command line or configuration files say on the node.
    type: path
    default: ""
  settings_read:
    description:
      - What the controller has read from K3s' configuration files, if the node could not read them reliably. Only the
        action plugin sets it.
    type: dict
  cluster:
    description:
      - The names of the inventory groups of the node's cluster, as C(SERVER_GROUP/AGENT_GROUP). They tell it from
        other clusters that the same run works on, and are named in messages.
    type: str
    default: ""
"""
