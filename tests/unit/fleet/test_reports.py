# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet says happened: absences from journals, pulls from the registry's log, the demo's table."""

from __future__ import annotations

import json
from typing import Any

from tests.demo import summary
from tests.fleet import access_log, events
from tests.fleet.state import Fleet, Node, Registry

SERVER, AGENT = Node("server-1", "server", "10.0.0.11"), Node("agent-1", "agent", "10.0.0.101")


def happened(*pairs: tuple[float, str]) -> list[events.Event]:
    return [events.Event(at, what) for at, what in pairs]


def test_first_start_is_no_absence_and_a_restart_lasts_until_containerd_runs() -> None:
    found = events.absences(
        AGENT,
        happened(
            (1, "starting"), (2, "ready"), (2.5, "containerd"),
            (10, "stopping"), (11, "stopped"), (11, "starting"), (12, "ready"), (12, "started"), (13, "containerd"),
        ),
    )  # fmt: skip
    assert found == [events.Absence("agent-1", "agent", 10, 13)]


def test_power_cut_and_crash_are_absences_and_an_open_one_overlaps_whatever_follows() -> None:
    off = events.absences(SERVER, happened((5, "power-off")))
    crash = events.absences(AGENT, happened((9, "exited"), (12, "containerd"), (12, "ready")))
    assert off == [events.Absence("server-1", "server", 5, None)]
    assert events.overlapping(off + crash) == [(off[0], crash[0])]


def test_one_after_the_other_is_no_overlap() -> None:
    one = events.Absence("server-1", "server", 1, 2)
    assert events.overlapping([one, events.Absence("agent-1", "agent", 2, 3)]) == []
    assert events.overlapping([one, events.Absence("server-1", "server", 1.5, 3)]) == []


def test_journal_lines() -> None:
    def line(message: Any) -> str:
        return json.dumps({"MESSAGE": message, "__REALTIME_TIMESTAMP": "1000000"})

    assert events.parse(line("Stopping k3s.service - Lightweight Kubernetes...")) == events.Event(1.0, "stopping")
    assert events.parse(line('time="..." level=info msg="k3s agent is up and running"')) == events.Event(1.0, "ready")
    assert events.parse(line(list(b"Started k3s.service"))) == events.Event(1.0, "started")
    assert events.parse(line("Kube API server is now running")) is None
    assert events.parse("not JSON") is None


def entry(**more: Any) -> str:
    content = {
        "http.request.id": "1",
        "http.request.method": "HEAD",
        "http.request.uri": "/v2/rancher/mirrored-pause/manifests/3.6?ns=docker.io",
        "http.request.host": "r.test:5000",
        "http.request.remoteaddr": "10.0.0.101:4711",
        "time": "2026-01-31T12:00:00.25Z",
        **more,
    }
    return json.dumps(content)


LOG = "\n".join(
    [
        "2026/01/31 11:59:59 http: TLS handshake error from 10.0.0.101:1: tls: client didn't provide a certificate",
        json.dumps({**json.loads(entry(msg="error authorizing context: invalid authorization credential"))}),
        json.dumps(
            {**json.loads(entry()), "http.request.id": "2", "auth.user.name": "robot", "msg": "GetImageManifest"}
        ),
        json.dumps(
            {**json.loads(entry()), "http.request.id": "2", "http.response.status": 200, "msg": "response completed"}
        ),
    ]
)


def test_registry_log_names_refusals_and_whose_request_it_was() -> None:
    handshake, refused, served = access_log.parse_all(LOG)
    assert handshake["kind"] == "tls_error"
    assert (refused["status"], refused["user"]) == (401, "")
    assert (served["status"], served["user"], served["ns"], served["reference"]) == (200, "robot", "docker.io", "3.6")
    assert served["at"] - handshake["at"] == 1.25


def test_registry_log_names_whose_password_was_refused() -> None:
    wrong = 'error authenticating user "robot": authentication failure'
    refused = entry(msg="error authorizing context: basic authentication challenge")
    other = {"http.request.id": "3"}
    found = access_log.parse_all("\n".join([entry(msg=wrong), refused, json.dumps({**json.loads(refused), **other})]))
    assert [(one["status"], one["refused_user"], one["user"]) for one in found] == [(401, "robot", ""), (401, "", "")]


def test_table_calls_only_a_pull_through_the_mirror_a_pull(monkeypatch: Any) -> None:
    place = Registry("r.test", 5000, "10.0.0.2", "robot", "secret")
    fleet = Fleet("f", "k3s", "stand-in", "v1", "10.0.0.0/24", "t", 40, place, [SERVER, AGENT])
    monkeypatch.setattr(summary, "configured", lambda fleet, node: ["docker.io"])
    log = [{"node": "agent-1", **found} for found in access_log.parse_all(LOG)]
    report = {"nodes": {"server-1": {"absences": []}, "agent-1": {"absences": [{"seconds": 2.0}]}}}
    server, agent = summary.rows(fleet, report, log, 0.0)
    assert (server.pulled, server.restarted) == (False, None)
    assert (agent.pulled, agent.restarted, agent.image) == (True, 2.0, "docker.io/rancher/mirrored-pause:3.6")
    assert "NOT PULLED" in summary.table([server])
    assert "secret" not in summary.table([server, agent])
