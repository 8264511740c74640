# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules about comments that tell lint to ignore a finding. The controller, which sees comments, checks them."""

from __future__ import annotations

from .catalogue import WARNING, declare

_OWN = "this collection (docs/ci.md)"

WITHOUT_REASON = declare(
    "K3R121",
    WARNING,
    "Ignore that is not heeded",
    "It names no rule or gives no reason, so the finding that it was meant for stays. In a year nobody knows why a "
    "finding was ignored, unless somebody wrote it down.",
    _OWN,
    "Write # k3s-lint: ignore K3R215: and the reason; in the variable, set rule and reason.",
)
MATCHES_NOTHING = declare(
    "K3R122",
    WARNING,
    "Ignore that matches nothing",
    "The finding is gone, or it is somewhere else. If the mistake comes back, the ignore hides it.",
    _OWN,
    "Remove it, or move it to the line of the finding or the line above.",
)
