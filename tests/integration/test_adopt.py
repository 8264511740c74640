# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over what is on the nodes already: files written by hand, or by another role."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from tests.integration.cluster import REMOVE, SITE, Cluster

REGISTRIES = "/etc/rancher/k3s/registries.yaml"


def _by_hand(cluster: Cluster, config: dict[str, Any]) -> None:
    """Put a file of somebody else's on every node and restart K3s with it, as the K3s documentation says."""
    text = "# written by hand\n" + yaml.safe_dump(config)
    cluster.everywhere("umask 077; cat > %s" % REGISTRIES, stdin=text.encode())
    cluster.everywhere("systemctl restart 'k3s*.service'")
    cluster.everywhere("until k3s crictl info >/dev/null 2>&1; do sleep 0.2; done; sleep 1")


def test_equal_files_are_taken_over_and_others_shown(configured: Cluster) -> None:
    configured.play(REMOVE).ok()
    ours = copy.deepcopy(configured.variables["k3s_registries"])
    ours["mirrors"]["quay.io"] = {"endpoint": [configured.fleet.registry.url]}
    for registry in ours["configs"].values():
        registry.pop("tls", None)
    # The same in other words: K3s adds the path itself.
    theirs = copy.deepcopy(ours)
    theirs["mirrors"]["quay.io"]["endpoint"] = [configured.fleet.registry.url + "/v2"]
    _by_hand(configured, theirs)
    wanted = {"k3s_registries": ours, "k3s_registries_adopt": True, "k3s_registries_canary_images": []}

    different = copy.deepcopy(wanted)
    different["k3s_registries"]["mirrors"]["quay.io"]["endpoint"] = ["https://elsewhere.example.com"]
    shown = configured.play(SITE, variables=different).refused()
    said = " ".join(shown.output.split())
    assert "was not written by this collection and is not equal in effect to k3s_registries" in said
    assert "certs.d/quay.io/hosts.toml" in said
    assert "https://elsewhere.example.com/v2" in said
    assert configured.restarts(shown.began) == dict.fromkeys(configured.names, 0)
    assert set(configured.everywhere("head -1 %s" % REGISTRIES).values()) == {"# written by hand\n"}

    adopted = configured.play(SITE, variables=wanted).ok()
    assert set(adopted.changed.values()) == {1}
    assert configured.restarts(adopted.began) == dict.fromkeys(configured.names, 0)
    assert set(configured.play(SITE, variables=wanted).ok().changed.values()) == {0}
