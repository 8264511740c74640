# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify and the report over a node whose registries are all hostile: they end, and what they print is text."""

from __future__ import annotations

import json

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import page
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import build
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.findings import findings
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import verdict
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.table import table

from tests.hostile import answers, registries
from tests.hostile.bounds import bounded
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.probing import EITHER, Node
from tests.hostile.server import App, HostileServer

SECONDS, MEGABYTES = 30.0, 200.0
"""All of them at once, with a deadline of two seconds each, and everything that is made of it afterwards."""
FACTS = {"state": "loaded", "release": "v1.34.3+k3s1", "problems": []}


def neighbours(hostile: Neighbourhood) -> tuple[Node, dict[str, HostileServer]]:
    """A node with all kinds of hostile registries, and whose each of its passwords is."""
    apps: dict[str, App] = {**answers.ENDLESS, **answers.HUGE, **answers.BROKEN, "escapes": answers.escapes()}
    apps["redirects"] = registries.redirect("https://victim.test:5000")
    apps["redirects to clear"] = registries.redirect("http://victim.test:5000")
    servers = [hostile.server(f"r{number}.test", app) for number, app in enumerate(apps.values())]
    names = hostile.pki.with_escapes("judged", ("names.test",), trusted=False)
    servers.append(hostile.server("names.test", registries.filled(), certificate=names))
    node = Node(hostile, *servers)
    victim = hostile.server("victim.test", registries.filled())
    owners = {f"password_{number}": server for number, server in enumerate([*servers, victim])}
    for name, server in owners.items():
        node.password(server, hostile.secret(name))
    victim.app = registries.basic("robot", hostile.ledger.secrets[name])
    return node, owners


@pytest.mark.parametrize("images", EITHER)
def test_what_is_made_of_a_hostile_fleet(hostile: Neighbourhood, images: tuple[str, ...]) -> None:
    node, owners = neighbours(hostile)
    with bounded(SECONDS, MEGABYTES):
        entries = node.probe(*images, timeout=2.0)
        judged = verdict("edge-1", {"info": FACTS}, {"endpoints": entries}, {}, False)
        lines = table([judged])
        report = build(["edge-1"], {}, {"edge-1": {"endpoints": entries}}, {}, {}, "2026-01-01T00:00:00Z")
        found = findings(report)
        html = page.html(report)
    assert len(entries) > 30
    # A mirror that redirects to a registry is one, and gives what it has.
    assert judged["ok"] == any(entry["cause"] == "ok" for entry in entries)
    assert found
    assert all(line.isprintable() for line in lines), [line for line in lines if not line.isprintable()]
    assert len("\n".join(lines)) < 100_000
    assert len(html) < 2_000_000
    everything = [json.dumps(entries), "\n".join(lines), json.dumps(report), html, repr(found)]
    assert not any("CANARY" in text or "\x1b" in text or "\\u001b" in text for text in everything)
    hostile.ledger.check(**{name: [server] for name, server in owners.items()})
    assert hostile.ledger.places("password_0") == []
    assert hostile.ledger.places(list(owners)[-1]) == ["https://victim.test:5000"]
