# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade does to the registries of a node: its rules, its hosts.toml, its images; nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import (
    installed_release,
    kubernetes,
    rehearsing,
    upgrading,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.rehearsing import NotRehearsed
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.upgrading import Wanted, check_on
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import NOTHING
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import parse_release

from tests.registry_faults.servers import HttpServer
from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, of_config
from tests.unit.plugins.module_utils._node.test_rehearsing import SECRET, Cluster, http, store, tree

TARGET = parse_release("v1.35.2+k3s1")
LISTED = "r.test/rancher/coredns:2"
UPGRADE = "docker.io/rancher/k3s-upgrade:v1.35.2-k3s1"


@pytest.fixture
def cluster(k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster()
    monkeypatch.setattr(kubernetes, "crictl", found.crictl)
    monkeypatch.setattr(kubernetes, "get_object", found.get_object)
    monkeypatch.setattr(kubernetes, "kubectl", lambda *_arguments, **_more: Outcome(0, "", ""))
    monkeypatch.setattr(rehearsing, "pause_images", lambda _paths: [])
    return found


@pytest.fixture
def opened() -> Iterator[Callable[[Any], Any]]:
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def configured(node: Node, k3s: FakeK3s, opened: Any) -> Callable[..., None]:
    """Has the node run with a mirror for everything that has some images."""

    def make(*repositories: str, **configs: Any) -> None:
        server = opened(HttpServer(store(*repositories)))
        mirrors = {name: {"endpoint": [http(server)]} for name in ("r.test", "docker.io")}
        state = of_config({"mirrors": mirrors, "configs": configs}).at(node.paths)
        state.settings["disable_default_endpoint"] = True
        k3s.knows(state)
        node.apply(state)

    return make


def check(node: Node, *listed: str, **more: Any) -> dict[str, Any]:
    wanted = Wanted(more.pop("target", TARGET), {"": listed or ("r.test/rancher/coredns:1",)}, **more)
    return check_on(node.identity(), wanted)


def states(found: dict[str, Any]) -> dict[str, str]:
    return {item["image"]: item["state"] for item in found["images"]}


def test_images_of_the_release_and_those_in_use(node: Node, cluster: Cluster, configured: Any) -> None:
    configured("rancher/coredns", "team/app")
    cluster.runs("r.test/team/app:1")
    cluster.runs("r.test/team/broken:1", "broken")
    kept = tree(node)
    found = check(node, "r.test/rancher/coredns:1", "r.test/rancher/traefik:3", images=["r.test/team/extra:1"])
    assert tree(node) == kept
    assert states(found) == {
        "r.test/rancher/coredns:1": "can_be_pulled", "r.test/rancher/traefik:3": "missing",
        "r.test/team/app:1": "can_be_pulled", "r.test/team/broken:1": "already_broken",
        "r.test/team/extra:1": "missing", UPGRADE: "missing",
    }  # fmt: skip
    lacking = next(item for item in found["images"] if item["image"] == "r.test/rancher/traefik:3")
    assert (lacking["cause"], lacking["users"]) == ("not_found", ["release v1.35.2+k3s1"])
    assert all(lacking[key] for key in ("message", "fix"))
    assert (found["installed"], found["target"], found["known_up_to"]) == ("v1.34.3+k3s1", "v1.35.2+k3s1", "")


def test_the_default_registry_of_the_node_and_of_the_inventory(node: Node, cluster: Cluster, configured: Any) -> None:
    configured("rancher/coredns")
    found = check(node, "docker.io/rancher/coredns:1", default_registry="r.test")
    assert states(found)["r.test/rancher/coredns:1"] == "can_be_pulled"
    assert found["default_registry"] == "r.test"
    assert UPGRADE in states(found), "plans name it in full"


def test_rules_that_break_and_problems_that_are_new(
    node: Node, cluster: Cluster, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = {"username": "robot", "password": SECRET}
    given = {"mirrors": {"*": {"endpoint": ["https://r.test"]}}, "configs": {"docker.io": {"auth": auth}}}
    state = of_config(given).at(node.paths)
    k3s.knows(state)
    node.apply(state)
    monkeypatch.setattr(upgrading, "rehearse", lambda *_arguments: NOTHING)
    monkeypatch.setattr(installed_release, "installed", lambda paths, keep: "v1.31.11+k3s1")
    assert check(node, target=parse_release("v1.32.7+k3s1"))["findings"] == []
    found = check(node, target=parse_release("v1.32.2+k3s1"))
    assert [(item["code"], item["level"]) for item in found["findings"]] == [("K3R404", "error"), ("K3R415", "warning")]
    assert SECRET not in json.dumps(found)


def test_an_error_counts_even_if_it_is_one_today(node: Node, cluster: Cluster, configured: Any) -> None:
    configured("rancher/coredns", **{"docker.io": {"auth": {"username": "robot", "password": SECRET}}})
    assert [item["code"] for item in check(node)["findings"]] == ["K3R270"]


def test_hosts_toml_before_and_after(
    node: Node, cluster: Cluster, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured("rancher/coredns")
    assert check(node)["hosts"] == []
    monkeypatch.setattr(installed_release, "installed", lambda paths, keep: "v1.28.8+k3s1")
    (one, two) = check(node)["hosts"]
    assert [Path(item["file"]).parent.name for item in (one, two)] == ["docker.io", "r.test"]
    assert "+++ with v1.35.2+k3s1" in one["diff"]
    assert "+[host]" in one["diff"].splitlines()


def test_the_controllers_image_is_needed_if_it_runs(
    node: Node, cluster: Cluster, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured("rancher/coredns")
    assert check(node)["sees_controller"] is False
    asked: list[Any] = []

    def kubectl(_paths: Any, *arguments: str, **more: Any) -> Outcome:
        asked.append((arguments, more))
        return Outcome(0, "pod/system-upgrade-controller-5d\n", "")

    monkeypatch.setattr(kubernetes, "kubectl", kubectl)
    assert check(node)["sees_controller"] is True
    ((arguments, more),) = asked
    assert "--selector=upgrade.cattle.io/controller=system-upgrade-controller" in arguments
    assert more["kubeconfig"] == node.paths.admin_kubeconfig
    cluster.runs("rancher/system-upgrade-controller:v0.17.0")
    assert check(node)["sees_controller"] is True
    assert len(asked) == 1, "a node on which it runs need not ask"


def test_a_release_that_is_newer_than_the_rules(node: Node, cluster: Cluster, configured: Any) -> None:
    configured("rancher/coredns")
    assert check(node, target=parse_release("v1.36.0+k3s1"))["known_up_to"] == "v1.35.2+k3s1"


def test_a_file_of_somebody_elses_is_not_called_fine(node: Node, cluster: Cluster, configured: Any) -> None:
    configured("rancher/coredns")
    Path(node.paths.registries_yaml).write_text("mirrors: {}\n")
    found = check(node)
    assert "was not written by this collection" in found["not_known"]
    assert states(found)["r.test/rancher/coredns:1"] == "can_be_pulled"


def test_a_node_without_registries_yaml(node: Node, cluster: Cluster) -> None:
    cluster.images.append({"id": "sha256:1", "repoTags": [LISTED, UPGRADE], "repoDigests": []})
    found = check(node, LISTED)
    assert (states(found), found["not_known"]) == ({LISTED: "on_the_node", UPGRADE: "on_the_node"}, "")


def test_what_cannot_be_checked_says_why(
    node: Node, k3s: FakeK3s, cluster: Cluster, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured("rancher/coredns")
    with pytest.raises(NotRehearsed, match=r"runs K3s, which v1\.35\.2\+rke2r1 is no release of"):
        check(node, target=parse_release("v1.35.2+rke2r1"))
    with pytest.raises(NotRehearsed, match="not known for its release"):
        check(node, target=parse_release("v1.28.6+k3s1"))
    with pytest.raises(NotRehearsed, match="no list of the release's images for its architecture"):
        check_on(node.identity(), Wanted(TARGET, {"mips": [LISTED]}))
    k3s.running = False
    with pytest.raises(NotRehearsed, match="does not run there"):
        check(node)


def test_lists_by_architecture(node: Node, cluster: Cluster, configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    configured("rancher/coredns")
    monkeypatch.setattr(upgrading, "_machine", lambda: "aarch64")
    found = check_on(node.identity(), Wanted(TARGET, {"amd64": ["r.test/a:1"], "arm64": ["r.test/rancher/coredns:1"]}))
    assert set(states(found)) == {"r.test/rancher/coredns:1", UPGRADE}
