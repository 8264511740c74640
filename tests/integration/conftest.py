# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One fleet for all integration tests: one server, two agents and a registry, fresh for each session.

The tests share it in the order of their files. ``cluster`` promises nodes that run, ``configured`` nodes that have the
cluster's own configuration; a test that changes it asks for ``configured`` again through its module. Only the first run
has a registry that is nowhere in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from tests.fleet import up
from tests.integration.cluster import SITE, Cluster, Run
from tests.integration.secrets_watch import Secrets

# Runs at the same time, with other versions of Ansible, have a fleet of their own.
NAME = os.environ.get("INTEGRATION_FLEET", "integration")
TOKEN_REGISTRY = "token.k3sfleet.test:5000"
MIRROR_PASSWORD = "userinfo-71c6b1e0a93f"
IDENTITY_TOKEN = "identity-9c0d52e7b4ab"
VAULT_PASSWORD = "vault-2f6bd0c1e875"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    up.down(NAME)
    fleet = up.up(NAME, 1, 2, "k3s", "auto", 40)
    folder = tmp_path_factory.mktemp("integration")
    variables: dict[str, Any] = yaml.safe_load((fleet.folder / "registries.yml").read_text(encoding="utf-8"))
    variables["k3s_registries"]["configs"][TOKEN_REGISTRY] = {"auth": {"identity_token": IDENTITY_TOKEN}}
    # The first run has it as it comes, and tests of its own: for the others it is a call more each time.
    variables["k3s_registries_rehearse"] = "never"
    secrets = Secrets(
        {
            "the password": fleet.registry.password.split()[0],
            "the identity token": IDENTITY_TOKEN,
            "the password of an endpoint": MIRROR_PASSWORD,
            "the client's key": (fleet.folder / "pki" / "client.key").read_text(encoding="utf-8"),
            "the vault's password": VAULT_PASSWORD,
        }
    )
    secrets.add_basic_auth(fleet.registry.username, fleet.registry.password)
    tls = variables["k3s_registries"]["configs"]["%s:%d" % (fleet.registry.host, fleet.registry.port)]["tls"]
    tls["key_src"] = str(_encrypted(folder, Path(tls["key_src"])))
    cluster = Cluster(fleet, folder, variables, secrets)
    yield cluster
    up.down(NAME)


def _encrypted(folder: Path, key: Path) -> Path:
    """A copy of ``key`` that ansible-vault has encrypted; ansible.cfg has no say in it."""
    password = folder / "vault-password"
    password.touch(mode=0o600)
    password.write_text(VAULT_PASSWORD + "\n", encoding="utf-8")
    target = folder / "client.key.vault"
    subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-vault")), "encrypt", "--vault-password-file", str(password),
            "--output", str(target), str(key),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return target


@dataclass(frozen=True)
class Story:
    """What happened when the fleet got its registries: a check first, then the real run. ``before``, ``between`` and
    ``after`` are snapshots around the two."""

    before: dict[str, Any]
    check: Run
    between: dict[str, Any]
    run: Run
    after: dict[str, Any]
    restarts: dict[str, int]
    overlaps: list[set[str]]
    requests: list[dict[str, Any]]


@pytest.fixture(scope="session")
def story(cluster: Cluster) -> Story:
    """The first run on fresh nodes, as loud as Ansible gets."""
    before = cluster.snapshot()
    check = cluster.play(SITE, "--check", "--diff", "-vvv")
    between = cluster.snapshot()
    run = cluster.play(SITE, "--diff", "-vvv", variables={"k3s_registries_rehearse": "canary"})
    story = Story(
        before, check, between, run, cluster.snapshot(),
        cluster.restarts(run.began), cluster.overlaps(run.began), cluster.requests(run.began),
    )  # fmt: skip
    # From here on every endpoint but the internet's answers.
    config = cluster.variables["k3s_registries"]
    configs = {host: entry for host, entry in config["configs"].items() if host != TOKEN_REGISTRY}
    cluster.variables["k3s_registries"] = {**config, "configs": configs}
    return story


@pytest.fixture(scope="module")
def configured(cluster: Cluster, story: Story) -> Cluster:
    """Every node has the cluster's own configuration loaded."""
    story.run.ok()
    cluster.play().ok()
    return cluster
