# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.bench import restarts
from tests.bench.heartbeats import Sign, latest, seconds_of_restart
from tests.bench.measurement import NotMeasured
from tests.fleet.process import FleetError

OUTPUT = """\
[1/2] server-1 restarted and healthy after 12.5 s
[2/2] agent-1 restarted and healthy after 4.5 s, pulled docker.io/a:1
"""


def test_without_a_real_k3s_one_line_says_that_nothing_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K3S_BINARY", raising=False)
    (line,) = restarts.measurements()
    assert isinstance(line, NotMeasured)
    assert "NOT MEASURED: set K3S_BINARY" in line.line
    assert "ok" not in line.line.split()
    assert not line.is_over


def test_a_nodes_seconds_are_those_that_the_run_has_told() -> None:
    assert restarts.seconds_of("server-1", OUTPUT) == 12.5
    assert restarts.seconds_of("agent-1", OUTPUT) == 4.5
    with pytest.raises(FleetError, match="agent-2 was to be restarted"):
        restarts.seconds_of("agent-2", OUTPUT)


def test_the_last_sign_of_a_node_is_its_lease_or_its_heartbeat() -> None:
    lease = {"spec": {"renewTime": "2026-11-25T14:00:00.250000Z"}}
    node = {"status": {"conditions": [{"lastHeartbeatTime": "2026-11-25T14:00:01Z"}, {"type": "Other"}]}}
    assert latest(lease, node) - latest(lease, {}) == 0.75
    assert latest({}, node) == latest(lease, node)
    assert latest({}, {}) == latest({"spec": None}, {"status": None}) == 0.0


def test_a_restart_ends_with_the_first_sign_that_is_newer() -> None:
    signs = [Sign(99.0, 99.1), Sign(100.5, 110.2), Sign(111.0, 112.0)]
    assert seconds_of_restart(100.0, signs) == pytest.approx(10.2)
    with pytest.raises(FleetError, match="no heartbeat since the restart, of 1"):
        seconds_of_restart(100.0, signs[:1])
