# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of a release's images, and what their answers mean for an upgrade."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal import verdict as verdicts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import Used
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import parse_release
from ansible_collections.k3sfleet.registries.plugins.module_utils._upgrade import images

USED = Used(parse_image("r.test/team/app:1"))


def found(verdict: str) -> dict[str, Any]:
    texts = dict.fromkeys(("image", "before", "after", "endpoint", "cause", "message", "fix"), "")
    return {**texts, "users": [], "verdict": verdict}


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("v1.35.2+k3s1", "docker.io/rancher/k3s-upgrade:v1.35.2-k3s1"),
        ("v1.36.0-rc1+k3s1", "docker.io/rancher/k3s-upgrade:v1.36.0-rc1-k3s1"),
        ("v1.35.2+rke2r1", "docker.io/rancher/rke2-upgrade:v1.35.2-rke2r1"),
    ],
)
def test_the_image_of_the_controllers_plans(release: str, name: str) -> None:
    assert images.upgrade_image(parse_release(release)) == name


def test_the_controller_is_known_in_any_registry() -> None:
    assert images.is_controller(parse_image("rancher/system-upgrade-controller:v0.17.0"))
    assert images.is_controller(parse_image("r.test:5000/a/system-upgrade-controller:1"))
    assert not images.is_controller(parse_image("rancher/system-upgrade-controller-job:1"))


def test_the_default_registry_stands_before_the_names_of_a_list() -> None:
    listed = ["docker.io/rancher/mirrored-pause:3.6", "rancher/mirrored-pause:3.6", "ghcr.io/k3s-io/klipper-lb:v0.4.9"]
    assert images.as_asked_for(listed, "") == [
        "docker.io/rancher/mirrored-pause:3.6", "ghcr.io/k3s-io/klipper-lb:v0.4.9"
    ]  # fmt: skip
    assert images.as_asked_for(listed, "r.test:5000/") == [
        "r.test:5000/rancher/mirrored-pause:3.6", "r.test:5000/k3s-io/klipper-lb:v0.4.9"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "of_the_release", "in_use"),
    [
        (verdicts.SAME_PLACE, images.CAN_BE_PULLED, images.CAN_BE_PULLED),
        (verdicts.OTHER_PLACE, images.CAN_BE_PULLED, images.CAN_BE_PULLED),
        (verdicts.GAINED, images.CAN_BE_PULLED, images.CAN_BE_PULLED),
        (verdicts.LOST, images.MISSING, verdicts.LOST),
        (verdicts.BROKEN, images.MISSING, verdicts.BROKEN),
        (verdicts.ON_THE_NODE, verdicts.ON_THE_NODE, verdicts.ON_THE_NODE),
        (verdicts.NOT_KNOWN, verdicts.NOT_KNOWN, verdicts.NOT_KNOWN),
        (verdicts.OWN_CREDENTIALS, verdicts.OWN_CREDENTIALS, verdicts.OWN_CREDENTIALS),
    ],
)
def test_an_image_of_the_release_has_to_be_there_whatever_it_is_today(
    verdict: str, of_the_release: str, in_use: str
) -> None:
    assert images.state(found(verdict), True) == of_the_release
    assert images.state(found(verdict), False) == in_use


def test_only_what_speaks_against_the_upgrade_is_let_go() -> None:
    allowed = [
        images.described(found(verdict), USED, True, ["r.test/team/*"])["allowed"]
        for verdict in (verdicts.BROKEN, verdicts.LOST, verdicts.SAME_PLACE, verdicts.NOT_KNOWN)
    ]
    assert allowed == [True, True, False, False]
    assert not images.described(found(verdicts.LOST), USED, True, ["r.test/other/*"])["allowed"]
