# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact hosts.toml files that K3s writes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts_toml
short_description: Predict the hosts.toml files that K3s writes, byte for byte
version_added: 1.0.0
description:
  - Returns the text of each C(certs.d/<registry>/hosts.toml) that K3s or RKE2 writes for containerd when it starts.
  - The text is that of current releases. Releases before those with containerd 2 (early 2025) write the same tables
    with other blank lines, and those before January 2024 write no such files.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.configuration.input
  - k3sfleet.registries.configuration
positional: default_endpoint, embedded_mirror, program
options:
  program:
    description: The program that writes the files. Their first line names it.
    type: str
    choices: [k3s, rke2]
    default: k3s
seealso:
  - plugin: k3sfleet.registries.host_configs
    plugin_type: filter
  - plugin: k3sfleet.registries.resolve_image
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Compare a node's file with what K3s should have written
  ansible.builtin.assert:
    that: >-
      (hosts_file.content | b64decode) ==
      (k3s_registries | k3sfleet.registries.hosts_toml)['docker.io']
"""

RETURN = r"""
_value:
  description:
    - Maps the registry's directory below C(certs.d), V(_default) for V(*), to the text of its C(hosts.toml).
    - For the files of the embedded mirror, it has the placeholders V(server-ca), V(client-cert) and V(client-key).
  type: dict
"""

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import HostsTomlError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml as rules
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import configuration, flag, text

if TYPE_CHECKING:
    from typing import Any, Callable

_PROGRAMS = ("k3s", "rke2")


def hosts_toml(
    config: dict[str, Any] | str | None, default_endpoint: bool = True, embedded_mirror: str = "", program: str = "k3s"
) -> dict[str, str]:
    """See DOCUMENTATION.

    :raises AnsibleFilterError: if an argument is wrong, or K3s could not write a file.
    """
    name = text(program, "hosts_toml", "program")
    if name not in _PROGRAMS:
        raise AnsibleFilterError(f"hosts_toml: program must be {' or '.join(_PROGRAMS)}, not {name!r}")
    try:
        return rules(
            configuration(config, "hosts_toml"),
            flag(default_endpoint, "hosts_toml", "default_endpoint"),
            text(embedded_mirror, "hosts_toml", "embedded_mirror"),
            name,
        )
    except HostsTomlError as error:
        raise AnsibleFilterError(f"hosts_toml: {error}") from None


class FilterModule:
    """Tells Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"hosts_toml": hosts_toml}
