# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many nodes are worked on at once."""

from __future__ import annotations

DOCUMENTATION = r"""
name: batch_size
short_description: How many hosts a number or percentage means
version_added: 1.0.0
description:
  - Turns V(3) or V(25%) into a number of hosts, as C(serial) does. At least one.
author:
  - the k3sfleet.registries authors (@k3sfleet)
positional: _total
options:
  _input:
    description: A positive number, or a percentage from V(1%) to V(100%).
    type: str
    required: true
  _total:
    description: Of how many hosts.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: A quarter of ten agents, rounded down
  ansible.builtin.debug:
    msg: "{{ '25%' | k3sfleet.registries.batch_size(10) }}"
"""

RETURN = r"""
_value:
  description: The number of hosts.
  type: int
"""

import re
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def batch_size(batch: Any, total: int) -> int:
    """``batch`` of ``total`` hosts, at least 1.

    :raises AnsibleFilterError: for anything but a positive number or a percentage up to 100.
    """
    match = re.match(r"^\s*(\d+)\s*(%?)\s*$", str(batch))
    number = int(match.group(1)) if match else 0
    percentage = bool(match and match.group(2))
    if number < 1 or (percentage and number > 100):
        raise AnsibleFilterError(
            "k3s_registries_agent_batch: %r is neither a positive number of agents nor a percentage such as 25%%"
            % (batch,)
        )
    return max(1, total * number // 100) if percentage else number


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"batch_size": batch_size}
