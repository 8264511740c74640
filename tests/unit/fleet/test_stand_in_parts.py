# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the stand-in that need no node: state, config files, the wire format, faults."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from stand_in import faults, node, protobuf, store
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


def test_later_config_files_win_and_plus_appends(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("disable-default-registry-endpoint: false\nnode-label: [a]\n")
    (tmp_path / "config.yaml.d").mkdir()
    (tmp_path / "config.yaml.d" / "20.yaml").write_text("disable-default-registry-endpoint: true\n")
    (tmp_path / "config.yaml.d" / "10.yaml").write_text("disable-default-registry-endpoint: false\nnode-label+: [b]\n")
    found = node.settings(str(tmp_path), ["--private-registry=/x.yaml", "--debug"])
    assert found["disable-default-registry-endpoint"] is True
    assert found["node-label"] == ["a", "b"]
    assert (found["private-registry"], found["debug"]) == ("/x.yaml", True)


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
