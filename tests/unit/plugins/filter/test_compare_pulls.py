# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that says what a change means for pulls."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.filter import compare_pulls as plugin
from ansible_collections.k3sfleet.registries.plugins.filter.compare_pulls import compare_pulls
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.effect import Effect

MIRROR = {"mirrors": {"docker.io": {"endpoint": ["https://m.example.com"]}}}
TEXT = "mirrors:\n  docker.io:\n    endpoint: [https://m.example.com]\n"
MOVE = "1 image moves from registry-1.docker.io to https://m.example.com/v2"


@pytest.mark.parametrize("after", [MIRROR, TEXT])
def test_it_takes_what_the_other_filters_take(after: Any) -> None:
    found = compare_pulls(["nginx"], None, after)
    assert found["sentences"] == [MOVE, "1 image gains a fallback"]
    assert json.loads(json.dumps(found)) == found


def test_what_a_node_sets_may_change_too() -> None:
    assert compare_pulls(["nginx"], MIRROR, MIRROR, False)["changes"] is False
    found = compare_pulls(["nginx"], MIRROR, MIRROR, False, default_endpoint_before=True)
    assert found["fallback_lost"] == ["docker.io/library/nginx:latest"]
    found = compare_pulls(["nginx"], MIRROR, MIRROR, True, "127.0.0.1:6443", embedded_mirror_before="")
    assert found["embedded_on"] == ["docker.io/library/nginx:latest"]


def test_wrong_arguments() -> None:
    with pytest.raises(AnsibleFilterError, match="must be a list of names"):
        compare_pulls("nginx", None, None)  # type: ignore[arg-type]
    with pytest.raises(AnsibleFilterError, match="an image must be text"):
        compare_pulls([5], None, None)  # type: ignore[list-item]
    with pytest.raises(AnsibleFilterError, match="default_endpoint_before must be true or false"):
        compare_pulls([], None, None, default_endpoint_before="no")  # type: ignore[arg-type]


def test_every_field_is_documented() -> None:
    documented = yaml.safe_load(plugin.RETURN)["_value"]["contains"]
    assert set(documented) == set(Effect().as_dict())
