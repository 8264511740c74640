# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a node takes to rehearse many images; `make rehearsal-proof` shows that no registry is asked too much for
that."""

from __future__ import annotations

from typing import Iterator

from tests.bench.measurement import Measurement
from tests.rehearsal import speed

SECONDS = 10.0


def measurements() -> Iterator[Measurement]:
    """Until one is in time, three at most: a busy machine makes it longer, and nothing makes it shorter."""
    found = speed.rehearse_many_images()
    for _number in range(2):
        if found.seconds > SECONDS:
            found = min(found, speed.rehearse_many_images(), key=lambda one: one.seconds)
    if found.found["counts"]["other_place"] != speed.IMAGES:
        raise RuntimeError("not all images move: %s" % found.found["counts"])
    name = f"{speed.IMAGES} images at {speed.ENDPOINTS} endpoints, {speed.DISTANCE * 1000:.0f} ms away"
    yield Measurement(name, found.seconds, "s", SECONDS)
    yield Measurement("  one endpoint's requests alone, one after the other", found.one_by_one, "s")
