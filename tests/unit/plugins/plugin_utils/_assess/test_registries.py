# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The level of a registry: containerd takes the first endpoint that answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.registries import assess, missing_images

from tests.unit.plugins.plugin_utils._report.hosts import endpoint

FALLBACK_DOWN = endpoint("timeout", "default")


@pytest.mark.parametrize(
    ("entries", "level", "failed"),
    [
        ([endpoint()], "ok", None),
        ([endpoint(), endpoint("ok", "default")], "ok", None),
        ([endpoint(), FALLBACK_DOWN], "ok", "timeout"),
        ([FALLBACK_DOWN], "error", "timeout"),
        ([endpoint("unauthorized"), FALLBACK_DOWN], "error", "unauthorized"),
        ([FALLBACK_DOWN, endpoint("unauthorized"), endpoint()], "warning", "unauthorized"),
        ([endpoint("unauthorized"), endpoint("ok", "default")], "warning", "unauthorized"),
        ([endpoint(), endpoint("not_found", image="docker.io/a:1")], "error", "not_found"),
    ],
)
def test_a_registry_is_what_its_endpoints_are_together(entries: list[Any], level: str, failed: str | None) -> None:
    found = assess(entries)["docker.io"]
    assert (found.level, found.failed and found.failed["cause"]) == (level, failed)


def test_registries_are_judged_apart() -> None:
    found = assess([endpoint(), endpoint("timeout", registry="quay.io")])
    assert {name: registry.level for name, registry in found.items()} == {"docker.io": "ok", "quay.io": "error"}
    assert assess([]) == {}


def test_an_image_is_missing_if_no_endpoint_has_it() -> None:
    entries = [
        endpoint(),
        endpoint("not_found", image="here"), endpoint("ok", "default", image="here"),
        endpoint("platform_missing", image="gone"), endpoint("dns_failure", "default", image="gone"),
    ]  # fmt: skip
    assert {image: entry["cause"] for image, entry in missing_images(entries).items()} == {"gone": "platform_missing"}
