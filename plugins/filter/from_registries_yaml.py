# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What K3s makes of the text of a registries.yaml."""

from __future__ import annotations

DOCUMENTATION = r"""
name: from_registries_yaml
short_description: Read a registries.yaml as K3s reads it
version_added: 1.0.0
description:
  - Decodes the text of a C(registries.yaml) exactly as K3s and RKE2 do, which is not what C(from_yaml) does.
  - A text that K3s refuses is an error that names the line and the path, but never a value.
  - Everything that K3s ignores silently, such as a misspelt key, is an error, too, unless O(strict=false). Keys that
    lose nothing are not, such as a helper of an anchor whose name begins with C(x-).
author:
  - the k3sfleet.registries authors (@k3sfleet)
positional: strict
options:
  _input:
    description: The text, or its bytes.
    type: str
    required: true
  strict:
    description:
      - Whether keys that K3s does not know, and keys that occur twice, are errors.
      - V(false) leaves them out without a word, as K3s does.
    type: bool
    default: true
seealso:
  - plugin: k3sfleet.registries.to_registries_yaml
    plugin_type: filter
  - plugin: k3sfleet.registries.host_configs
    plugin_type: filter
"""

EXAMPLES = r"""
- name: The variable of another role; a misspelt key stops here, with its line
  ansible.builtin.set_fact:
    k3s_registries: "{{ registries_config_yaml | k3sfleet.registries.from_registries_yaml }}"

- name: What K3s makes of the file at hand, whatever it holds
  ansible.builtin.debug:
    msg: "{{ text | k3sfleet.registries.from_registries_yaml(strict=false) }}"
  vars:
    text: "{{ lookup('ansible.builtin.file', 'registries.yaml') }}"
"""

RETURN = r"""
_value:
  description:
    - The configuration with every known key present, C(mirrors) and C(configs) by name.
    - A mirror has C(endpoint) and C(rewrite). An entry of C(configs) has C(auth) and C(tls), V(null) if not set.
  type: dict
  sample:
    mirrors:
      docker.io:
        endpoint: ["https://registry.example.com:5000"]
        rewrite: {}
    configs: {}
"""

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import decoded, flag

if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


def from_registries_yaml(source: str | bytes, strict: bool = True) -> Config:
    """See DOCUMENTATION.

    :raises AnsibleFilterError: if K3s refuses the text, or, unless `strict` is false, ignores part of it.
    """
    given = plain(source)
    if not isinstance(given, (str, bytes)):
        raise AnsibleFilterError(
            f"from_registries_yaml: the input must be the text of a registries.yaml, not {type(given).__name__}"
        )
    return decoded(given, "from_registries_yaml", strict=flag(strict, "from_registries_yaml", "strict"))


class FilterModule:
    """Tells Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"from_registries_yaml": from_registries_yaml}
