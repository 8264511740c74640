# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.ansible_run import Run
from tests.bench.fleet_runs import FleetRuns, must_all_change
from tests.fleet import inventory, state
from tests.fleet.process import FleetError


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetRuns:
    monkeypatch.setattr(state, "FLEETS", tmp_path)
    place = state.Registry("registry.test", 5000, "10.0.0.2", "robot", "pw-1")
    nodes = [state.Node("server-1", "server", "10.0.0.10")]
    fleet = state.Fleet("bench", "k3s", "stand-in", "v1.34.3+k3s1", "10.0.0.0/24", "t", 40, place, nodes)
    for name, text in (("ca.crt", "one CA\n"), ("bad/other-ca.crt", "another CA\n")):
        path = fleet.folder / "pki" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inventory.write(fleet)
    folder = tmp_path / "runs"
    folder.mkdir()
    return FleetRuns(fleet, folder)


def test_a_login_is_never_one_that_a_node_may_still_have(runs: FleetRuns) -> None:
    """By turns live and with a restart, forwards and backwards: neither meets what is loaded, nor what is in force."""
    users = runs.users()
    assert users["robot"] == "pw-1"
    loaded = in_force = "robot"
    for apply in ("live", "restart", "restart", "live", "live", "restart"):
        runs.change_login()
        login = runs.registry["auth"]
        assert users[login["username"]] == login["password"]
        assert login["username"] not in (loaded, in_force)
        in_force = login["username"]
        loaded = in_force if apply == "restart" else loaded


def test_the_ca_changes_with_every_run_and_the_right_one_is_always_in_it(runs: FleetRuns) -> None:
    seen = []
    for _number in range(3):
        runs.change_ca()
        seen.append(Path(runs.registry["tls"]["ca_src"]).read_text())
    assert seen == ["one CA\nanother CA\n", "one CA\n", "one CA\nanother CA\n"]


def test_a_mirror_is_new_and_the_last_one_can_go_again(runs: FleetRuns) -> None:
    mirrors = runs.variables["k3s_registries"]["mirrors"]
    before = dict(mirrors)
    runs.add_mirror()
    first = set(mirrors) - set(before)
    runs.add_mirror()
    assert len(mirrors) == len(before) + 2
    runs.remove_mirror()
    assert set(mirrors) == {*before, *first}


def _run(output: str, **changed: int) -> Run:
    recap = "".join(f"{host} : ok=3 changed={number} unreachable=0\n" for host, number in changed.items())
    return Run(1.0, output + recap, 0, [])


def test_a_change_that_did_not_take_the_way_that_is_measured_is_no_measurement() -> None:
    restarted, live = "[1/2] a restarted and healthy after 4 s\n", "[2/2] b changed without a restart after 1 s\n"
    assert must_all_change(_run("", a=1, b=1), "").seconds == 1.0
    assert must_all_change(_run(live * 2, a=1, b=1), "changed without a restart").seconds == 1.0
    for output, how, changed in (
        (restarted, "", {"a": 1, "b": 1}),
        ("", "", {"a": 1, "b": 0}),
        (restarted + live, "changed without a restart", {"a": 1, "b": 1}),
    ):
        with pytest.raises(FleetError, match="not every node was changed"):
            must_all_change(_run(output, **changed), how)
