# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole plan for a node: what is stored, what is told, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.on_the_node import (
    folders_of_others,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.plan import Plan, plan
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.store import EMPTY, Login
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import Circumstances
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

CANARY = "canary-of-the-test"
HARBOR, QUAY = "harbor.example.com", "quay.io"
ALONE = Circumstances("k3s", "/agent", "v1.34.3+k3s1", False, ("",))
ROBOT = Login("robot", CANARY)


def config(*endpoints: str) -> Config:
    mirrors = {QUAY: {"endpoint": ["https://" + host for host in endpoints]}}
    return normalise({"mirrors": mirrors, "configs": {HARBOR: {"auth": ROBOT._asdict()}}})


def planned(around: Circumstances, *endpoints: str, others: tuple[str, ...] = (), stored: tuple[str, ...] = ()) -> Plan:
    found = plan(config(*endpoints), around, others, stored)
    assert CANARY not in repr((found.findings, found.refusals))
    return found


def test_what_is_proven_is_stored() -> None:
    found = planned(ALONE, HARBOR)
    assert found.store.logins == {HARBOR: ROBOT, QUAY: ROBOT}
    assert (found.findings, found.refusals) == ((), ())


@pytest.mark.parametrize(
    ("around", "reason"),
    [
        (ALONE._replace(default_endpoint=True), "the default endpoint"),
        (ALONE._replace(embedded=("127.0.0.1:6443",)), "the embedded registry"),
        (ALONE._replace(embedded=("", "[::1]:6443")), "the embedded registry"),
        (ALONE._replace(comes_on=True), "the embedded registry"),
    ],
)
def test_what_is_not_proven_in_these_circumstances_is_told(around: Circumstances, reason: str) -> None:
    found = planned(around, HARBOR)
    assert found.store.registries == (HARBOR,)
    (finding,) = found.findings
    assert reason in finding["message"]
    assert not found.refusals
    assert planned(around, HARBOR, stored=(QUAY,)).refusals


def test_a_new_mirror_that_breaks_what_is_stored_is_refused() -> None:
    found = planned(ALONE, HARBOR, "b.example.com", stored=(HARBOR, QUAY))
    (refusal,) = found.refusals
    assert "https://b.example.com as well" in refusal


def test_a_release_whose_mirrors_cannot_be_told_stores_nothing() -> None:
    found = planned(ALONE._replace(release="v1.26.1+k3s1"), HARBOR)
    assert found.store == EMPTY
    assert {finding["fix"] for finding in found.findings} == {"Update K3s."}


def test_a_folder_that_k3s_has_not_written_keeps_its_registry_out(tmp_path: Path) -> None:
    paths = node_paths(data_dir=str(tmp_path))
    for folder in (HARBOR, "https:/x", "harbor.example.com_5000_"):
        Path(paths.certs_d, folder).mkdir(parents=True)
    found = Generated({HARBOR: "", "https:/x": ""}, {}, True)
    assert folders_of_others(paths, found) == {"harbor.example.com_5000_"}
    assert folders_of_others(node_paths(data_dir=str(tmp_path / "none")), found) == frozenset()
    assert planned(ALONE, HARBOR, others=("_default",)).store.registries == (HARBOR, QUAY)
    given_config = normalise({"configs": {"registry-1.docker.io": {"auth": ROBOT._asdict()}}})
    assert plan(given_config, ALONE, ("docker.io",), ()).store.registries == ("registry-1.docker.io",)
