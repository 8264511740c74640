# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the stand-in that need no node: state, config files, the wire format, faults."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from stand_in import endpoints, faults, protobuf, store
from stand_in.crictl import duration


@pytest.fixture
def sqlite(tmp_path: Path) -> store.SQLite:
    found = store.SQLite(SimpleNamespace(data_dir=str(tmp_path)))
    found.start()
    return found


def test_create_is_atomic_and_replace_needs_the_revision_that_was_read(sqlite: store.SQLite) -> None:
    first = sqlite.create("/lease/a", {"holder": "one"})
    with pytest.raises(store.Exists):
        sqlite.create("/lease/a", {"holder": "two"})
    second = sqlite.replace("/lease/a", {"holder": "one again"}, first)
    with pytest.raises(store.Changed):
        sqlite.replace("/lease/a", {"holder": "two"}, first)
    entry = sqlite.get("/lease/a")
    assert entry is not None
    assert (entry.value, entry.revision) == ({"holder": "one again"}, second)
    assert sqlite.delete("/lease/a")
    assert not sqlite.delete("/lease/a")


def test_list_keeps_to_its_prefix(sqlite: store.SQLite) -> None:
    for key in ("/nodes/a", "/nodes/b", "/nodesets/c"):
        sqlite.create(key, {})
    assert [entry.key for entry in sqlite.list("/nodes/")] == ["/nodes/a", "/nodes/b"]


def test_server_that_no_longer_renews_leaves_the_endpoints(
    sqlite: store.SQLite, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(endpoints.time, "time", lambda: clock[0])

    def listed() -> list[str]:
        found = endpoints.answer(sqlite, "/api/v1/namespaces/default/endpoints/kubernetes")
        return [place["ip"] for subset in found["subsets"] for place in subset["addresses"]]

    for address in ("10.0.0.1", "10.0.0.2"):
        endpoints.renew(sqlite, address, 7443)
    assert listed() == ["10.0.0.1", "10.0.0.2"]
    clock[0] += 11
    endpoints.renew(sqlite, "10.0.0.1", 7443)
    assert listed() == ["10.0.0.1", "10.0.0.2"]
    clock[0] += 5
    assert listed() == ["10.0.0.1"]
    slices = endpoints.answer(sqlite, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")["items"]
    assert slices[0]["ports"] == [{"name": "https", "port": 7443, "protocol": "TCP"}]
    assert endpoints.answer(sqlite, "/api/v1/namespaces/kube-system/endpoints/kubernetes") is None


def test_protobuf_fields_come_back() -> None:
    long = "x" * 300
    message = protobuf.field(1, 300) + protobuf.field(2, long) + protobuf.field(3, protobuf.field(1, 1))
    assert list(protobuf.fields(message)) == [(1, 300), (2, long.encode()), (3, b"\x08\x01")]


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30.0), ("1m30s", 90.0), ("500ms", 0.5), ("7", 7.0), ("", 0.0)])
def test_go_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def test_fault_for_one_start_and_fault_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, registries = tmp_path / "faults.json", tmp_path / "registries.yaml"
    monkeypatch.setattr(faults, "PATH", str(path))
    path.write_text(json.dumps([{"fault": "hang", "once": True}, {"fault": "crash-loop", "while": "new.test"}]))
    assert faults.Faults(str(registries)).active == {"hang": ""}
    registries.write_text("mirrors: {new.test: {}}\n")
    assert faults.Faults(str(registries)).active == {"crash-loop": ""}
