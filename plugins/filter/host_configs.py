# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts containerd tries for which registry."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_configs
short_description: Show which hosts K3s makes containerd try for each registry
version_added: 1.0.0
description:
  - Merges C(mirrors) and C(configs) by the rules of K3s, for each registry that gets a directory below C(certs.d).
  - Registries for which containerd uses its defaults are absent.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.configuration.input
  - k3sfleet.registries.configuration
positional: default_endpoint, embedded_mirror
seealso:
  - plugin: k3sfleet.registries.hosts_toml
    plugin_type: filter
  - plugin: k3sfleet.registries.resolve_image
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the endpoints of Docker Hub, in order
  ansible.builtin.debug:
    msg: "{{ (k3s_registries | k3sfleet.registries.host_configs)['docker.io'].endpoints | map(attribute='url') }}"

- name: Show the hosts on nodes that never ask the registry itself
  ansible.builtin.debug:
    msg: "{{ k3s_registries | k3sfleet.registries.host_configs(default_endpoint=false) }}"
"""

RETURN = r"""
_value:
  description:
    - Maps the registry's directory below C(certs.d), V(_default) for V(*), to its C(default) and C(endpoints).
    - Each of them has C(url), C(override_path), C(tls), C(auth) and C(rewrites).
    - C(auth) holds the credentials themselves.
    - C(default) is V(null) if the registry itself is not asked. Its C(url) is empty for the wildcard mirror,
      and V(null) for a wildcard entry of C(configs).
  type: dict
"""

from typing import TYPE_CHECKING

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import host_configs as rules
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import configuration, flag, text

if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import HostConfig


def host_configs(
    config: dict[str, Any] | str | None, default_endpoint: bool = True, embedded_mirror: str = ""
) -> dict[str, HostConfig]:
    """See DOCUMENTATION.

    :raises AnsibleFilterError: if an argument has the wrong type.
    """
    return rules(
        configuration(config, "host_configs"),
        flag(default_endpoint, "host_configs", "default_endpoint"),
        text(embedded_mirror, "host_configs", "embedded_mirror"),
    )


class FilterModule:
    """Tells Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"host_configs": host_configs}
