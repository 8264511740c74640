# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that look at a node: they take the node's options, and the options that they document."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.doc_fragments.node import ModuleDocFragment
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.arguments import INFO_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.modules import (
    k3s_canary_pull,
    k3s_pull_diagnosis,
    k3s_registries_info,
    k3s_registry_probe,
)

NODE_OPTIONS: dict[str, Any] = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
MODULES = [
    (k3s_canary_pull, k3s_canary_pull.ARGUMENTS),
    (k3s_pull_diagnosis, k3s_pull_diagnosis.ARGUMENTS),
    (k3s_registries_info, INFO_ARGUMENTS),
    (k3s_registry_probe, k3s_registry_probe.ARGUMENTS),
]


@pytest.mark.parametrize(("module", "arguments"), MODULES, ids=lambda item: getattr(item, "__name__", ""))
def test_the_documented_options_are_those_that_the_module_takes(module: Any, arguments: dict[str, Any]) -> None:
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert "k3sfleet.registries.node" in documentation["extends_documentation_fragment"]
    documented = {**NODE_OPTIONS, **documentation["options"]}
    kept = ("type", "elements", "choices", "default")
    assert {name: {key: option.get(key) for key in kept} for name, option in documented.items()} == {
        name: {key: argument.get(key) for key in kept} for name, argument in arguments.items()
    }
