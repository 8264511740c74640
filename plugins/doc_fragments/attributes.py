# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of the collection's modules: what is true of nearly all; a module states only what differs."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  async:
    description: Can run with C(async), in the background.
    support: none
  check_mode:
    description: Can run in C(check_mode) and report what would change, without changing it.
    support: full
  diff_mode:
    description: Shows what changes or would change in C(diff) mode.
    support: none
  action:
    description: An action plugin of the same name does part of the work on the controller.
    support: full
  platform:
    description: The operating systems of the nodes.
    support: full
    platforms: posix
"""
