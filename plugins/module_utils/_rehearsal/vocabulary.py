# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rehearsal is spoken of, on the node and on the controller.

Apart from what rehearses: every run of Ansible imports this, compiled anew each time, and few runs rehearse.
"""

from __future__ import annotations

SAME_PLACE = "same_place"
OTHER_PLACE = "other_place"
GAINED = "gained"
LOST = "lost"
BROKEN = "already_broken"
NOT_KNOWN = "not_known"
ON_THE_NODE = "on_the_node"
OWN_CREDENTIALS = "own_credentials"

#: Every verdict, and how it is counted in a line.
WORDS = {
    SAME_PLACE: "from the same place",
    OTHER_PLACE: "from another place",
    GAINED: "gained",
    LOST: "lost",
    BROKEN: "already broken",
    NOT_KNOWN: "not known",
    ON_THE_NODE: "on the node",
    OWN_CREDENTIALS: "with the pods' own credentials",
}
VERDICTS = tuple(WORDS)

VARIABLE = "k3s_registries_rehearse_allow"
"""Where images are listed that may be lost."""

AT_ONCE = 8
"""Questions at a time to one registry, from one node."""
