# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's credential providers in the report: what fails, what could not be asked, on which nodes."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import assess
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import build
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.findings import findings
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.nodes import nodes as rows
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.page import html
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.providers import providers

from tests.unit.plugins.plugin_utils._report.hosts import info


def provider(cause: str = "ok", **more: Any) -> dict[str, Any]:
    return {
        "name": "ecr", "image": "a", "cause": cause, "message": "" if cause == "ok" else "seen", "fix": "Mend it.",
        "seconds": 0.1, "cached_for": 60.0, "findings": [], **more,
    }  # fmt: skip


def report(**nodes: Any) -> dict[str, Any]:
    told = {name: {"info": info()} for name in nodes}
    probed = {name: {"endpoints": [], "providers": providers} for name, providers in nodes.items()}
    return build(nodes, told, probed, {}, {"agent": list(nodes)}, "2026-11-26T00:00:00Z")


def test_a_failing_provider_is_a_finding_with_its_nodes() -> None:
    document = report(one=[provider()], two=[provider("provider_timeout")], three=[provider("provider_timeout")])
    assert [host["condition"] for host in document["hosts"].values()] == ["ok", "error", "error"]
    (found,) = findings(document)
    assert (found.level, found.title, found.nodes) == ("error", "Provider does not answer", ["three", "two"])
    assert (found.fixes, found.variants[0].text) == (["Mend it."], "credential provider ecr: seen")
    assert any("provider does not answer" in str(row) for row in rows(document))


def test_one_that_could_not_be_asked_troubles_nobody() -> None:
    document = report(one=[provider("not_asked"), provider(seconds=11.0)])
    assert {(found.level, found.code) for found in findings(document)} == {
        ("info", "not_asked"), ("warning", "provider_slow"),
    }  # fmt: skip
    assert document["hosts"]["one"]["condition"] == "warning"


def test_an_answer_that_is_none_is_left_out() -> None:
    document = report(one=[{"name": ["x"]}])
    assert document["hosts"]["one"]["providers"] == []
    assert document["hosts"]["one"]["errors"][0]["module"] == "k3s_registry_probe"


def test_a_document_of_before_has_none() -> None:
    document = report(one=[provider("provider_failed")])
    del document["hosts"]["one"]["providers"]
    assert assess(document["hosts"]["one"]).condition == "ok"
    assert findings(document) == []


def test_the_page_has_a_table_of_them() -> None:
    document = report(
        one=[provider(seconds=0.2)], two=[provider(seconds=1.26)], three=[provider("provider_failed", name="<b>gar")],
        four=[],
    )  # fmt: skip
    document["hosts"]["four"]["info"]["providers"] = {"names": ["ecr"]}
    assert [(row.name, row.answer, row.slowest, row.nodes) for row in providers(document)] == [
        ("<b>gar", "provider fails", 0.1, ["three"]),
        ("ecr", "ok", 1.26, ["one", "two"]),
        ("ecr", "providers not checked", 0.0, ["four"]),
    ]
    page = html(document)
    assert "<h3>Credential providers</h3>" in page
    assert "1.3 s" in page
    assert "&lt;b&gt;gar" in page
    assert "<b>gar" not in page
    assert "<h3>Credential providers</h3>" not in html(report(one=[]))
