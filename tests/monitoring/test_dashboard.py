# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard: every expression is one that Prometheus takes, over metrics and labels that verify writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics.metrics import HELP, PREFIX

from tests.monitoring import samples
from tests.monitoring.promtool import alerts, dashboard, expressions, metrics_in, promtool

#: What Prometheus itself adds to every series of a node.
OF_PROMETHEUS = {"job", "instance"}


def test_prometheus_takes_every_expression(tmp_path: Path) -> None:
    found = list(expressions())
    assert len(found) >= 20
    rules = [{"record": "panel:%d" % number, "expr": expr} for number, (_panel, expr) in enumerate(found)]
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    assert "SUCCESS: %d rules found" % len(found) in promtool("check", "rules", str(path))


def test_dashboard_and_alerts_use_what_is_written_and_all_of_it() -> None:
    written = {PREFIX + name for name in HELP}
    used = {name for _panel, expr in expressions() for name in metrics_in(expr)}
    used |= {name for rule in alerts().values() for name in metrics_in(rule["expr"])}
    used |= {name for variable in dashboard()["templating"]["list"] for name in metrics_in(json.dumps(variable))}
    assert used == written


def labels_of() -> dict[str, set[str]]:
    """Every metric to its labels."""
    found: dict[str, set[str]] = {}
    for name, series in samples.read(samples.text(samples.host())).items():
        found[name] = {key for labels in series for key, _value in labels}
    return found


def _uses() -> list[Any]:
    panels = [pytest.param(expr, id=panel) for panel, expr in expressions()]
    return panels + [pytest.param(rule["expr"], id=name) for name, rule in alerts().items()]


@pytest.mark.parametrize("expression", _uses())
def test_labels_are_those_of_the_metrics(expression: str) -> None:
    known = set().union(*(labels_of()[name] for name in metrics_in(expression))) | OF_PROMETHEUS
    named = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    for listed in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        named |= {label.strip() for label in listed.split(",")}
    assert named <= known


@pytest.mark.parametrize(("name", "rule"), alerts().items(), ids=list(alerts()))
def test_an_alert_names_labels_that_its_series_have(name: str, rule: dict[str, Any]) -> None:
    known = set().union(*(labels_of()[metric] for metric in metrics_in(rule["expr"]))) | OF_PROMETHEUS
    only = re.search(r"min by \(([^)]*)\)", rule["expr"])
    known = {label.strip() for label in only[1].split(",")} if only else known
    texts = " ".join(rule["annotations"].values())
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= known
    assert set(rule["annotations"]) == {"summary", "description"}
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_every_panel_is_of_the_data_source_that_somebody_chooses_and_has_its_place() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places: set[tuple[int, int]] = set()
    for panel in panels:
        if panel["type"] != "row":
            chosen = {panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])}
            assert chosen == {"${datasource}"}
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & places, panel["title"]
        places |= cells
    names = {variable["name"] for variable in dashboard()["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps([panels, dashboard()["templating"]])))
    assert used - {"__all"} == names
