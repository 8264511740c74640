# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target release of an upgrade, as somebody has written it."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import (
    Release,
    ReleaseError,
    parse_release,
)

VARIABLE = "k3s_registries_target_release"


class NoTarget(ValueError):
    """The text names no release that has an image list; the message says how to write one."""


def read(text: str) -> Release:
    """
    :raises NoTarget: if it is no release, or leaves open whose it is.
    """
    how = "write it as v1.35.2+k3s1 or v1.35.2+rke2r1"
    if not text.strip():
        raise NoTarget("%s is not set: %s" % (VARIABLE, how))
    try:
        release = parse_release(text)
    except ReleaseError:
        release = None
    if release is None or not text.strip().endswith(release.text.partition("+")[2]):
        raise NoTarget("%s: %r names no release: %s" % (VARIABLE, text, how))
    return release
