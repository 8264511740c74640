# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile servers, for the tests of this folder."""

from __future__ import annotations

from tests.hostile.fixture import hostile, hostile_pki

__all__ = ["hostile", "hostile_pki"]
