# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal tells whoever approves the change."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.approval import NOTHING, for_the_approval

EFFECT = ["2 images move from https://old.test/v2 to https://new.test/v2"]


def answer(*verdicts: str, **more: Any) -> dict[str, Any]:
    texts = dict.fromkeys(("endpoint", "cause", "message", "fix", "digest"), "")
    images = [{**texts, "image": "r.test/%s:1" % name, "verdict": name, "allowed": False, **more} for name in verdicts]
    return {"changed": True, "rehearsal": {"images": images, "effect": EFFECT}}


def test_what_the_nodes_have_found_together() -> None:
    lines = for_the_approval(
        {"a": answer("other_place", "gained"), "b": answer("other_place"), "c": {"changed": False}}
    )
    assert lines == [
        "Rehearsal: 2 images on 2 nodes: 1 from another place, 1 gained",
        "  for pulls on a, b: " + EFFECT[0],
        "  nothing changes on 1 of 3 nodes",
    ]


def test_an_image_that_somebody_lets_go_is_named() -> None:
    lines = for_the_approval({"a": answer("lost", allowed=True, cause="not_found", message="Gone.")})
    assert "  lost, as allowed: r.test/lost:1 on a: not_found: Gone." in lines


def test_that_nothing_changes_is_said() -> None:
    assert for_the_approval({"a": {"changed": False}, "b": {"changed": False}}) == [NOTHING]
