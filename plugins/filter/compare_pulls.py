# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of the configuration means for pulls."""

from __future__ import annotations

DOCUMENTATION = r"""
name: compare_pulls
short_description: Say in words what a change of the configuration means for pulls
version_added: 1.0.0
description:
  - Compares where containerd asks for images under two configurations, without any node. Use it to review a merge
    request.
  - It asks nobody. So it says where images are asked for, and not whether they are there.
  - If the Python package C(google-re2) is installed on the controller, rewrites run in RE2. Otherwise, only rewrites
    that mean the same to Python's C(re) are applied.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.configuration
positional: before, after, default_endpoint, embedded_mirror
options:
  _input:
    description: Names of images, as in pods. Without any, only endpoints are compared.
    type: list
    elements: str
    required: true
  before:
    description:
      - The configuration that is in force, with the keys C(mirrors) and C(configs), or the text of a
        C(registries.yaml).
    type: raw
    required: true
  after:
    description: The new configuration, in the same form.
    type: raw
    required: true
  default_endpoint_before:
    description: O(default_endpoint) for O(before), if the change is about that. Otherwise the same counts for both.
    type: bool
  embedded_mirror_before:
    description: O(embedded_mirror) for O(before), if the change is about that. Otherwise the same counts for both.
    type: str
seealso:
  - plugin: k3sfleet.registries.resolve_image
    plugin_type: filter
  - module: k3sfleet.registries.k3s_registry_probe
"""

EXAMPLES = r"""
- name: Say what a merge request changes for the images of a release
  ansible.builtin.debug:
    msg: "{{ (images | k3sfleet.registries.compare_pulls(before, k3s_registries)).sentences }}"
  vars:
    images: "{{ lookup('ansible.builtin.file', 'k3s-images.txt').splitlines() }}"
    before: "{{ lookup('ansible.builtin.pipe', 'git show main:registries.yaml') }}"

- name: Refuse a change that takes a fallback away
  ansible.builtin.assert:
    that: effect.fallback_lost | length == 0
    fail_msg: "{{ effect.sentences | join('; ') }}"
  vars:
    effect: "{{ images | k3sfleet.registries.compare_pulls(before, k3s_registries) }}"
"""

RETURN = r"""
_value:
  description: What changes. Images are full names, endpoints are C(scheme://host[:port]).
  type: dict
  contains:
    changes:
      description: Whether any pull is made in another way.
      type: bool
    sentences:
      description: What changes, in words.
      type: list
      elements: str
      sample:
        - 14 images move from registry-1.docker.io to https://registry.example.com:5000/v2/dockerhub
        - 2 images lose their fallback
        - the credentials of 1 endpoint change
        - 9 images are as before
    as_before:
      description: Images for which the same requests are made.
      type: list
      elements: str
    moves:
      description: Images that are asked for at another place first, with the places in C(before) and C(after).
      type: list
      elements: dict
      contains:
        before:
          description: The host of a registry, or the URL of an endpoint with what rewrites put before names.
          type: str
        after:
          description: The new place.
          type: str
        images:
          description: The images.
          type: list
          elements: str
    renamed:
      description: Images that are asked for at the same place under another name.
      type: list
      elements: str
    fallback_lost:
      description: Images that were asked for elsewhere if the first place did not have them, and no longer are.
      type: list
      elements: str
    fallback_gained:
      description: Images that get such further places.
      type: list
      elements: str
    fallback_changed:
      description: Images whose further places are others.
      type: list
      elements: str
    embedded_on:
      description: Images for which the embedded registry is now asked first.
      type: list
      elements: str
    embedded_off:
      description: Images for which it is no longer asked.
      type: list
      elements: str
    unsure:
      description: Images for which several rewrites apply, and K3s takes any one of them.
      type: list
      elements: str
    unreadable:
      description: Images whose mirror is ignored, because containerd cannot read the C(hosts.toml) that K3s will write.
      type: list
      elements: str
    credentials:
      description: Endpoints that get other credentials, get some for the first time or get none any more.
      type: list
      elements: str
    tls:
      description: Endpoints whose TLS settings change. A change of a certificate's content under the same path is none.
      type: list
      elements: str
    unverified:
      description: Endpoints whose certificate is no longer verified.
      type: list
      elements: str
    refused:
      description: Names that containerd does not accept.
      type: list
      elements: str
"""

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.effect import Situation, effect
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import (
    configuration,
    flag,
    text,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rewrite_engine import rewrite_engine

if TYPE_CHECKING:
    from typing import Any, Callable

_NAME = "compare_pulls"


def compare_pulls(
    images: list[str],
    before: dict[str, Any] | str | None,
    after: dict[str, Any] | str | None,
    default_endpoint: bool = True,
    embedded_mirror: str = "",
    default_endpoint_before: bool | None = None,
    embedded_mirror_before: str | None = None,
) -> dict[str, Any]:
    """See DOCUMENTATION.

    :raises AnsibleFilterError: if an argument has the wrong type.
    """
    names = plain(images)
    if not isinstance(names, (list, tuple)):
        raise AnsibleFilterError(f"{_NAME}: the images must be a list of names, not {type(names).__name__}")
    endpoint_then = default_endpoint if default_endpoint_before is None else default_endpoint_before
    embedded_then = embedded_mirror if embedded_mirror_before is None else embedded_mirror_before
    old = Situation(
        configuration(before, _NAME),
        flag(endpoint_then, _NAME, "default_endpoint_before"),
        text(embedded_then, _NAME, "embedded_mirror_before"),
    )
    new = Situation(
        configuration(after, _NAME),
        flag(default_endpoint, _NAME, "default_endpoint"),
        text(embedded_mirror, _NAME, "embedded_mirror"),
    )
    return effect([text(name, _NAME, "an image") for name in names], old, new, rewrite_engine()).as_dict()


class FilterModule:
    """Tells Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {_NAME: compare_pulls}
