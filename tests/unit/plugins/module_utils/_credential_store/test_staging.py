# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store's questions about a node, from what lies on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.pause_image import pause_images
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.staging import (
    planned,
    restart_reasons,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.settings import Settings
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import PRESENT, Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceState
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

OLD, NEW = "canary-of-the-old", "canary-of-the-new"
HARBOR, QUAY = "harbor.example.com", "quay.io"
RELEASE = "v1.34.3+k3s1"


def config(password: str, *endpoints: str) -> Config:
    mirrors = {QUAY: {"endpoint": ["https://" + host for host in endpoints]}} if endpoints else {}
    return normalise({"mirrors": mirrors, "configs": {HARBOR: {"auth": {"username": "robot", "password": password}}}})


def desired(wanted: Config, **settings: Any) -> Desired:
    return Desired(PRESENT, (), "", wanted, {"disable_default_endpoint": True, **settings}, "", (), ())


@pytest.fixture
def node(tmp_path: Path) -> Identity:
    paths = node_paths(config_dir=str(tmp_path / "etc"), data_dir=str(tmp_path / "data"))
    Path(paths.certs_d).mkdir(parents=True)
    return Identity(paths, "running", None, ServiceState("running", 1, 1.0, 0), Settings(), (), ())


def found(*others: str, auth: Any = None) -> Generated:
    tables = desired(config(OLD)).auth if auth is None else auth
    return Generated({}, tables, True)


def stored(node: Identity, wanted: Config) -> None:
    file = Path(node.paths.credential_store)
    file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    file.write_bytes(planned(node, desired(wanted), RELEASE, found()).store.content())


def test_an_agent_plans_with_its_own_settings(node: Identity) -> None:
    server = node._replace(paths=replace(node.paths, node_role="server"))
    plan = planned(server, desired(config(OLD, HARBOR)), RELEASE, found())
    assert plan.store.registries == (HARBOR, QUAY)
    told = planned(server, desired(config(OLD, HARBOR), disable_default_endpoint=False), RELEASE, found())
    assert told.store.registries == (HARBOR,)
    assert "the default endpoint" in told.findings[0]["message"]


def test_a_folder_beside_k3s_own_counts(node: Identity) -> None:
    Path(node.paths.certs_d, "harbor.example.com_443_").mkdir()
    wanted = normalise({"configs": {HARBOR + ":443": {"auth": {"username": "robot", "password": OLD}}}})
    assert not planned(node, desired(wanted), RELEASE, found()).store.logins


def test_what_was_stored_is_kept_from_being_broken(node: Identity) -> None:
    stored(node, config(OLD, HARBOR))
    plan = planned(node, desired(config(OLD, HARBOR, "b.example.com")), RELEASE, found())
    assert len(plan.refusals) == 1
    Path(node.paths.credential_store).write_text("damaged", encoding="utf-8")
    assert not planned(node, desired(config(OLD, HARBOR, "b.example.com")), RELEASE, found()).refusals


def test_a_new_password_for_stored_registries_takes_no_restart(node: Identity) -> None:
    stored(node, config(OLD, HARBOR))
    assert restart_reasons(node, desired(config(NEW, HARBOR)), RELEASE, found()) == []


def test_before_anything_is_stored_it_takes_one(node: Identity) -> None:
    reasons = restart_reasons(node, desired(config(NEW, HARBOR)), RELEASE, found())
    assert {"images of quay.io", "images of harbor.example.com"} == {reason.partition(" are")[0] for reason in reasons}
    assert NEW not in str(reasons)


def test_what_is_no_longer_stored_takes_one(node: Identity) -> None:
    stored(node, config(OLD, HARBOR))
    wanted = desired(config(NEW, HARBOR), disable_default_endpoint=False)
    assert [reason for reason in restart_reasons(node, wanted, RELEASE, found()) if "quay.io" in reason]


def test_a_pause_image_from_there_takes_one(node: Identity) -> None:
    stored(node, config(OLD, HARBOR))
    Path(node.paths.containerd_config).write_text('  sandbox = "harbor.example.com/rancher/pause:3.6"\n', "utf-8")
    (reason,) = restart_reasons(node, desired(config(NEW, HARBOR)), RELEASE, found())
    assert "harbor.example.com/rancher/pause:3.6 is pulled without the kubelet's credentials" in reason


def test_a_template_s_credentials_cannot_be_told(node: Identity) -> None:
    stored(node, config(OLD, HARBOR))
    unknown = Generated({}, None, True)
    (reason,) = restart_reasons(node, desired(config(NEW, HARBOR)), RELEASE, unknown)
    assert "template" in reason


@pytest.mark.parametrize(
    ("text", "image"),
    [
        (
            '[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "rancher/mirrored-pause:3.6"\n',
            "rancher/mirrored-pause:3.6",
        ),
        ("[plugins.'io.containerd.cri.v1.images'.pinned_images]\n      sandbox = 'a.b/c:1'\n", "a.b/c:1"),
        ('# sandbox = "x"\nsandboxed = "y"\n', "registry.k8s.io/pause"),
        ("", "registry.k8s.io/pause"),
    ],
)
def test_the_pause_image_is_the_one_that_containerd_was_told(node: Identity, text: str, image: str) -> None:
    Path(node.paths.containerd_config).write_text(text, encoding="utf-8")
    assert pause_images(node.paths) == [image]
