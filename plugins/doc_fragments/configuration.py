# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the filters that work with a configuration as K3s reads it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  default_endpoint:
    description:
      - Whether containerd asks the registry itself last.
      - V(false) if the node sets C(disable-default-registry-endpoint).
    type: bool
    default: true
  embedded_mirror:
    description:
      - Address and port of the embedded registry mirror, usually V(127.0.0.1:6443).
      - Empty if C(embedded-registry) is off.
    type: str
    default: ""
"""
    # Texts of their own, though they differ in the option's name only: ansible-test reads them without running Python.
    INPUT = r"""
options:
  _input:
    description:
      - A configuration as in C(registries.yaml), with the keys C(mirrors) and C(configs), both optional.
      - Keys that K3s does not know are ignored, as K3s ignores them.
      - The text of a C(registries.yaml) is taken, too, and read strictly, as
        P(k3sfleet.registries.from_registries_yaml#filter) reads it.
    type: raw
    required: true
"""
    CONFIG = r"""
options:
  config:
    description:
      - A configuration as in C(registries.yaml), with the keys C(mirrors) and C(configs), both optional.
      - Keys that K3s does not know are ignored, as K3s ignores them.
      - The text of a C(registries.yaml) is taken, too, and read strictly, as
        P(k3sfleet.registries.from_registries_yaml#filter) reads it.
    type: raw
    required: true
"""
