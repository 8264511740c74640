# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of a real K3s in the fleet's containers, where runc may do less than on a machine of its own.

It may not lower its oom_score_adj, and cannot mount cgroups on hybrid ones: a sandbox fails with `can't get final
child's PID from pipe: EOF`. Pods need `hostNetwork: true` besides, as ``tests.fleet.workloads`` makes them.
"""

from __future__ import annotations

import json
import time

from tests.fleet import contents, nodes, workloads
from tests.fleet.archive import Archive
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet

_PATIENCE = 60.0
# In runc's place. The bundle is what containerd wants; what cannot be done here is taken out of it.
WRAPPER = """\
#!/usr/bin/python3 -IS
import json, os, sys
words = sys.argv[1:]
bundle = ""
for number, word in enumerate(words):
    if word.startswith("--bundle="):
        bundle = word.partition("=")[2]
    elif word in ("--bundle", "-b") and number + 1 < len(words):
        bundle = words[number + 1]
if bundle:
    path = os.path.join(bundle, "config.json")
    with open(path) as handle:
        config = json.load(handle)
    process = config.get("process") or {}
    if process.get("oomScoreAdj", 0) < 0:
        process["oomScoreAdj"] = 0
    config["mounts"] = [mount for mount in config.get("mounts") or [] if mount.get("type") != "cgroup"]
    with open(path, "w") as handle:
        json.dump(config, handle)
real = os.path.abspath(__file__) + ".real"
os.execv(real, ["runc", *words])
"""
# Debian's, and the one that an official K3s has unpacked.
_INSTALL = """\
cat > /run/runc-wrapper
for runc in /usr/bin/runc /usr/sbin/runc /var/lib/rancher/k3s/data/*/bin/runc; do
    if [ -f "$runc" ] && [ ! -e "$runc.real" ]; then
        cp -p "$runc" "$runc.real"
        install -m 0755 /run/runc-wrapper "$runc.new"
        mv "$runc.new" "$runc"
    fi
done
"""


def allow(fleet: Fleet, bring_pause: bool = True) -> None:
    """From now on pods run on every node of a fleet that is up.

    :param bring_pause: put the image that every pod needs into each containerd.
    :raises FleetError: for a stand-in, which runs none, and for a cluster that takes no pods within a minute.
    """
    if fleet.k3s != "real":
        raise FleetError("fleet %s has no real K3s, so its pods have no processes" % fleet.name)
    for node in fleet.nodes:
        nodes.execute(fleet, node.name, ["sh", "-ec", _INSTALL], stdin=WRAPPER.encode())
        if bring_pause:
            bring = ["k3s", "ctr", "--namespace", "k8s.io", "images", "import", "-"]
            nodes.execute(fleet, node.name, bring, stdin=pause_archive())
    _wait_for_service_account(fleet)


def _wait_for_service_account(fleet: Fleet) -> None:
    """A new cluster's controllers make it some seconds after its nodes are Ready, and no pod is taken before that."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            workloads.kubectl(fleet, "get", "serviceaccount", "default")
            return
        except FleetError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def pause_archive() -> bytes:
    """Every pod needs it, and the test's registries.yaml need not say where it is to be had: an OCI layout."""
    image, archive = contents.built(contents.PAUSE), Archive()
    blobs = {**image.blobs, **image.manifests, contents.digest(image.index): image.index}
    for digest, content in blobs.items():
        archive.file("blobs/" + digest.replace(":", "/"), content)
    name = {"io.containerd.image.name": "docker.io/" + contents.PAUSE}
    entry = {"mediaType": contents.INDEX, "digest": contents.digest(image.index), "size": len(image.index)}
    archive.file("index.json", json.dumps({"schemaVersion": 2, "manifests": [{**entry, "annotations": name}]}))
    archive.file("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}))
    return archive.content()
