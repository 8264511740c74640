# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with a relay. Apart from the relay itself, which hardly any call of the module loads."""

from __future__ import annotations


class CannotServe(Exception):
    """The relay cannot listen; the text says why."""


class RelayProblem(Exception):
    """The relay cannot be used; the text says why. What has arrived stays."""
