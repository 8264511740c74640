# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order of a chain of certificates: each one after the first is the issuer of the one before it."""

from __future__ import annotations

from typing import Sequence

from .certificate import Certificate


def ordered(leaf: Certificate, others: Sequence[Certificate]) -> tuple[list[Certificate], list[Certificate]]:
    """The chain from `leaf` upwards as far as `others` carry it, and those of them that are not part of it."""
    chain = [leaf]
    rest = list(others)
    while not chain[-1].is_self_signed:
        issuer = next((candidate for candidate in rest if candidate.issued(chain[-1])), None)
        if issuer is None:
            break
        chain.append(issuer)
        rest.remove(issuer)
    return chain, rest


def lead_to(chain: Sequence[Certificate], anchors: Sequence[Certificate]) -> bool:
    """Whether Go would build a chain from the first certificate to one of the anchors."""
    known = {anchor.sha256 for anchor in anchors}
    path, _rest = ordered(chain[0], chain[1:])
    if any(link.sha256 in known for link in path):
        return True
    return any(anchor.is_ca and anchor.issued(link) for link in path for anchor in anchors)
