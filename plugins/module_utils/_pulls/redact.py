# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The redactor's former place. It lives in ``_redaction``."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    MASK,
    known_secrets,
    redact,
    visible,
)

__all__ = ("MASK", "known_secrets", "redact", "visible")
