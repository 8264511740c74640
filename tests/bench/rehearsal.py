# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a node takes to rehearse many images; `make rehearsal-proof` shows that no registry is asked too much for
that."""

from __future__ import annotations

from typing import Iterator

from tests.bench.measurement import Measurement
from tests.bench.shortest import shortest
from tests.rehearsal import speed

SECONDS = 10.0


def measurements() -> Iterator[Measurement]:
    """The shortest of three, until one is in time."""
    one_by_one = []

    def rehearse() -> float:
        done = speed.rehearse_many_images()
        if done.found["counts"]["other_place"] != speed.IMAGES:
            raise RuntimeError("not all images move: %s" % done.found["counts"])
        one_by_one.append(done.one_by_one)
        return done.seconds

    seconds = shortest(rehearse, SECONDS, most=3)
    name = f"{speed.IMAGES} images at {speed.ENDPOINTS} endpoints, {speed.DISTANCE * 1000:.0f} ms away"
    yield Measurement(name, seconds, "s", SECONDS)
    yield Measurement("  one endpoint's requests alone, one after the other", min(one_by_one), "s")
