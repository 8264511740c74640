# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a node uses, from what its kubelet, containerd and the API say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import (
    BRINGS,
    MAY_BRING,
    NONE,
    InUse,
    in_use,
)

RUNS, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
APP = "registry.test/team/app:1"


def pod(name: str, *images: str, secrets: bool = False, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "c%d" % n, "image": image} for n, image in enumerate(images)]}
    if secrets:
        spec["imagePullSecrets"] = [{"name": "login"}]
    return {
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": spec,
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": "c0", "imageID": "registry.test/team/app@" + RUNS}] if images else [],
        },
    }


def listed(*tags: str, digests: tuple[str, ...] = (), pinned: bool = False) -> dict[str, Any]:
    return {"id": "sha256:1", "repoTags": list(tags), "repoDigests": list(digests), "pinned": pinned}


def running(image: dict[str, Any], pod_name: str = "", **more: Any) -> dict[str, Any]:
    labels = {"io.kubernetes.pod.name": pod_name, "io.kubernetes.pod.namespace": "default"} if pod_name else {}
    return {"state": "CONTAINER_RUNNING", "image": image, "labels": labels, "metadata": {"name": "c"}, **more}


def used(*pods: Any, containers: Any = (), images: Any = (), **more: Any) -> InUse:
    return in_use({"containers": list(containers)}, {"images": list(images)}, list(pods), **more)


def test_a_pods_image_with_the_digest_that_runs() -> None:
    (found,) = used(pod("app", APP)).images
    assert (found.image.text, found.digests, found.users) == (APP, (RUNS,), ("pod default/app",))
    assert (found.credentials, found.kept) == (NONE, False)


def test_every_kind_of_container_and_image_volumes_count() -> None:
    some = pod("app", APP)
    some["spec"]["initContainers"] = [{"name": "i", "image": "init"}]
    some["spec"]["ephemeralContainers"] = [{"name": "e", "image": "debug:2"}]
    some["spec"]["volumes"] = [{"name": "v", "image": {"reference": "quay.io/data/set"}}, {"name": "w", "emptyDir": {}}]
    assert [item.image.text for item in used(some).images] == [
        "docker.io/library/debug:2",
        "docker.io/library/init:latest",
        "quay.io/data/set:latest",
        APP,
    ]


def test_pods_that_have_ended_use_nothing() -> None:
    assert used(pod("job", APP, phase="Succeeded"), pod("failed", APP, phase="Failed")).images == []


@pytest.mark.parametrize(
    "annotations", [{"kubernetes.io/config.source": "file"}, {"kubernetes.io/config.mirror": "0123"}]
)
def test_static_pods_are_named_as_such(annotations: dict[str, str]) -> None:
    (found,) = used(pod("etcd", APP, annotations=annotations)).images
    assert found.users == ("static pod default/etcd",)


def test_the_nodes_credentials_count_as_soon_as_one_user_needs_them() -> None:
    own = pod("own", APP, secrets=True)
    assert used(own).images[0].credentials == BRINGS
    assert used(own, pod("other", APP)).images[0].credentials == NONE
    assert used(own, named=[(APP, "canary image")]).images[0].credentials == NONE


def test_images_that_the_run_names_need_nobody_else() -> None:
    (found,) = used(named=[("rancher/mirrored-pause:3.6", "pause image")]).images
    assert (found.image.text, found.users) == ("docker.io/rancher/mirrored-pause:3.6", ("pause image",))


def test_containers_name_their_image_where_the_pods_are_not_known() -> None:
    image = listed(APP, digests=("registry.test/team/app@" + RUNS,))
    containers = [running({"image": "sha256:1", "userSpecifiedImage": APP}, "app"), running({"image": "sha256:1"})]
    (found,) = in_use({"containers": containers[:1]}, {"images": [image]}, None).images
    assert (found.image.text, found.digests, found.credentials) == (APP, (RUNS,), MAY_BRING)
    # By its ID alone, of no pod.
    (found,) = in_use({"containers": containers[1:]}, {"images": [image]}, None).images
    assert (found.image.text, found.users, found.credentials) == (APP, ("container c",), NONE)


def test_a_container_of_a_known_pod_adds_nothing_and_one_that_has_exited_neither() -> None:
    image = listed(APP)
    containers = [
        running({"image": "sha256:1"}, "app"),
        running({"image": "quay.io/old"}, "gone", state="CONTAINER_EXITED"),
    ]
    (found,) = used(pod("app", APP), containers=containers, images=[image]).images
    assert found.users == ("pod default/app",)


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        (listed(APP, digests=("registry.test/team/app@" + OTHER,)), False),
        (listed(APP, digests=("registry.test/team/app@" + OTHER,), pinned=True), True),
        # An import has a tag only.
        (listed(APP), True),
        (listed("registry.test/team/app:2"), False),
    ],
)
def test_what_was_imported_or_is_pinned_needs_no_registry(image: dict[str, Any], kept: bool) -> None:
    (found,) = used(pod("app", APP), images=[image]).images
    assert found.kept is kept
    assert (OTHER in found.digests) is (bool(image["repoDigests"]))


def test_a_name_that_containerd_refuses_is_told() -> None:
    found = used(pod("app", "registry.test/App:1", APP))
    assert found.unreadable == ["registry.test/App:1"]
    assert [item.image.text for item in found.images] == [APP]


@pytest.mark.parametrize("nonsense", [None, [], {"containers": {}}, {"images": [None, 5], "containers": ["x"]}])
def test_answers_of_any_shape_do_no_harm(nonsense: Any) -> None:
    strange = {"metadata": [], "spec": {"containers": [{"image": 5}], "volumes": 7}, "status": None}
    assert in_use(nonsense, nonsense, [strange]).images == []
