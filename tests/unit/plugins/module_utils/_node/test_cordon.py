# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node is cordoned around its restart and uncordoned after it: by the run that did it or by the next one, whatever
comes between, and nobody else's cordon is touched."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any, Callable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import cordon, health, kubernetes
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure, Refused
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

from tests.conftest import NIGHTLY
from tests.unit.plugins.module_utils._node.fake_node import AWAY, WELL, FakeK3s, Node, nothing_wanted, wanted
from tests.unit.plugins.module_utils._node.test_faults import Faults, Killed

_REFUSED = "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?"


class FakeApi:
    """One Node, with merge patches, versions, and the managers of its fields as a real API has them."""

    def __init__(self) -> None:
        self.node: dict[str, Any] = {"metadata": {"name": "node", "resourceVersion": "1"}, "spec": {"podCIDR": "x"}}
        self.says = ""
        self.before_patch: Callable[[], None] | None = None
        self.calls: list[str] = []
        self.kill_at = -1

    def kubectl(self, paths: NodePaths, *arguments: str, kubeconfig: str = "", stdin: str | None = None) -> Outcome:
        assert not kubeconfig, "the kubelet's own credentials are enough"
        self.calls.append(arguments[0])
        if len(self.calls) == self.kill_at:
            raise Killed
        if self.says:
            return Outcome(1, "", self.says)
        if arguments == ("get", "--raw=/api/v1/nodes/node"):
            return Outcome(0, json.dumps(self.node), "")
        assert arguments[:3] == ("patch", "node", "node")
        hook, self.before_patch = self.before_patch, None
        if hook:
            hook()
        given = dict(word.lstrip("-").split("=", 1) for word in arguments[3:])
        if not self.patch(json.loads(given["patch"]), given["field-manager"]):
            return Outcome(1, "", 'Error from server (Conflict): Operation cannot be fulfilled on nodes "node"')
        if len(self.calls) == -self.kill_at:
            raise Killed
        return Outcome(0, "node/node patched", "")

    def patch(self, wanted: dict[str, Any], manager: str) -> bool:
        metadata = self.node["metadata"]
        if (
            wanted.get("metadata", {}).pop("resourceVersion", metadata["resourceVersion"])
            != metadata["resourceVersion"]
        ):
            return False
        before = self.cordoned
        self.node = _merged(self.node, wanted)
        metadata = self.node["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        if self.cordoned != before:
            fields = {"manager": manager, "fieldsV1": {"f:spec": {"f:unschedulable": {}}}}
            metadata["managedFields"] = [{"manager": "k3s", "fieldsV1": {"f:status": {}}}]
            metadata["managedFields"] += [fields] if self.cordoned else []
        return True

    def by_hand(self, cordoned: bool) -> None:
        """kubectl cordon, or uncordon."""
        self.patch({"spec": {"unschedulable": cordoned or None}}, "kubectl")

    @property
    def cordoned(self) -> bool:
        return bool(self.node["spec"].get("unschedulable"))

    @property
    def by(self) -> str:
        return str(self.node["metadata"].get("annotations", {}).get(cordon.ANNOTATION, ""))


def _merged(value: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        result[key] = _merged(result.get(key), item)
    return {key: item for key, item in result.items() if item is not None}


@pytest.fixture
def api(k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()
    k3s.others = list(WELL)
    monkeypatch.setattr(kubernetes, "kubectl", fake.kubectl)
    return fake


@pytest.fixture
def during(k3s: FakeK3s, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the node was cordoned at each of its restarts."""
    seen: list[bool] = []
    restart = k3s.restart
    monkeypatch.setattr(k3s, "restart", lambda: (seen.append(api.cordoned), restart()))
    return seen


def _apply(node: Node, name: str = "one", **options: Any) -> dict[str, Any]:
    state = wanted(node.paths, name)
    node.k3s.knows(state)
    return node.apply(state, **{"cordon": True, "lease_holder": "", **options})


def _note(node: Node) -> str | None:
    return Memory(node.paths).cordon_note()


def test_it_is_cordoned_during_its_restart_only(node: Node, api: FakeApi, during: list[bool]) -> None:
    result = _apply(node)
    assert (result["cordoned"], result["uncordoned"], result["warnings"]) == (True, True, [])
    assert during == [True]
    assert (api.cordoned, api.by, _note(node)) == (False, "", None)
    assert api.calls == ["get", "patch", "get", "patch"]


def test_without_the_option_the_api_is_not_asked(node: Node, api: FakeApi, during: list[bool]) -> None:
    result = _apply(node, cordon=False)
    assert (result["cordoned"], result["uncordoned"], during, api.calls) == (False, False, [False], [])


def test_the_annotation_names_the_run(node: Node, api: FakeApi, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cordon.place(node.paths, Memory(node.paths), "admin@controller (pid 7)")
    assert api.by.startswith("admin@controller (pid 7), since 20")
    assert _note(node) == api.by


def test_somebody_elses_cordon_stays(node: Node, api: FakeApi, during: list[bool]) -> None:
    api.by_hand(True)
    result = _apply(node)
    assert (result["cordoned"], result["uncordoned"], result["warnings"]) == (False, False, [])
    assert during == [True]
    assert (api.cordoned, api.by, _note(node)) == (True, "", None)


def test_a_cordon_by_hand_after_ours_was_undone_by_hand_stays(node: Node, api: FakeApi) -> None:
    cordon.place(node.paths, Memory(node.paths), "a run that died")
    api.by_hand(False)
    api.by_hand(True)
    assert api.by
    result = _apply(node)
    assert (result["cordoned"], result["uncordoned"]) == (False, False)
    assert (api.cordoned, api.by, _note(node)) == (True, "", None)


def test_uncordoned_by_hand_meanwhile_is_no_problem(node: Node, api: FakeApi) -> None:
    api_patch = api.patch

    def and_undo(patch: dict[str, Any], manager: str) -> bool:
        done = api_patch(patch, manager)
        if api.cordoned and manager != "kubectl":
            api.by_hand(False)
        return done

    api.patch = and_undo  # type: ignore[method-assign]
    result = _apply(node)
    assert (result["cordoned"], result["uncordoned"], result["warnings"]) == (True, False, [])
    assert (api.cordoned, api.by, _note(node)) == (False, "", None)


def test_writes_of_others_in_between_are_kept(node: Node, api: FakeApi) -> None:
    api.before_patch = lambda: api.patch({"metadata": {"labels": {"a": "b"}}}, "somebody") and None
    assert cordon.place(node.paths, Memory(node.paths), "", lambda _seconds: None)
    api.before_patch = lambda: api.patch({"metadata": {"labels": {"c": "d"}}}, "somebody") and None
    assert cordon.lift(node.paths, Memory(node.paths), lambda _seconds: None)
    assert api.node["metadata"]["labels"] == {"a": "b", "c": "d"}
    assert not api.cordoned


def test_of_two_who_cordon_at_once_the_first_counts(node: Node, api: FakeApi) -> None:
    api.before_patch = lambda: api.by_hand(True)
    assert not cordon.place(node.paths, Memory(node.paths), "", lambda _seconds: None)
    assert not cordon.lift(node.paths, Memory(node.paths))
    assert (api.cordoned, api.by, _note(node)) == (True, "", None)


@pytest.mark.parametrize("fault", ["ill", "canary"])
def test_a_rollback_is_cordoned_too_and_ends_uncordoned(
    node: Node, api: FakeApi, k3s: FakeK3s, during: list[bool], fault: str
) -> None:
    _apply(node)
    during.clear()
    k3s.ill = {"two"} if fault == "ill" else set()
    k3s.missing_images = {"image:1"} if fault == "canary" else set()
    with pytest.raises(Failure, match="put back as it was and is healthy"):
        _apply(node, "two", canary_images=["image:1"])
    assert during == [True, True]
    assert node.last.result["uncordoned"]
    assert (api.cordoned, _note(node)) == (False, None)


@pytest.mark.parametrize("on_failure", ["keep", "rollback"])
def test_an_unhealthy_node_stays_cordoned_until_the_next_run(
    node: Node, api: FakeApi, k3s: FakeK3s, on_failure: str
) -> None:
    _apply(node)
    k3s.ill = {"one", "two"}
    with pytest.raises(Failure):
        _apply(node, "two", on_failure=on_failure)
    assert node.last.result["warnings"] == [
        "the node stays cordoned: it is not proven healthy. The next run uncordons it, or run: kubectl uncordon node"
    ]
    assert api.cordoned
    k3s.ill = set()
    # Whatever that run's own setting is.
    result = _apply(node, "three", cordon=False)
    assert (result["cordoned"], result["uncordoned"], api.cordoned, _note(node)) == (False, True, False, None)


def test_a_removal_uncordons_and_leaves_nothing(node: Node, api: FakeApi, k3s: FakeK3s) -> None:
    _apply(node)
    result = node.apply(nothing_wanted(), cordon=True)
    assert (result["cordoned"], result["uncordoned"], api.cordoned) == (True, True, False)
    assert node.tree() == {}


def test_if_the_api_is_away_in_the_end_the_next_run_uncordons(
    node: Node, api: FakeApi, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch
) -> None:
    restart = k3s.restart
    monkeypatch.setattr(k3s, "restart", lambda: (setattr(api, "says", _REFUSED), restart()))
    began = node.time
    result = _apply(node, restart_timeout=300.0)
    assert 60 <= node.time - began < 80
    assert (result["step"], result["cordoned"], result["uncordoned"]) == ("done", True, False)
    assert result["warnings"] == [
        "the node stays cordoned: %s. The next run uncordons it, or run: kubectl uncordon node" % _REFUSED
    ]
    one = wanted(node.paths, "one")
    again = node.stage(one)
    assert not again["changed"]
    assert "cannot be uncordoned now: %s" % _REFUSED in again["warnings"][0]
    api.says = ""
    assert "A run without check mode uncordons it" in node.stage(one, check_mode=True)["warnings"][0]
    assert api.cordoned
    again = node.stage(one)
    assert (again["changed"], again["restart"]) == (True, False)
    assert again["warnings"][0].endswith("has stayed so. It is uncordoned now")
    assert (api.cordoned, _note(node)) == (False, None)
    assert not node.stage(one)["changed"]


@pytest.mark.parametrize("running", [True, False])
def test_a_removal_that_cannot_uncordon_remembers_it(
    node: Node, api: FakeApi, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    _apply(node)
    restart = k3s.restart
    monkeypatch.setattr(k3s, "restart", lambda: (setattr(api, "says", _REFUSED), restart()))
    if running:
        node.apply(nothing_wanted(), cordon=True)
    else:
        cordon.place(node.paths, Memory(node.paths), "")
        k3s.running = False
        assert "k3s does not run" in node.stage(nothing_wanted())["warnings"][0]
    assert list(node.tree()) == ["k3sfleet/cordon.json"]
    api.says, k3s.running = "", True
    k3s.load()
    assert node.stage(nothing_wanted())["changed"]
    assert (api.cordoned, node.tree()) == (False, {})


@pytest.mark.parametrize("says", [_REFUSED, 'Error from server (Forbidden): nodes "node" is forbidden'])
def test_a_node_that_cannot_be_cordoned_is_not_touched(node: Node, api: FakeApi, during: list[bool], says: str) -> None:
    api.says = says
    with pytest.raises(Refused, match="nothing was changed: k3s_registries_cordon is true, but the node could not be"):
        _apply(node)
    assert (during, node.registries(), node.memory_is_at_rest(), _note(node)) == ([], b"", True, None)
    result = _apply(node, force=True)
    assert (during, result["cordoned"]) == ([False], False)
    assert result["warnings"] == ["the node restarts without being cordoned: %s" % says]


def test_a_node_that_hangs_is_not_cordoned(node: Node, api: FakeApi, k3s: FakeK3s) -> None:
    _apply(node)
    api.calls.clear()
    with open(node.paths.registries_yaml, "w", encoding="utf-8") as handle:
        handle.write("mirrors: [broken\n")
    k3s.load()
    assert k3s.hanging
    result = _apply(node)
    assert (result["restarted"], result["cordoned"], api.calls) == (False, False, [])


def test_a_server_that_may_not_restart_is_uncordoned(
    node: Node, api: FakeApi, k3s: FakeK3s, during: list[bool]
) -> None:

    def lose_one(number: int) -> None:
        if number > 1:
            k3s.others = [AWAY, AWAY]

    k3s.when_looked_at = lose_one
    with pytest.raises(Failure, match="was not restarted"):
        _apply(node, quorum_timeout=3.0)
    assert (during, api.cordoned, _note(node)) == ([], False, None)
    assert node.last.result["uncordoned"]


def test_every_kill_leaves_what_the_next_run_undoes(
    node: Node, api: FakeApi, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every write to the disk, and before and after every write to the API."""
    faults = Faults(monkeypatch)
    left_cordoned = 0
    at, hit = 0, True
    while hit:
        _apply(node)
        faults.arm("kill", at)
        with contextlib.suppress(Killed):
            _apply(node, "two")
        hit = faults.disarm() > at
        left_cordoned += api.cordoned
        k3s.restart()
        _next_run(node, api, at)
        at += 1 if NIGHTLY else 5
    assert at > 30
    assert left_cordoned > 5
    for at in (1, 2, -2, 3, 4, -4):
        _apply(node)
        api.calls.clear()
        api.kill_at = at
        with pytest.raises(Killed):
            _apply(node, "two")
        api.kill_at = -1
        _next_run(node, api, at)


def _next_run(node: Node, api: FakeApi, at: int) -> None:
    """One without the option, and of the earlier state or the new one by turns."""
    api.kill_at = 0
    _apply(node, "two" if at % 2 else "one", cordon=False)
    assert not api.cordoned, "kill %d has left it cordoned" % at
    assert not api.by
    assert _note(node) is None


def test_cordoned_nodes_are_healthy(node: Node, api: FakeApi, k3s: FakeK3s) -> None:
    """A cordon is no reason for the preflight to stop the next run."""
    api.by_hand(True)
    assert health.observe(node.paths, k3s.state()).healthy
