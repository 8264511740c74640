# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server and an agent with every recipe in one configuration, and what came of four playbooks there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests import results
from tests.integration.cluster import SITE, Cluster, Run
from tests.integration.recipes.fleet_registries import SOURCE, Registries
from tests.integration.recipes.readers import FILLING, READERS, configuration, mirrored

if TYPE_CHECKING:
    from collections.abc import Iterable

VERIFY, DIAGNOSE, FILL = (f"playbooks/{name}.yml" for name in ("verify", "diagnose", "mirror_images"))
SERVER, AGENT = "server-1", "agent-1"
# Without the image before it, which may have the same layers, each is fetched from its own registry.
_PULL = """\
cat > /run/images
while read -r image; do
    if timeout 60 k3s crictl pull "$image" </dev/null >/dev/null 2>&1; then
        echo "pulled $image"; k3s crictl rmi "$image" </dev/null >/dev/null
    else
        echo "failed $image"
    fi
done </run/images
"""


@dataclass(frozen=True)
class Pulls:
    """What the agent has pulled, and what the registries were asked meanwhile: method and URL."""

    pulled: set[str]
    asked: list[str]


@dataclass(frozen=True)
class Story:
    """Each playbook with its pulls: the pages' images after ``site``, those with a fault before ``diagnose``, and what
    was filled after ``mirror_images``.

    :ivar verified, diagnosed: the hosts of the results.
    :ivar uploaded: what the registries were asked by ``mirror_images``.
    """

    site: Run
    good: Pulls
    verify: Run
    verified: dict[str, Any]
    broken: Pulls
    diagnose: Run
    diagnosed: dict[str, Any]
    fill: Run
    uploaded: list[str]
    filled: Pulls


def _pull(cluster: Cluster, registries: Registries, images: Iterable[str]) -> Pulls:
    names = list(images)
    registries.take()
    said = cluster.sh(AGENT, _PULL, "".join(f"{name}\n" for name in names).encode())
    ended = [line.split(" ") for line in said.splitlines()]
    assert [name for _how, name in ended] == names, said
    return Pulls({name for how, name in ended if how == "pulled"}, registries.take())


def play(cluster: Cluster, registries: Registries) -> Story:
    """Roll out, pull, verify, break, diagnose, repair and fill."""
    config = configuration(registries.ca)
    for host, settings in config["configs"].items():
        if "auth" in settings:
            login = settings["auth"]
            cluster.secrets.forms[login["password"]] = f"the password of {host}"
            cluster.secrets.add_basic_auth(login["username"], login["password"])
    cluster.variables.update({"k3s_registries": config, "k3s_registries_rehearse": "never"})
    site = cluster.play(SITE).ok()
    good = _pull(cluster, registries, (image for reader in READERS for image in reader.images))
    verified, diagnosed = (cluster.folder / f"{name}.json" for name in ("verify", "diagnose"))
    verify = cluster.play(VERIFY, variables={
        "k3s_registries_verify_file": str(verified),
        "k3s_registries_canary_images": [reader.images[0] for reader in READERS],
    })  # fmt: skip
    registries.break_all()
    broken = _pull(cluster, registries, (reader.failing for reader in READERS))
    diagnose = cluster.play(DIAGNOSE, variables={"k3s_registries_diagnose_file": str(diagnosed)}).ok()
    registries.repair()
    registries.take()
    fill = cluster.play(FILL, variables={
        # The names of the pages lead to the registries on nodes only.
        "k3s_image_mirror_host": SERVER,
        "k3s_image_mirror_images": [reader.filled for reader in FILLING],
        "k3s_image_mirror_source_registries": dict.fromkeys(mirrored(), SOURCE),
    })  # fmt: skip
    uploaded = registries.take()
    filled = _pull(cluster, registries, (reader.filled for reader in FILLING))
    hosts = [results.valid(path)["hosts"] for path in (verified, diagnosed)]
    return Story(site, good, verify, hosts[0], broken, diagnose, hosts[1], fill, uploaded, filled)
