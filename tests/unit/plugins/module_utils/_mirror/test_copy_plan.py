# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror import copy_plan
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import Item, Source


def descriptor(number: int, platform: str, **more: Any) -> dict[str, Any]:
    parts = dict(zip(("os", "architecture", "variant"), platform.split("/")))
    return {"digest": "sha256:%064d" % number, "size": 1, "platform": parts, **more}


def index(*described: dict[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": "x", "manifests": list(described)}, indent=3).encode()


AMD, ARM, ARM7 = descriptor(1, "linux/amd64"), descriptor(2, "linux/arm64/v8"), descriptor(3, "linux/arm/v7")


def test_an_index_of_which_nothing_is_left_out_keeps_its_bytes() -> None:
    whole = index(AMD, ARM)
    assert copy_plan.subset(whole, ["arm64", "linux/amd64"]) == (whole, [])


def test_a_subset_names_what_it_leaves_out_and_keeps_the_rest_as_it_is() -> None:
    smaller, left_out = copy_plan.subset(index(AMD, ARM, ARM7), ["linux/arm64"])
    assert json.loads(smaller) == {"schemaVersion": 2, "mediaType": "x", "manifests": [ARM]}
    assert left_out == ["linux/amd64", "linux/arm/v7"]


def test_an_attestation_goes_with_its_platform() -> None:
    def about(number: int, platform: dict[str, Any]) -> dict[str, Any]:
        return descriptor(number, "unknown/unknown", annotations={"vnd.docker.reference.digest": platform["digest"]})

    smaller, left_out = copy_plan.subset(index(AMD, ARM, about(8, AMD), about(9, ARM)), ["amd64"])
    assert [item["digest"][-1] for item in json.loads(smaller)["manifests"]] == ["1", "8"]
    assert left_out == ["linux/arm64/v8"]


def test_a_platform_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(copy_plan.PlatformMissing, match="not there for s390x, only for linux/amd64, linux/arm64/v8"):
        copy_plan.subset(index(AMD, ARM), ["amd64", "s390x"])


@pytest.mark.parametrize(
    ("source", "target", "state"),
    [("a", "a", "same"), ("a", None, "missing"), ("a", "b", "differs"), (None, "a", "source_missing"),
     (None, None, "source_missing")],
)  # fmt: skip
def test_digests_on_both_sides_are_a_state(source: str | None, target: str | None, state: str) -> None:
    assert copy_plan.state_of(source, target) == state
    item = Item("a", Source("registry"), state=state)
    assert copy_plan.to_copy(item, overwrite=False) is (state == "missing")
    assert copy_plan.to_copy(item, overwrite=True) is (state in ("missing", "differs"))
