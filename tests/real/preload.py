# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.real.preload``: nodes that have never reached a registry start pods from images that were brought.

The pods are made first, and wait: no node has an image, and there is no registries.yaml. Then the playbook ``preload``
brings the archive, and nothing else happens until all of them run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench.fleet_runs import FleetRuns
from tests.fleet import contents, nodes, real_pods, up, workloads
from tests.fleet.process import FleetError, say
from tests.fleet.state import Fleet

_NAME = "realpreloaded"
_PRELOAD = "playbooks/preload.yml"
_IMAGE = "docker.io/" + contents.PAUSE


def _images(fleet: Fleet) -> dict[str, str]:
    found = {}
    for node in fleet.nodes:
        found[node.name] = str(nodes.execute(fleet, node.name, ["k3s", "crictl", "images", "--quiet"]).stdout).strip()
    return found


def show(fleet: Fleet, folder: Path) -> str:
    """:raises FleetError: if a pod runs too early, or not at all, or if a second run brings anything."""
    archive = folder / "pause.tar"
    archive.write_bytes(real_pods.pause_archive())
    real_pods.allow(fleet, bring_pause=False)
    for node in fleet.nodes:
        workloads.pod(fleet, "on-" + node.name, node.name, _IMAGE)
    if any(_images(fleet).values()):
        raise FleetError("there are images before any were brought: %s" % _images(fleet))
    runs = FleetRuns(fleet, folder)
    runs.variables["k3s_image_preload_archives"] = [str(archive)]
    runs.variables["k3s_image_preload_archive_dir"] = str(folder / "archives")
    brought = runs.play(_PRELOAD).changed
    if not all(brought.values()):
        raise FleetError("not every node has been brought something: %s" % brought)
    for node in fleet.nodes:
        workloads.until_running(fleet, "on-" + node.name, 120.0)
    if any(runs.play(_PRELOAD).changed.values()):
        raise FleetError("a second run has brought something")
    return "%s: pods on %d nodes that have never reached a registry run with images that were brought" % (
        fleet.release, len(fleet.nodes),
    )  # fmt: skip


def main() -> int:
    up.down(_NAME)
    try:
        fleet = up.up(_NAME, 1, 1, "k3s", "auto", 40)
        with tempfile.TemporaryDirectory(prefix="k3sfleet-preload-") as folder:
            said = show(fleet, Path(folder))
    except FleetError as error:
        sys.stderr.write("%s\n" % error)
        return 1
    finally:
        up.down(_NAME)
    say(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
