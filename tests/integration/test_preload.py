# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many images on three nodes: one is cut off and continues, a second run does nothing, and all goes again."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.conftest import NIGHTLY
from tests.integration.cluster import Cluster
from tests.mirror.exports import export

PRELOAD = "playbooks/preload.yml"
FOLDER = "/var/lib/rancher/k3s/agent/images"
INCOMING = "/var/lib/rancher/k3s/agent/k3sfleet-preload"
# Each import takes a node some time, so that there are fewer by day.
COUNT = 40 if NIGHTLY else 12
NAMES = ["docker.io/preloaded/part-%d:1" % number for number in range(COUNT)]
_PINNED = (
    "k3s ctr images ls 'labels.\"io.cattle.k3s.pinned\"==pinned' | grep -c '^docker.io/preloaded/[^@ ]* .*%s' || :"
)


@pytest.fixture(scope="module")
def variables(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What is brought. All of it is removed again: at each start of K3s, all of them would be imported."""
    folder = tmp_path_factory.mktemp("preload")
    found = {
        "k3s_image_preload_import_from": [export(folder / "layout", *NAMES, ballast=4_000_000 // COUNT).root],
        "k3s_image_preload_archive_dir": str(folder / "archives"),
        # Four parcels of a MiB, two seconds apart: time to cut one node off between them.
        "k3s_image_preload_chunk_size": 1,
        "k3s_image_preload_bandwidth_limit": 500,
    }
    yield found
    cluster.play(PRELOAD, "-e", "k3s_image_preload_state=absent", variables=found).ok()
    assert _pinned(cluster) == dict.fromkeys(cluster.names, 0)


@pytest.fixture(scope="module")
def theirs(cluster: Cluster) -> Iterator[str]:
    """A file of the operator's in the folder of one node."""
    path = FOLDER + "/their-own.tar.part"
    cluster.sh(cluster.agents[0], "mkdir -p %s; echo theirs > %s" % (FOLDER, path))
    yield path
    cluster.sh(cluster.agents[0], "rm -f %s" % path)


def _cut_off(cluster: Cluster, node: str, over: threading.Event) -> None:
    """Take the node's SSH away as soon as a part of the archives has arrived."""
    while not over.is_set():
        if int(cluster.sh(node, "cat %s/*.part 2>/dev/null | wc -c" % INCOMING)) > 0:
            cluster.sh(node, "systemctl stop ssh || :; pkill -x sshd || :")
            return
        time.sleep(0.05)


def _pinned(cluster: Cluster) -> dict[str, int]:
    return {name: int(text) for name, text in cluster.everywhere(_PINNED % "io.cri-containerd.pinned=pinned").items()}


def _sent(output: str, node: str) -> float:
    """The bytes that a run says it has sent to a node."""
    found = re.search(r"^%s: .* sent \(([0-9.]+) ([kM])B\)" % node, output, re.M)
    assert found, output
    return float(found[1]) * {"k": 1e3, "M": 1e6}[found[2]]


def test_a_node_that_was_cut_off_continues(cluster: Cluster, variables: dict[str, Any], theirs: str) -> None:
    lost, over = cluster.agents[-1], threading.Event()
    cutter = threading.Thread(target=_cut_off, args=(cluster, lost, over))
    cutter.start()
    try:
        first = cluster.play(PRELOAD, variables=variables).refused()
    finally:
        over.set()
        cutter.join()
        cluster.sh(lost, "systemctl start ssh")
    assert first.failed == [lost], first.output
    assert _pinned(cluster) == {**dict.fromkeys(cluster.names, COUNT), lost: 0}
    assert cluster.sh(lost, "ls %s 2>/dev/null | wc -l" % FOLDER).strip() == "0"

    second = cluster.play(PRELOAD, variables=variables).ok()
    assert {name for name, count in second.changed.items() if count} == {lost}
    assert _pinned(cluster) == dict.fromkeys(cluster.names, COUNT)
    others = next(name for name in cluster.names if name != lost)
    assert 0 < _sent(second.output, lost) < _sent(first.output, others)
    assert cluster.sh(lost, "ls %s" % INCOMING).split() == ["brought.json"]


def test_a_second_run_sends_nothing_and_takes_one_call(cluster: Cluster, variables: dict[str, Any]) -> None:
    run = cluster.play(PRELOAD, variables=variables).ok()
    assert set(run.changed.values()) == {0}
    assert cluster.commands(run.began) == dict.fromkeys(cluster.names, 1)


@pytest.mark.nightly
def test_a_site_is_served_by_one_of_its_nodes(cluster: Cluster, variables: dict[str, Any]) -> None:
    cluster.play(PRELOAD, "-e", "k3s_image_preload_state=absent", variables=variables).ok()
    relay, other = cluster.agents
    site = {name: {"k3s_image_preload_site": "agent"} for name in cluster.agents}
    run = cluster.play(PRELOAD, "-vvv", variables=variables, hosts=site).ok()
    assert "Site agent: served by %s" % relay in run.output
    assert re.search(r"^%s: %d archives: %d sent \([0-9.]+ MB by the relay\)" % (other, COUNT, COUNT), run.output, re.M)
    assert re.search(r"^%s: %d archives: %d sent \([0-9.]+ MB\)" % (relay, COUNT, COUNT), run.output, re.M)
    assert "PRIVATE KEY" not in run.output
    assert _pinned(cluster) == dict.fromkeys(cluster.names, COUNT)
    # It has ended with the run, and a run with nothing to do starts none.
    assert cluster.sh(relay, "ls /run/k3sfleet-preload").strip() == ""
    again = cluster.play(PRELOAD, variables=variables, hosts=site).ok()
    assert set(again.changed.values()) == {0}
    assert "served by" not in again.output
    assert cluster.commands(again.began) == dict.fromkeys(cluster.names, 1)


@pytest.mark.nightly
def test_what_a_container_uses_stays_and_the_rest_goes(
    cluster: Cluster, variables: dict[str, Any], theirs: str
) -> None:
    user = cluster.agents[0]
    cluster.sh(user, "k3s ctr containers create %s in-use" % NAMES[7])
    try:
        gone = cluster.play(PRELOAD, "-e", "k3s_image_preload_state=absent", variables=variables).ok()
        assert "containers use %s" % NAMES[7] in " ".join(gone.output.split())
        assert _pinned(cluster) == {**dict.fromkeys(cluster.names, 0), user: 1}
        assert cluster.read(user, theirs) == "theirs\n"
        assert cluster.sh(user, "ls %s | grep -c k3sfleet-" % FOLDER).strip() == "1"
    finally:
        cluster.sh(user, "k3s ctr containers rm in-use")
    cluster.play(PRELOAD, "-e", "k3s_image_preload_state=absent", variables=variables).ok()
    assert _pinned(cluster) == dict.fromkeys(cluster.names, 0)
    assert cluster.sh(user, "ls %s" % FOLDER).split() == [Path(theirs).name]
    assert not cluster.exists(user, INCOMING)
