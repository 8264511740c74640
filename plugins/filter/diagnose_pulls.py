# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter diagnose_pulls: why image pulls failed, from the text of containerd's log."""

from __future__ import annotations

DOCUMENTATION = r"""
name: diagnose_pulls
short_description: Explain from containerd's log why image pulls failed
version_added: 1.0.0
author:
  - k3sfleet.registries authors (@k3sfleet)
description:
  - Reads the text of C(containerd.log) as K3s and RKE2 write it. For each image whose latest pull failed, it returns
    the cause, the endpoint to blame, a fix in one sentence that names the place in C(registries.yaml), and the lines of
    the log that show it.
  - Knows the wording of containerd 1.6, 1.7 and 2.x, lines with a journal prefix, lines glued to the output of a CNI
    plugin, and the kubelet's repetition of the same errors.
  - The final error of a pull is often only that of the fallback to the internet. So a mirror's error is reported before
    the default endpoint's, and a mirror that lacks the image before anything else.
  - If an image was pulled successfully after a failure, it is not reported.
options:
  _input:
    description:
      - The text of one log, or of several joined, oldest first.
    type: str
    required: true
  config:
    description:
      - The node's registries configuration, with the keys C(mirrors) and C(configs), or the text of its
        C(registries.yaml), read as P(k3sfleet.registries.from_registries_yaml#filter) reads it.
      - With it the diagnosis also says why a mirror was not used, whether credentials exist under another key, and
        whether a pod's C(imagePullSecret) replaced the node's credentials. Credentials in it are masked in the result.
    type: raw
    default: {}
seealso:
  - module: k3sfleet.registries.k3s_pull_diagnosis
notes:
  - Secrets are masked in all returned texts.
"""

EXAMPLES = r"""
- name: Read the log of a node
  ansible.builtin.slurp:
    src: /var/lib/rancher/k3s/agent/containerd/containerd.log
  register: log

- name: Show what fails and what to do about it
  ansible.builtin.debug:
    msg: "{{ item.image }}: {{ item.message }} {{ item.fix }}"
  loop: "{{ log.content | b64decode | k3sfleet.registries.diagnose_pulls(k3s_registries) }}"
  loop_control:
    label: "{{ item.image }}"
"""

RETURN = r"""
_value:
  description: One entry for each image whose latest pull failed, in the order of the failures.
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
      description:
        - The C(host:port) to blame.
        - V(null) if a file on the node is the cause, or if the log does not show which one.
      type: str
      sample: registry.example.com:5000
    message:
      description: What happened, with the original error in parentheses.
      type: str
    fix:
      description: What to do, in one sentence that names the path in the configuration.
      type: str
    evidence:
      description: The lines of the log that led to this, oldest first, without secrets.
      type: list
      elements: str
"""

import re
from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import decoded

if TYPE_CHECKING:
    from typing import Any, Callable

# Found one by one, so that a log of 50 MB is not in memory twice.
_LINE = re.compile(r"[^\n]+")


def diagnose_pulls(log: str, config: dict[str, Any] | str | None = None) -> list[dict[str, Any]]:
    """See DOCUMENTATION.

    :raises AnsibleFilterError: if `log` is not a text, or `config` neither a dict nor a text that K3s reads.
    """
    if not isinstance(log, str):
        raise AnsibleFilterError(f"diagnose_pulls: the input must be the text of a log, not {type(log).__name__}")
    given = plain(config)
    if isinstance(given, (str, bytes)):
        given = decoded(given, "diagnose_pulls")
    elif given is not None and not isinstance(given, dict):
        raise AnsibleFilterError(
            "diagnose_pulls: config must be a mapping with the keys mirrors and configs, or the text of a"
            f" registries.yaml, not {type(given).__name__}"
        )
    reader = PullReader(given)
    reader.read(line.group() for line in _LINE.finditer(log))
    return reader.diagnoses()


class FilterModule:
    """Tells Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"diagnose_pulls": diagnose_pulls}
