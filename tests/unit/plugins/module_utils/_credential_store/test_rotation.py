# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When new credentials are in force by writing the file, and when something still uses what containerd has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.proof import Surroundings, prove
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.rotation import doubts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

OLD, NEW = "canary-of-the-old", "canary-of-the-new"
HARBOR, QUAY = "harbor.example.com", "quay.io"
MIRROR = {QUAY: ["https://" + HARBOR]}
ALONE = Surroundings(default_endpoint=False)
EVERYWHERE = Surroundings()


def config(mirrors: Any, passwords: dict[str, str]) -> Config:
    return normalise(
        {
            "mirrors": {name: {"endpoint": endpoints} for name, endpoints in mirrors.items()},
            "configs": {
                host: {"auth": {"username": "robot", "password": password}} for host, password in passwords.items()
            },
        }
    )


def rotated(mirrors: Any, around: Surroundings, images: tuple[str, ...] = (), **other: Any) -> list[str]:
    """What is said of a new password for Harbor where everything that is proven has been stored before."""
    before, then = config(mirrors, {HARBOR: OLD}), config(other.get("then", mirrors), {HARBOR: NEW})
    stored = prove(before, around).registries
    found = doubts(auth_tables(before), auth_tables(then), then, stored, around, images)
    assert OLD not in repr(found)
    assert NEW not in repr(found)
    return found


def test_where_all_pulls_are_the_kubelet_s_writing_the_file_is_enough() -> None:
    assert rotated({}, EVERYWHERE) == []
    assert rotated(MIRROR, ALONE) == []


def test_a_registry_that_is_not_stored_and_reaches_the_host_takes_a_restart() -> None:
    (sentence,) = rotated(MIRROR, EVERYWHERE)
    assert sentence == ("images of quay.io are asked for at harbor.example.com with what containerd read at its start")


def test_a_wildcard_takes_a_restart() -> None:
    (sentence,) = rotated({"*": ["https://" + HARBOR]}, ALONE)
    assert "images of all other registries" in sentence


def test_a_new_mirror_that_reaches_the_host_takes_a_restart() -> None:
    (sentence,) = rotated({}, ALONE, then=MIRROR)
    assert "images of quay.io" in sentence


@pytest.mark.parametrize(
    ("image", "restart"),
    [
        (HARBOR + "/rancher/mirrored-pause:3.6", True),
        (QUAY + "/rancher/mirrored-pause:3.6", True),
        ("rancher/mirrored-pause:3.6", False),
        ("No/Image", False),
    ],
)
def test_a_pause_image_from_that_host_takes_a_restart(image: str, restart: bool) -> None:
    assert any("without the kubelet's credentials" in item for item in rotated(MIRROR, ALONE, (image,))) == restart


def test_credentials_that_are_taken_away_take_a_restart() -> None:
    before, then = config({}, {HARBOR: OLD}), config({}, {})
    stored = prove(then, EVERYWHERE).registries
    (sentence,) = doubts(auth_tables(before), auth_tables(then), then, stored, EVERYWHERE)
    assert HARBOR in sentence


def test_docker_hub_s_host_is_reached_by_its_other_name() -> None:
    host = "registry-1.docker.io"
    before, then = config({}, {host: OLD}), config({}, {host: NEW})
    (sentence,) = doubts(auth_tables(before), auth_tables(then), then, (host,), EVERYWHERE)
    assert "images of docker.io" in sentence


def test_without_new_credentials_there_is_no_doubt() -> None:
    same = config(MIRROR, {HARBOR: OLD})
    assert doubts(auth_tables(same), auth_tables(same), same, (), EVERYWHERE, (HARBOR + "/pause:1",)) == []


HOSTS = [HARBOR, QUAY, "docker.io", "b.example.com:5000"]
MIRRORS = st.dictionaries(
    st.sampled_from([*HOSTS, "*"]), st.lists(st.sampled_from(["https://" + host for host in HOSTS]), max_size=2)
)
PASSWORDS = st.dictionaries(st.sampled_from([*HOSTS, "registry-1.docker.io"]), st.sampled_from([OLD, NEW]))


@given(MIRRORS, PASSWORDS, PASSWORDS, st.booleans(), st.sampled_from([*HOSTS, "other.example.com"]))
def test_without_a_doubt_no_pull_uses_what_containerd_has_of_a_changed_host(
    mirrors: Any, loaded: dict[str, str], wanted: dict[str, str], default_endpoint: bool, registry: str
) -> None:
    around = Surroundings(default_endpoint)
    before, then = config(mirrors, loaded), config(mirrors, wanted)
    stored = {*prove(before, around).registries} & {*prove(then, around).registries}
    if doubts(auth_tables(before), auth_tables(then), then, sorted(stored), around):
        return
    if registry in stored:
        return
    for attempt in resolve_image(registry + "/team/app", then, *around[:2]):
        host = attempt["endpoint"].split("/")[2]
        keys = ["registry-1.docker.io", "docker.io", "index.docker.io"] if host == "registry-1.docker.io" else [host]
        assert [loaded.get(key) for key in keys] == [wanted.get(key) for key in keys]
