# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server and an agent of another kind than the fleet of most integration tests."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Iterator

import yaml

from tests.fleet import image, up
from tests.integration.cluster import Cluster
from tests.integration.secrets_watch import Secrets


@contextlib.contextmanager
def two_nodes(
    name: str, folder: Path, distribution: str = "k3s", init: str = "systemd", suite: str = image.SUITE
) -> Iterator[Cluster]:
    """
    :param folder: for what the tests write.
    :param init: what starts services on the nodes.
    :param suite: Debian's release.
    """
    up.down(name)
    fleet = up.up(name, 1, 1, distribution, "stand-in", 40, init, suite=suite)
    (folder / "vault-password").write_text("unused\n", encoding="utf-8")
    variables: dict[str, Any] = yaml.safe_load((fleet.folder / "registries.yml").read_text(encoding="utf-8"))
    key = (fleet.folder / "pki" / "client.key").read_text(encoding="utf-8")
    yield Cluster(fleet, folder, variables, Secrets({"password": fleet.registry.password.split()[0], "key": key}))
    up.down(name)
