#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which image pulls fail on a node, and why, from containerd's log."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_pull_diagnosis
short_description: Say which image pulls fail on a node, and why
version_added: 1.0.0
description:
  - Reads containerd's log on a K3s or RKE2 node, with its rotated files, compressed or not, oldest first, and returns
    for each image whose latest pull failed the cause, the endpoint to blame, a fix in one sentence that names the place
    in C(registries.yaml), and the lines that show it.
  - Files are read as a stream, so that the log's size does not matter to the node's memory.
  - Nothing on the node is changed, and no network is used. Needs only Python on the node.
notes:
  - This module only looks. So O(distribution), O(service) and O(data_dir) are taken at their word where they are set,
    and the other options that say what the node is are accepted and not used.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
options:
  log_file:
    description:
      - The log to read; its rotated files are found beside it.
      - Empty means C(<data_dir>/agent/containerd/containerd.log).
    type: path
    default: ""
  since:
    description:
      - Only what was logged since then - a time such as V(2026-11-25T02:00:00Z), or a duration before now such as V(90)
        (seconds), V(30m), V(2h) or V(1d).
      - Empty means everything that is there.
    type: str
    default: ""
  images:
    description: Only these images, with or without registry and tag as C(crictl pull) takes them. Empty means all.
    type: list
    elements: str
    default: []
  config:
    description:
      - The node's registries configuration, with the keys C(mirrors) and C(configs), as
        P(k3sfleet.registries.from_registries_yaml#filter) returns it.
      - With it the diagnosis also says why a mirror was not used, whether credentials exist under another key, and
        whether a pod's C(imagePullSecret) replaced the node's. Its credentials are masked in the result.
      - Without it the endpoints are read from the C(hosts.toml) files below C(<data_dir>/agent/etc/containerd/certs.d),
        which tell nothing about credentials.
    type: dict
seealso:
  - plugin: k3sfleet.registries.diagnose_pulls
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Ask why pulls have been failing for two hours
  k3sfleet.registries.k3s_pull_diagnosis:
    since: 2h
    config: "{{ k3s_registries }}"
  become: true
  register: diagnosis

- name: Show it
  ansible.builtin.debug:
    msg: "{{ item.image }}: {{ item.message }} {{ item.fix }}"
  loop: "{{ diagnosis.pulls }}"
  loop_control:
    label: "{{ item.image }}"

- name: Fail if an image cannot be pulled on an RKE2 node
  k3sfleet.registries.k3s_pull_diagnosis:
    distribution: rke2
    images:
      - registry.example.com/team/app:1
  become: true
  register: diagnosis
  failed_when: diagnosis is failed or diagnosis.pulls | length > 0
"""

RETURN = r"""
pulls:
  description: One entry for each image whose latest pull failed, in the order of the failures. Secrets are masked.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: The image reference, normalised as containerd does (V(nginx) is V(docker.io/library/nginx:latest)).
      type: str
      sample: docker.io/rancher/mirrored-pause:3.6
    cause:
      description: One word for the cause, V(unknown) if none fits.
      type: str
      sample: not_found
    endpoint:
      description: The host and port to blame, V(null) if a file on the node is the cause or the log does not decide.
      type: str
      sample: registry.example.com:5000
    message:
      description: What happened, with the error's own words in parentheses.
      type: str
    fix:
      description: What to do, in one sentence that names the path in the configuration.
      type: str
    evidence:
      description: The lines of the log that led to this, oldest first.
      type: list
      elements: str
files:
  description: The files that were read, oldest first.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/rancher/k3s/agent/containerd/containerd.log]
lines:
  description: How many lines were read.
  returned: success
  type: int
  sample: 81230
"""

import os
import time
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import (
    configured,
    kubelet_log,
    staging,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import places
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import NODE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem, service_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.config_option import take_config
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.loaded_secrets import loaded_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.log_files import find_log_files, read_log_file
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.moments import parse_since
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader

if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    log_file={"type": "path", "default": ""},
    since={"type": "str", "default": ""},
    images={"type": "list", "elements": "str", "default": []},
    config={"type": "dict", "no_log": True},
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """The module's result; fails through `module` if there is no log or an option cannot be understood."""
    config = take_config(module)
    parameters = module.params
    paths = places(parameters)
    log_file = parameters["log_file"] or paths.containerd_log
    try:
        since = parse_since(parameters["since"], time.time())
    except ValueError as error:
        module.fail_json(msg=f"since: {error}")
    files = find_log_files(log_file, since)
    if not files and not find_log_files(log_file):
        module.fail_json(
            msg=f"There is no containerd log at {log_file}: is {parameters['distribution']} installed here, and has"
            " it run? If its data is elsewhere, set data_dir or log_file."
        )
    generated = configured_mirrors(paths.certs_d)
    # Where the embedded registry is, stands in no configuration.
    config = generated if config is None else {**config, "embedded_hosts": generated.get("embedded_hosts")}
    secrets = [*loaded_secrets(paths.containerd_config), *_stored_secrets(paths)]
    reader = PullReader(config, parameters["images"], since, secrets=secrets)
    for path in files:
        try:
            reader.read(read_log_file(path))
        except FileNotFoundError:
            # Rotated away or compressed under our eyes: what it held is in the next one, or past keeping.
            continue
        except OSError as error:
            module.fail_json(msg=f"Cannot read {path}: {error.strerror}. Reading containerd's log needs become: true.")
    pulls = _with_the_kubelet_s_reasons(reader.diagnoses(), paths, since)
    return {"changed": False, "pulls": pulls, "files": files, "lines": reader.lines}


def _stored_secrets(paths: NodePaths) -> list[str]:
    """Those that the kubelet hands out, so that none of them is quoted either."""
    if not os.path.exists(paths.credential_store):
        return []
    # Imported here: hardly any node has a store.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.on_the_node import secrets

    return secrets(paths)


def _with_the_kubelet_s_reasons(
    pulls: list[dict[str, Any]], paths: NodePaths, since: float | None
) -> list[dict[str, Any]]:
    """Failing pulls that may be failing for want of a credential provider's answer say so."""
    if not any(pull["cause"] in kubelet_log.EXPLAINED for pull in pulls) or staging.content(paths) is None:
        return pulls
    try:
        lines = service_of(paths.service).log(since or 0.0, kubelet_log.LINES)
        lines = [*lines, *kubelet_log.own_file(paths.data_dir, since or 0.0)]
    except ServiceProblem:
        return pulls
    said, providers = kubelet_log.heard(lines), configured.known(paths).providers
    return [kubelet_log.explained(pull, said, providers) for pull in pulls]


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
