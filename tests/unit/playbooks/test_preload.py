# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook preload on nodes without K3s: nothing in check mode, then all, then nothing, and removed again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from local_fleet import run

from tests.mirror.exports import export

FLEET = {"server": ["server-1"], "agent": ["agent-1"]}
NAMES = ("docker.io/rancher/mirrored-pause:3.6", "docker.io/library/nginx:1")


def _placed(folder: Path) -> dict[str, list[str]]:
    """What is in the folder from which each node's K3s imports."""
    found = {}
    for host in ("server-1", "agent-1"):
        images = folder / ("data-of-" + host) / "agent" / "images"
        found[host] = sorted(os.listdir(images)) if images.exists() else []
    return found


@pytest.mark.nightly
def test_it_comes_once_and_goes_again(tmp_path: Path) -> None:
    archives = tmp_path / "archives"
    variables = {
        "k3s_image_preload_import_from": [export(tmp_path / "layout", *NAMES).root],
        "k3s_image_preload_archive_dir": str(archives),
    }

    check = run(tmp_path, "preload", FLEET, "--check", "--diff", variables=variables)
    assert check.status == 0, check.output
    assert "2 archives: 2 to make" in check.output
    assert _placed(tmp_path) == {"server-1": [], "agent-1": []}
    assert not archives.exists()

    done = run(tmp_path, "preload", FLEET, variables=variables)
    assert done.status == 0, done.output
    assert "[2/2] packing docker.io/library/nginx:1" in done.output
    assert "agent-1: 2 archives: 2 sent" in done.output
    made = sorted(file.name for file in archives.glob("k3sfleet-*.tar.gz"))
    assert len(made) == 2
    assert _placed(tmp_path) == {"server-1": made, "agent-1": made}

    again = run(tmp_path, "preload", FLEET, variables=variables)
    assert (again.status, set(again.changed.values())) == (0, {0})

    theirs = tmp_path / "data-of-agent-1" / "agent" / "images" / "their-own.tar"
    theirs.write_bytes(b"theirs")
    gone = run(tmp_path, "preload", FLEET, "-e", "k3s_image_preload_state=absent", variables=variables)
    assert gone.status == 0, gone.output
    assert _placed(tmp_path) == {"server-1": [], "agent-1": ["their-own.tar"]}


def test_nothing_to_bring_is_an_error(tmp_path: Path) -> None:
    done = run(tmp_path, "preload", FLEET)
    assert done.status != 0
    assert "nothing to bring" in done.output
