# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What staging makes of a node that Rancher provisions: only what would put files there is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.contradictions import Contradiction
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import staging_call
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import STAGE_ARGUMENTS

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, wanted


class Ended(Exception):
    pass


class Module:
    """An AnsibleModule, as far as staging uses one."""

    check_mode = False

    def __init__(self) -> None:
        self.said: dict[str, Any] = {}
        self.warned: list[str] = []

    def _end(self, **said: Any) -> None:
        self.said = said
        raise Ended

    exit_json = fail_json = _end

    def warn(self, text: str) -> None:
        self.warned.append(text)


def _staged(node: Node, monkeypatch: pytest.MonkeyPatch, desired: Any, **given: Any) -> Module:
    seen = Contradiction("rancher", node.paths.registries_yaml, "rancher-system-agent.service runs", "/50-rancher.yaml")
    monkeypatch.setattr(staging_call, "identify", lambda _given: node.identity()._replace(rancher=seen))
    module = Module()
    parameters = {name: spec.get("default") for name, spec in STAGE_ARGUMENTS.items()}
    parameters.update(prepared=desired.text(), stage=True, **given)
    with pytest.raises(Ended):
        staging_call.answer(module, parameters)  # type: ignore[arg-type]
    return module


@pytest.mark.parametrize("state", ["present", "previous"])
def test_what_would_put_files_there_is_refused(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    before = node.tree()
    module = _staged(node, monkeypatch, wanted(node.paths, "one"), state=state)
    assert "set k3s_registries_rancher_managed: warn" in module.said["msg"]
    assert [item["what"] for item in module.said["contradictions"]] == ["rancher"]
    assert node.tree() == before


def test_with_warn_it_goes_on_and_so_does_a_removal(node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> None:
    module = _staged(node, monkeypatch, wanted(node.paths, "one"), rancher_managed="warn")
    assert module.said["restart"]
    assert module.warned[0].startswith("Rancher provisions this node (rancher-system-agent.service runs")
    assert module.warned[0].endswith("spec.rkeConfig.registries")
    module = _staged(node, monkeypatch, nothing_wanted(), state="absent")
    assert "msg" not in module.said
    assert module.warned[0].startswith("Rancher provisions this node")
