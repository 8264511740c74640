# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests containerd makes for an image."""

from __future__ import annotations

DOCUMENTATION = r"""
name: resolve_image
short_description: Show the requests that containerd makes for an image, in order
version_added: 1.0.0
description:
  - Lists the hosts that containerd asks for the manifest of an image, one after the other, until one has it.
  - Names are completed as containerd does it, V(nginx) to V(docker.io/library/nginx:latest). If a name has a tag and
    a digest, the digest counts.
  - If the Python package C(google-re2) is installed on the controller, rewrites run in RE2. Otherwise, rewrites that
    mean the same to Python's C(re) are applied, and the others are listed in C(rewrites_skipped).
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.configuration.config
  - k3sfleet.registries.configuration
positional: config, default_endpoint, embedded_mirror
options:
  _input:
    description: The image's name, as in a pod.
    type: str
    required: true
seealso:
  - plugin: k3sfleet.registries.host_configs
    plugin_type: filter
  - plugin: k3sfleet.registries.hosts_toml
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show where nodes look for the pause image
  ansible.builtin.debug:
    msg: "{{ 'docker.io/rancher/mirrored-pause:3.6' | k3sfleet.registries.resolve_image(k3s_registries) }}"

- name: Check that nodes ask no registry outside for any image
  ansible.builtin.assert:
    that: >-
      item | k3sfleet.registries.resolve_image(k3s_registries, default_endpoint=false)
      | selectattr('kind', 'eq', 'default') | length == 0
  loop: "{{ images }}"
"""

RETURN = r"""
_value:
  description: The attempts, in order.
  type: list
  elements: dict
  contains:
    kind:
      description: V(embedded) for the embedded mirror, V(mirror) for an endpoint, V(default) for the registry itself.
      type: str
    endpoint:
      description: The host's URL as in C(hosts.toml), or the implied one.
      type: str
    url:
      description: The URL of the manifest, with C(?ns=) if the host is not the registry's.
      type: str
    repository:
      description: The requested repository, after rewrites.
      type: str
    reference:
      description: The digest or the tag.
      type: str
    auth:
      description: Whether credentials of the configuration apply. A pod's pull secret replaces them.
      type: bool
    tls:
      description: The TLS settings that apply, such as C(ca_file), each only if it is set.
      type: dict
    rewrite_ambiguous:
      description: Several rewrites change the repository, and K3s applies any one of them.
      type: bool
      returned: if it is so
    repository_alternatives:
      description: The repositories that containerd can ask for.
      type: list
      elements: str
      returned: with C(rewrite_ambiguous)
    rewrites_skipped:
      description: Patterns that are not applied, with the reason.
      type: dict
      returned: if there are any
    https_first:
      description: There are TLS settings for this http URL, and containerd 1.7 and later ask over https first.
      type: bool
      returned: if it is so
    request_error:
      description: The URL is invalid, so nothing is asked and the next host is tried.
      type: str
      returned: if it is so
    hosts_toml_error:
      description: containerd cannot read the C(hosts.toml) that K3s writes, and ignores the mirror.
      type: str
      returned: if it is so
"""

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image as rules
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import (
    configuration,
    flag,
    text,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rewrite_engine import rewrite_engine

if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import Attempt


def resolve_image(
    image: str, config: dict[str, Any] | str | None, default_endpoint: bool = True, embedded_mirror: str = ""
) -> list[Attempt]:
    """See DOCUMENTATION.

    :raises AnsibleFilterError: if containerd does not accept the name, or an argument has the wrong type.
    """
    try:
        return rules(
            text(image, "resolve_image", "the image"),
            configuration(config, "resolve_image"),
            flag(default_endpoint, "resolve_image", "default_endpoint"),
            text(embedded_mirror, "resolve_image", "embedded_mirror"),
            rewrite_engine(),
        )
    except ImageError as error:
        raise AnsibleFilterError(f"resolve_image: {error}") from None


class FilterModule:
    """Tells Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"resolve_image": resolve_image}
