# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration as the text of a registries.yaml."""

from __future__ import annotations

DOCUMENTATION = r"""
name: to_registries_yaml
short_description: Write a registries.yaml that K3s reads back unchanged
version_added: 1.0.0
description:
  - Writes a configuration so that K3s decodes the text to the very same values, whatever they contain.
  - Passwords such as V(0123), V(yes) or V(~), and those with spaces and special characters, stay as they are.
  - Empty keys are left out, and the order is kept.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.configuration.input
seealso:
  - plugin: k3sfleet.registries.from_registries_yaml
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write the file of a node
  ansible.builtin.copy:
    content: "{{ k3s_registries | k3sfleet.registries.to_registries_yaml }}"
    dest: /etc/rancher/k3s/registries.yaml
    mode: "0600"
  no_log: true
"""

RETURN = r"""
_value:
  description: The text. It ends with a line feed.
  type: str
"""

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import configuration
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import EncodeError

if TYPE_CHECKING:
    from typing import Any, Callable


def to_registries_yaml(config: dict[str, Any] | str | None) -> str:
    """See DOCUMENTATION.

    :raises AnsibleFilterError: if it is not a configuration, or contains bytes that are not text.
    """
    try:
        return encode(configuration(config, "to_registries_yaml"))
    except EncodeError as error:
        raise AnsibleFilterError(f"to_registries_yaml: {error}") from None


class FilterModule:
    """Tells Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"to_registries_yaml": to_registries_yaml}
