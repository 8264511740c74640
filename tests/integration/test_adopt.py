# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over what is on the nodes already: files written by hand, or by another role."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from tests.integration.cluster import REMOVE, SITE, Cluster
from tests.integration.conftest import IDENTITY_TOKEN, MIRROR_PASSWORD, TOKEN_REGISTRY

REGISTRIES = "/etc/rancher/k3s/registries.yaml"


def _by_hand(cluster: Cluster, config: dict[str, Any], *names: str) -> None:
    """Put a file of somebody else's on these nodes, or on all, and restart K3s with it, as K3s' documentation says."""
    text = "# written by hand\n" + yaml.safe_dump(config)
    for name in names or cluster.names:
        cluster.sh(name, "umask 077; cat > %s; systemctl restart 'k3s*.service'" % REGISTRIES, stdin=text.encode())
    for name in names or cluster.names:
        cluster.sh(name, "until k3s crictl info >/dev/null 2>&1; do sleep 0.2; done; sleep 1")


@pytest.mark.nightly
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


@pytest.mark.nightly
def test_a_node_that_differs_is_named_and_keeps_the_others_from_no_more_than_a_restart(configured: Cluster) -> None:
    configured.play(REMOVE).ok()
    ours = copy.deepcopy(configured.variables["k3s_registries"])
    ours["mirrors"]["quay.io"] = {"endpoint": [configured.fleet.registry.url]}
    for registry in ours["configs"].values():
        registry.pop("tls", None)
    ours["configs"][TOKEN_REGISTRY] = {"auth": {"identity_token": IDENTITY_TOKEN}}
    _by_hand(configured, ours)
    odd = configured.agents[-1]
    equal = [name for name in configured.names if name != odd]
    theirs = copy.deepcopy(ours)
    theirs["mirrors"]["quay.io"]["endpoint"] = ["https://robot:%s@elsewhere.example.com" % MIRROR_PASSWORD]
    theirs["configs"][TOKEN_REGISTRY]["auth"]["identity_token"] = IDENTITY_TOKEN + "-of-the-node"
    _by_hand(configured, theirs, odd)
    wanted = {"k3s_registries": ours, "k3s_registries_adopt": True, "k3s_registries_canary_images": []}

    shown = configured.play(SITE, "--check", variables=wanted).refused()
    assert (shown.failed, configured.restarts(shown.began)) == ([odd], dict.fromkeys(configured.names, 0))
    assert set(configured.everywhere("head -1 %s" % REGISTRIES).values()) == {"# written by hand\n"}

    refused = configured.play(SITE, variables=wanted).refused()
    assert refused.failed == [odd]
    assert refused.changed == {**dict.fromkeys(equal, 1), odd: 0}
    assert configured.restarts(refused.began) == dict.fromkeys(configured.names, 0)
    assert configured.sh(odd, "head -1 %s" % REGISTRIES) == "# written by hand\n"
    _before, _fatal, after = refused.output.partition("fatal: [%s]" % odd)
    said = " ".join(after.partition("TASK [")[0].split())
    assert "%s was not written by this collection and is not equal in effect" % REGISTRIES in said
    assert "certs.d/quay.io/hosts.toml has " in said
    assert "://********@elsewhere.example.com" in said
    assert "config.toml has other credentials for" in said
    assert TOKEN_REGISTRY in said

    # The others are managed now: what they would be restarted for waits for the one that is refused.
    more = copy.deepcopy(wanted)
    more["k3s_registries"]["mirrors"]["ghcr.io"] = {"endpoint": [configured.fleet.registry.url]}
    held = configured.play(SITE, variables=more).refused()
    assert held.failed == sorted(configured.names)
    assert "left as it was, untouched: the rollout stopped after %s failed" % odd in " ".join(held.output.split())
    assert configured.restarts(held.began) == dict.fromkeys(configured.names, 0)

    _by_hand(configured, ours, odd)
    adopted = configured.play(SITE, variables=wanted).ok()
    assert adopted.changed == {**dict.fromkeys(equal, 0), odd: 1}
    assert configured.restarts(adopted.began) == dict.fromkeys(configured.names, 0)
