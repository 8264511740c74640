# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries of a fleet whose passwords change while it runs, and who told them which password.

They are this process's own, at this machine's address in the fleet's network: a test changes a password by a call, and
reads the ledger by another.
"""
