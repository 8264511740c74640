# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the code blocks of the guides are right, without running them.

A guide is read (``blocks``, ``shell``), and each of its blocks checked by what it is: commands (``commands``,
``ansible_commands``, ``other_commands``), YAML (``yaml_kinds`` and what it names), JSON. ``check`` does it for a whole
guide. What a reader runs first, ``make newcomer`` runs too.
"""
