# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up to which release the rules and known problems of this collection are known: the newest that any of them names.

What a later release does differently stands nowhere here, so nothing may be called fine for it.
"""

from __future__ import annotations

from . import known_problems, release
from .release import Gate, Release, release_text


def newest_known() -> tuple[int, int]:
    """Minor and patch of the newest release that the tables name."""
    return max(pair for gate in _gates() for pair in gate.first.items())


def is_known(target: Release) -> bool:
    """Whether a release is none after those that the tables name."""
    return target.major == 1 and (target.minor, target.patch) <= newest_known()


def known_up_to(target: Release) -> str:
    """The newest known release, as the distribution of another one writes it."""
    minor, patch = newest_known()
    return release_text(minor, patch, target.distribution)


def _gates() -> list[Gate]:
    found = [value for value in vars(release).values() if isinstance(value, Gate)]
    return [*found, *release.FEATURES.values(), *known_problems.gates()]
