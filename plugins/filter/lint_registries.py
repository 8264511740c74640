# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a registries configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lint_registries
short_description: Find what K3s would refuse, drop or misuse in a registries configuration
version_added: 1.0.0
description:
  - Checks a C(registries.yaml), or the variable C(k3s_registries) of the role of that name, before a node gets it.
  - Each finding has a stable code; C(docs/lint.md) of the collection lists them all with their sources.
  - Never fails because of what the configuration holds, and shows no secret.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.configuration
positional: k3s_version, default_endpoint, embedded_mirror
options:
  _input:
    description:
      - The text of a C(registries.yaml), or a configuration as a mapping.
      - In a mapping C(tls) may hold the collection's own keys, such as C(ca_src) and C(cert_content).
    type: raw
    required: true
  k3s_version:
    description:
      - Release of the nodes, such as V(v1.34.3+k3s1), for the rules about releases.
      - Empty if it is not known.
    type: str
    default: ""
  default_endpoint:
    description:
      - Whether the registry itself is asked last.
      - V(false) if the nodes set C(disable-default-registry-endpoint).
    type: bool
    default: true
  images:
    description:
      - Names of images that the nodes will pull; those that no mirror covers are reported.
    type: list
    elements: str
    default: []
  environment:
    description:
      - Environment of the K3s service, for the rule about proxies.
    type: dict
    default: {}
  config_template:
    description:
      - Path of a custom template of containerd's configuration on the nodes.
      - Empty if there is none.
    type: str
    default: ""
  file:
    description: Name of the file that a text comes from; the findings repeat it.
    type: str
    default: ""
seealso:
  - plugin: k3sfleet.registries.resolve_image
    plugin_type: filter
  - plugin: k3sfleet.registries.from_registries_yaml
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Stop on what K3s would refuse, drop or misuse
  ansible.builtin.assert:
    that: findings | selectattr('level', 'eq', 'error') | length == 0
    fail_msg: "{{ findings }}"
  vars:
    findings: "{{ lookup('ansible.builtin.file', 'registries.yaml') | k3sfleet.registries.lint_registries }}"

- name: The findings for the variable of the role, for one release
  ansible.builtin.debug:
    msg: "{{ k3s_registries | k3sfleet.registries.lint_registries('v1.34.3+k3s1') }}"
"""

RETURN = r"""
_value:
  description:
    - The findings, errors first.
    - Each has C(code), C(level) (V(error) if K3s or containerd refuses, drops or misuses what is written,
      V(warning) otherwise), C(path), C(message) and C(fix).
    - The findings of a text also have C(line) and C(column), counted from 1, if the text has a place for them, and
      C(file) if O(file) is set.
    - A comment C(# k3s-lint) in a text ignores findings, as C(docs/ci.md) of the collection says.
  type: list
  elements: dict
"""

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import flag, text
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.document import Document
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.ignores import heed
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.text import lint_document

if TYPE_CHECKING:
    from typing import Any, Callable, Mapping, Sequence


def lint_registries(
    config: Any,
    k3s_version: str = "",
    default_endpoint: bool = True,
    embedded_mirror: str = "",
    images: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    config_template: str = "",
    file: str = "",
) -> list[dict[str, Any]]:
    """See DOCUMENTATION.

    :raises AnsibleFilterError: if an argument beside the configuration has the wrong type.
    """
    name = "lint_registries"
    given = plain(config)
    names = plain(images)
    if not isinstance(names, (list, tuple)) or not all(isinstance(image, str) for image in names):
        raise AnsibleFilterError(f"{name}: images must be a list of names")
    variables = plain(environment or {})
    if not isinstance(variables, dict):
        raise AnsibleFilterError(f"{name}: environment must be a mapping")
    nodes = NodeFacts(
        k3s_version=text(k3s_version, name, "k3s_version"),
        default_endpoint=flag(default_endpoint, name, "default_endpoint"),
        embedded_mirror=text(embedded_mirror, name, "embedded_mirror"),
        images=names,
        environment=variables,
        config_template=text(config_template, name, "config_template"),
    )
    if not isinstance(given, (str, bytes)):
        return lint(given, nodes, shipping_keys=True)
    document = Document(given)
    shown = text(file, name, "file")
    findings = heed(lint_document(document, nodes).findings, document).findings
    return [{**finding, "file": shown} for finding in findings] if shown else findings


class FilterModule:
    """Tells Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"lint_registries": lint_registries}
