# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing takes what the collection has brought and nothing uses, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.k3sfleet.registries.plugins.module_utils._preload import bring, remove
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.containerd import Image
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.places import Ledger, Places

from .conftest import described

ONE, TWO = b"one's content", b"two's content"
ARCHIVES = {content: described(content, name) for content, name in ((ONE, "one"), (TWO, "two"))}
DIGESTS = {"one": "sha256:" + "1" * 64, "two": "sha256:" + "2" * 64}


def brought(places: Places, had: tuple[str, ...] = ()) -> None:
    for content, archive in ARCHIVES.items():
        Path(places.part(archive.sha256)).write_bytes(content)
    bring.place(places, Ledger(places), list(ARCHIVES.values()), lambda: had)


def in_containerd(*more: tuple[str, str]) -> dict[str, Image]:
    """As K3s and CRI name what was imported."""
    found = []
    for name, digest in DIGESTS.items():
        found += [("docker.io/rancher/%s:1" % name, digest), ("docker.io/rancher/%s@%s" % (name, digest), digest)]
        found += [("sha256:" + name[0] * 64, digest)]
    return {name: Image(name, digest, True) for name, digest in (*found, *more)}


def removed(places: Places, known: dict[str, Image], in_use: set[str], *selected: str) -> remove.Plan:
    ledger = Ledger(places)
    found = remove.plan(places, ledger, selected, known, in_use)
    remove.remove_archives(places, ledger, found)
    return found


def test_all_goes_and_so_do_the_names_that_k3s_and_cri_gave(places: Places) -> None:
    brought(places)
    known = in_containerd(("docker.io/library/other:1", "sha256:" + "3" * 64))
    plan = removed(places, known, set())
    assert plan.names == sorted(set(known) - {"docker.io/library/other:1"})
    assert (plan.kept, plan.lost) == ([], [])
    assert os.listdir(places.images) == []
    assert not os.path.exists(places.incoming)


def test_what_a_container_uses_stays_and_goes_when_it_is_not_used(places: Places) -> None:
    brought(places)
    plan = removed(places, in_containerd(), {DIGESTS["one"]})
    assert os.listdir(places.images) == [ARCHIVES[ONE].file]
    assert not [name for name in plan.names if "one" in name]
    assert "containers use docker.io/rancher/one:1" in plan.kept[0]
    plan = removed(places, in_containerd(), set())
    assert plan.archives == [ARCHIVES[ONE].file]
    assert os.listdir(places.images) == []


def test_files_of_others_stay_and_so_do_images_that_they_may_need(places: Places) -> None:
    brought(places)
    theirs = Path(places.images) / "k3s-airgap-images-amd64.tar.zst"
    theirs.write_bytes(b"theirs")
    plan = removed(places, in_containerd(), set())
    assert [file.name for file in Path(places.images).iterdir()] == [theirs.name]
    assert theirs.read_bytes() == b"theirs"
    assert plan.names == []
    assert "not from this collection" in plan.kept[0]


def test_an_archive_that_somebody_has_changed_stays(places: Places) -> None:
    brought(places)
    changed = Path(places.placed(ARCHIVES[ONE].file))
    changed.write_bytes(b"changed")
    plan = removed(places, in_containerd(), set())
    assert changed.read_bytes() == b"changed"
    assert "somebody has changed it" in plan.kept[0]
    assert plan.archives == [ARCHIVES[TWO].file]


def test_images_that_were_there_before_stay(places: Places) -> None:
    brought(places, ("docker.io/rancher/one:1",))
    plan = removed(places, in_containerd(), set())
    assert len(plan.archives) == 2
    assert not [name for name in plan.names if "one" in name]


def test_an_image_with_a_name_of_somebody_else_loses_only_ours(places: Places) -> None:
    brought(places)
    plan = removed(places, in_containerd(("registry.example.com/mine:1", DIGESTS["one"])), set())
    assert [name for name in plan.names if "one" in name] == ["docker.io/rancher/one:1"]
    assert "sha256:" + "o" * 64 not in plan.names


def test_only_what_was_selected_goes_and_an_image_that_another_archive_has_stays(places: Places) -> None:
    both = described(ONE, "one", ("docker.io/rancher/one:1", "docker.io/rancher/two:1"))
    brought(places)
    ledger = Ledger(places)
    ledger.files[both.file] = ledger.files[ARCHIVES[ONE].file]._replace(images=both.images)
    ledger.keep()
    plan = removed(places, in_containerd(), set(), both.file)
    assert plan.archives == [both.file]
    assert not [name for name in plan.names if "two" in name]
    assert set(Ledger(places).files) == {ARCHIVES[TWO].file}


def test_without_containerd_the_files_go(places: Places) -> None:
    brought(places)
    plan = removed(places, {}, set())
    assert (len(plan.archives), plan.names) == (2, [])
