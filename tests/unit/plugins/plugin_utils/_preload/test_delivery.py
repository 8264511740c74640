# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forty archives to a node: once, cut off anywhere, damaged, to a K3s that does not run, and a second time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Sequence

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import Archive
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload import parcels
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.catalogue import Stored
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.delivery import (
    Delivered,
    Delivery,
    DeliveryProblem,
    Settings,
)

from .conftest import FakeNode


def deliver(node: FakeNode, stored: list[Stored], **settings: int) -> Delivered:
    node.has(stored)
    node.calls.clear()
    return Delivery(node, stored, Settings(**settings), node.clock, node.clock.sleep).deliver()


def total(stored: list[Stored]) -> int:
    return sum(item.archive.size for item in stored)


def complete(node: FakeNode, stored: list[Stored]) -> None:
    """Every archive is in place, byte for byte, and nothing is left of the transfer."""
    for item in stored:
        assert (node.images_dir / item.archive.file).read_bytes() == Path(item.path).read_bytes()
    assert os.listdir(node.folder / "agent" / "k3sfleet-preload") == ["brought.json"]


def test_all_go_in_one_parcel_and_a_second_run_is_one_call(node: FakeNode, stored: list[Stored]) -> None:
    found = deliver(node, stored)
    assert (found.k3s, found.sent, set(found.actions.values())) == ("running", total(stored), {"sent"})
    assert node.calls[:2] == ["look", "receive"]
    complete(node, stored)
    assert set(node.images) == {item.archive.images[0] for item in stored}

    again = deliver(node, stored)
    assert (again.sent, set(again.actions.values())) == (0, {"none"})
    assert node.calls == ["look"]


@pytest.mark.parametrize("cut", [0, 1, 7, 20, 39])
def test_what_arrived_before_the_line_broke_is_not_sent_again(
    node: FakeNode, stored: list[Stored], cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "size_of", lambda *_: 23)
    node.cut_after = cut
    with pytest.raises(ConnectionError):
        deliver(node, stored)
    assert node.files() == set()
    node.cut_after = -1
    found = deliver(node, stored)
    assert found.sent == total(stored) - cut * 23
    assert ("verify" in node.calls) == (cut > 0)
    complete(node, stored)


def test_what_is_damaged_on_the_way_is_sent_again(
    node: FakeNode, stored: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "size_of", lambda *_: 100)
    node.damage_next = 2
    deliver(node, stored)
    complete(node, stored)


def test_a_node_that_damages_everything_is_given_up(node: FakeNode, stored: list[Stored]) -> None:
    node.damage_next = 1000
    with pytest.raises(DeliveryProblem, match="3 times in a row: look at the node's disk"):
        deliver(node, stored)
    assert node.files() == set()


def test_one_that_was_complete_but_not_in_place_is_only_placed(node: FakeNode, stored: list[Stored]) -> None:
    deliver(node, stored[:1])
    archive = stored[0].archive
    incoming = node.folder / "agent" / "k3sfleet-preload"
    (node.images_dir / archive.file).rename(incoming / (archive.sha256 + ".part"))
    found = deliver(node, stored[:1])
    assert (found.sent, node.calls) == (0, ["look", "verify", "finish"])
    complete(node, stored[:1])


def test_without_a_running_k3s_files_are_placed_and_nobody_waits(node: FakeNode, stored: list[Stored]) -> None:
    node.state = "not_installed"
    assert deliver(node, stored).k3s == "not_installed"
    complete(node, stored)
    assert node.clock.now == 0.0
    assert set(deliver(node, stored).actions.values()) == {"none"}
    assert node.calls == ["look"]


def test_a_release_that_does_not_watch_is_told_to_import(node: FakeNode, stored: list[Stored]) -> None:
    node.release = "v1.31.4+k3s1"
    deliver(node, stored[:3])
    assert node.calls.count("ctr import") == 3
    complete(node, stored[:3])
    deliver(node, stored[:3])
    assert node.calls == ["look"]


def test_an_image_that_is_gone_from_containerd_is_imported_again_by_k3s(node: FakeNode, stored: list[Stored]) -> None:
    deliver(node, stored)
    del node.images[stored[5].archive.images[0]]
    found = deliver(node, stored)
    assert (found.sent, found.actions[stored[5].archive.file]) == (0, "imported")
    assert list(found.actions.values()).count("imported") == 1
    assert "ctr import" not in node.calls
    assert stored[5].archive.images[0] in node.images
    complete(node, stored)


def test_an_import_that_never_comes_is_an_error_with_a_place_to_look(node: FakeNode, stored: list[Stored]) -> None:
    node.imports = False
    with pytest.raises(DeliveryProblem, match="not imported and pinned after 30 s: docker.io/rancher/part-0:1") as why:
        deliver(node, stored, import_timeout=30)
    assert "failed to import" in str(why.value)
    assert 30 < node.clock.now < 60
    complete(node, stored)


def test_a_file_of_the_operator_s_is_used(node: FakeNode, stored: list[Stored]) -> None:
    node.images_dir.mkdir(parents=True)
    theirs = node.images_dir / "k3s-airgap-images-amd64.tar"
    theirs.write_bytes(Path(stored[0].path).read_bytes())
    node.imported(stored[0].archive.images)
    found = deliver(node, stored)
    assert found.actions[stored[0].archive.file] == "theirs"
    assert found.sent == total(stored[1:])
    assert stored[0].archive.file not in node.files()


def test_a_limit_holds_on_average(node: FakeNode, stored: list[Stored], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "size_of", lambda *_: 50)
    node.state = "stopped"
    # A kB per second: 50 bytes take 50 ms. Nobody waits after the last parcel.
    found = deliver(node, stored, bandwidth_limit=1)
    assert found.sent == total(stored)
    assert node.clock.now == pytest.approx((total(stored) - total(stored) % 50) / 1000, abs=0.051)


@pytest.mark.parametrize(
    ("chunk", "limit", "expected"), [(16, 0, 16 << 20), (1, 1000, 1 << 20), (16, 100, 1_000_000), (16, 1, 64 << 10)]
)
def test_a_parcel_is_as_small_as_the_limit_needs(chunk: int, limit: int, expected: int) -> None:
    assert parcels.size_of(chunk, limit, 10) == expected


def test_an_answer_about_other_archives_is_not_used(
    node: FakeNode, stored: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = node.ask
    monkeypatch.setattr(node, "ask", lambda *a, **more: {**real(*a, **more), "found": []})
    with pytest.raises(DeliveryProblem, match="other archives"):
        deliver(node, stored)


def test_a_node_that_says_it_has_nothing_for_ever_ends_the_run(
    node: FakeNode, stored: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "size_of", lambda *_: 50)
    real = node.ask

    def lying(operation: str, **more: object) -> dict[str, object]:
        said = real(operation, **more)
        return {**said, "have": dict.fromkeys(said["have"], 0)} if "have" in said else said

    monkeypatch.setattr(node, "ask", lying)
    with pytest.raises(DeliveryProblem):
        deliver(node, stored)


def by_relay(node: FakeNode, stored: list[Stored], after: list[str]) -> Delivered:
    """With a relay that brings ten archives with each call, until one of ``after`` is its answer."""
    answers = iter(after)

    def fetch(archives: Sequence[Archive], _limit: int) -> dict[str, Any]:
        said = next(answers, "")
        paths = parcels.paths_of(stored)
        incoming = node.folder / "agent" / "k3sfleet-preload"
        incoming.mkdir(parents=True, exist_ok=True)
        missing = [item for item in archives if not (incoming / (item.sha256 + ".part")).exists()]
        for archive in missing[:10] if not said else []:
            (incoming / (archive.sha256 + ".part")).write_bytes(Path(paths[archive.sha256]).read_bytes())
        have = {item.sha256: item.size if item not in missing[10 * (not said) :] else 0 for item in archives}
        return {"have": have, **({said: "no more"} if said else {})}

    node.has(stored)
    node.calls.clear()
    return Delivery(node, stored, Settings(), node.clock, node.clock.sleep, fetch).deliver()


def test_a_relay_brings_everything(node: FakeNode, stored: list[Stored]) -> None:
    found = by_relay(node, stored, [])
    assert (found.sent, found.relayed) == (0, total(stored))
    assert node.calls[:2] == ["look", "finish"]
    complete(node, stored)


@pytest.mark.parametrize("answer", ["gone", "again"])
def test_what_a_relay_does_not_bring_comes_from_the_controller(
    node: FakeNode, stored: list[Stored], answer: str
) -> None:
    found = by_relay(node, stored, ["", "", *[answer] * 3])
    assert found.relayed == total(stored[:20])
    assert found.sent == total(stored[20:])
    assert ("no more; what is missing comes from the controller" in node.told) == (answer == "gone")
    complete(node, stored)
