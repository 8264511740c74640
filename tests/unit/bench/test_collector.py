# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib

import pytest

from tests.bench import __main__ as collector
from tests.bench.measurement import Measurement, NotMeasured
from tests.fleet.process import FleetError


@pytest.mark.parametrize(
    ("measurement", "over", "ratio"),
    [
        (Measurement("lint", 49.0, "ms", 50.0), False, 0.98),
        (Measurement("lint", 51.0, "ms", 50.0), True, 1.02),
        (Measurement("rate", 20_000.0, "lines/s", 10_000.0, at_least=True), False, 0.5),
        (Measurement("rate", 9_000.0, "lines/s", 10_000.0, at_least=True), True, 10 / 9),
        (Measurement("rate", 0.0, "lines/s", 10_000.0, at_least=True), True, float("inf")),
        (Measurement("size", 1e9, "MB"), False, None),
    ],
)
def test_a_budget_counts_both_ways(measurement: Measurement, over: bool, ratio: float | None) -> None:
    assert measurement.is_over == over
    assert measurement.ratio == (ratio if ratio is None else pytest.approx(ratio))
    assert ("OVER BUDGET" in measurement.line) == over


@pytest.mark.parametrize(("measured", "status"), [(49.0, 0), (51.0, 1)])
def test_a_missed_budget_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], measured: float, status: int
) -> None:
    monkeypatch.setattr(collector.Bench, "measurements", lambda self: [Measurement("x", measured, "ms", 50.0)])
    assert collector.main(["--only", "rules"]) == status
    assert ("OVER BUDGET" in capsys.readouterr().out) == bool(status)


def test_what_was_not_measured_is_neither_met_nor_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collector.Bench, "measurements", lambda self: [NotMeasured("restarts", "no K3s")])
    assert collector.main(["--only", "rules"]) == 0
    said = capsys.readouterr().out
    assert "NOT MEASURED: no K3s" in said
    assert "every measured budget is met; 1 not measured" in said


def test_a_bench_that_cannot_go_on_says_so_in_a_line_and_the_others_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measurements(self: collector.Bench) -> list[Measurement]:
        if self.title == collector.BENCHES["rules"].title:
            raise FleetError("podman is not installed")
        return [Measurement("x", 51.0, "ms", 50.0)]

    monkeypatch.setattr(collector.Bench, "measurements", measurements)
    assert collector.main(["--only", "rules,probe"]) == 2
    said = capsys.readouterr().out
    assert "  BROKEN: podman is not installed" in said
    assert "1 OVER BUDGET; BROKEN: rules" in said


def test_what_takes_too_long_for_each_change_is_left_to_large(capsys: pytest.CaptureFixture[str]) -> None:
    collector.main(["--list"])
    usual = capsys.readouterr().out
    collector.main(["--list", "--large"])
    large = capsys.readouterr().out
    assert "scale-large" in large
    assert "scale-large" not in usual
    assert {line.split()[0] for line in (usual + large).splitlines()} == set(collector.BENCHES)


def test_an_unknown_theme_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        collector.main(["--only", "rules,nothing"])
    assert "no such bench: nothing" in capsys.readouterr().err


def test_every_theme_is_listed_and_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert collector.main(["--list"]) == collector.main(["--list", "--large"]) == 0
    listed = capsys.readouterr().out
    for name, bench in collector.BENCHES.items():
        assert name in listed
        module, _colon, function = bench.function.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
