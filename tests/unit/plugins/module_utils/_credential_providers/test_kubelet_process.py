# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment verify gives to providers: the one that the kubelet gives them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.kubelet_process import (
    environment,
)

DATA = "/var/lib/rancher/k3s"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return tmp_path


def process(proc: Path, pid: int, parent: int, name: str, environ: bytes) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "stat").write_text("%d (%s) S %d 1 1\n" % (pid, name, parent))
    (folder / "environ").write_bytes(environ)


def test_it_is_k3s_own_without_what_k3s_keeps_to_itself(proc: Path) -> None:
    process(proc, 7, 1, "k3s-server", b"PATH=/k3s/bin:/bin\0NOTIFY_SOCKET=/run/systemd/notify\0HTTPS_PROXY=p:1\0")
    process(proc, 8, 7, "containerd", b"PATH=/other\0")
    assert environment(7, DATA, str(proc)) == {"PATH": "/k3s/bin:/bin", "HTTPS_PROXY": "p:1"}


def test_a_first_variable_under_k3s_title_is_made_good(proc: Path) -> None:
    process(proc, 7, 1, "k3s-server", b"\0" * 40 + b"LANG=C\0K3S_TOKEN=x=y\0")
    found = environment(7, DATA, str(proc))
    assert (found["LANG"], found["K3S_TOKEN"]) == ("C", "x=y")
    assert found["PATH"].split(":")[0] == "/var/lib/rancher/k3s/data/current/bin"
    assert "/usr/bin" in found["PATH"].split(":")


def test_rke2_s_kubelet_is_a_process_of_its_own(proc: Path) -> None:
    process(proc, 7, 1, "rke2", b"PATH=/rke2\0NOTIFY_SOCKET=/run/systemd/notify\0")
    process(proc, 30, 2, "kubelet", b"PATH=/another\0")
    process(proc, 31, 7, "kubelet", b"PATH=/rke2/bin\0NODE_NAME=a\0")
    assert environment(7, DATA, str(proc)) == {"PATH": "/rke2/bin", "NODE_NAME": "a"}


def test_of_one_that_does_not_run_only_the_path_is_known(proc: Path) -> None:
    assert list(environment(0, DATA, str(proc))) == ["PATH"]
    assert environment(os.getpid(), DATA)["PATH"] == os.environ["PATH"]
