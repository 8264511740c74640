# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The section about what a new configuration means for pulls."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import page, rehearsed
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import build
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.host import NOTHING_CHANGES

from tests.unit.plugins.plugin_utils._report.hosts import document, host

OLD, NEW = "https://old.test", "https://new.test:5000"


def image(name: str, verdict: str, before: str = "", after: str = "", **more: Any) -> dict[str, Any]:
    texts = {"endpoint": "", "cause": "", "message": "", "fix": ""}
    place = "/v2/%s/manifests/1?ns=r.test" % name
    return {
        **texts, "image": "r.test/%s:1" % name, "verdict": verdict, "allowed": False, "users": [],
        "before": before and before + place, "after": after and after + place, **more,
    }  # fmt: skip


def lost(name: str = "gone", **more: Any) -> dict[str, Any]:
    said = {"endpoint": NEW + "/v2", "cause": "not_found", "message": "It is not there.", "fix": "Copy it."}
    return image(name, "lost", OLD, **{**said, **more})


def found(**nodes: list[dict[str, Any]]) -> rehearsed.Rehearsal:
    made = {name: host(rehearsal={"problem": "", "images": images}) for name, images in nodes.items()}
    result = rehearsed.rehearsal(document(**made))
    assert result is not None
    return result


def test_without_a_rehearsal_there_is_no_section() -> None:
    assert rehearsed.rehearsal(document(a=host(), b=host(rehearsal=None))) is None
    assert 'id="rehearsal"' not in page.html(document(a=host()))


def test_images_by_endpoints_the_lost_ones_first() -> None:
    seen = found(a=[image("app", "other_place", OLD, NEW), image("db", "same_place", OLD, OLD), lost()])
    assert [row.image for row in seen.rows] == ["r.test/gone:1", "r.test/app:1", "r.test/db:1"]
    assert set(seen.endpoints) == {OLD, NEW}
    cells = {row.image: {key: cell.word for key, cell in row.cells.items()} for row in seen.rows}
    assert cells["r.test/app:1"] == {OLD: "no longer", NEW: "from here"}
    assert cells["r.test/db:1"] == {OLD: "as before"}
    assert cells["r.test/gone:1"][OLD] == "no longer"
    assert seen.rows[0].cells[NEW].level == "error"
    assert (seen.lost, seen.level) == (1, "error")
    assert seen.headline == "3 images on 1 node: 1 lost, 1 from another place, 1 from the same place"
    assert list(seen.rows[0].messages) == ["It is not there. Copy it."]


def test_nodes_that_differ_share_a_row_and_the_worst_leads() -> None:
    seen = found(a=[image("app", "other_place", OLD, NEW)], b=[lost("app")], c=[lost("app")])
    (row,) = seen.rows
    assert row.results == [("error", "lost", ["b", "c"]), ("ok", "from another place", ["a"])]
    assert row.cells[NEW].level == "error"


def test_what_was_let_go_is_no_error() -> None:
    seen = found(a=[lost(allowed=True)])
    assert (seen.level, seen.lost, seen.rows[0].results[0][1]) == ("warning", 0, "lost, as allowed")


def test_more_images_than_one_reads_are_counted() -> None:
    seen = found(a=[image("i%d" % number, "same_place", OLD, OLD) for number in range(rehearsed.MOST_ROWS + 7)])
    assert (len(seen.rows), seen.left_out) == (rehearsed.MOST_ROWS, 7)


def test_nodes_without_a_rehearsal_say_why() -> None:
    results = {"a": {"rehearsal": {"images": [lost()], "problem": ""}, "failed": True, "msg": "1 image"},
               "b": {"changed": False}, "c": {"failed": True, "msg": "no python"}}  # fmt: skip
    built = build(["a", "b", "c", "d"], {}, {}, {}, {}, "2026-11-25T14:02:00Z", results)
    seen = rehearsed.rehearsal(built)
    assert seen is not None
    assert seen.others == {NOTHING_CHANGES: ["b"], "no python": ["c"]}
    assert built["hosts"]["d"]["rehearsal"] is None
    assert built["hosts"]["a"]["errors"] == [], "to lose an image is no trouble of the node's today"
    assert seen.headline.startswith("1 image on 1 node")


def test_an_answer_that_the_module_never_gives_is_left_out() -> None:
    built = build(["a"], {}, {}, {}, {}, "2026-11-25T14:02:00Z", {"a": {"rehearsal": {"images": "many"}}})
    assert "never gives an answer like this one" in built["hosts"]["a"]["rehearsal"]["problem"]


def test_the_page_escapes_what_nodes_say() -> None:
    html = page.html(document(a=host(rehearsal={"images": [lost(message="<script>alert(1)</script>")]})))
    section = html[html.index('id="rehearsal"') : html.index('id="latency"')]
    assert "<script" not in section
    assert re.search(r"lost</span>", section)
