# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New credentials without a restart: in force at once, settled by whoever restarts K3s, and secret until then."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import configured
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials import doubts, question
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.doubts import Doubt
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import live_question
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure, Refused
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired, DesiredFile
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import previous_state

from tests.conftest import mostly_nightly
from tests.unit.plugins.module_utils._node.fake_node import AWAY, FakeK3s, Node, nothing_wanted, of_config
from tests.unit.plugins.module_utils._node.test_faults import Faults, Killed

HOST = "registry.example.com"
BEARER = Doubt(doubts.BEARER, HOST)


def rotated(
    paths: NodePaths, password: str, mirror: str = "docker.io", certificate: str = "", **settings: Any
) -> Desired:
    given: dict[str, Any] = {
        "mirrors": {mirror: {"endpoint": ["https://" + HOST]}},
        "configs": {HOST: {"auth": {"username": "robot", "password": password}}},
    }
    shipped: tuple[DesiredFile, ...] = ()
    if certificate:
        path = paths.cert_dir + "/registry/ca.crt"
        given["configs"][HOST]["tls"] = {"ca_file": path}
        shipped = (DesiredFile(path, certificate.encode(), 0o644),)
    state = of_config(given, shipped, password[:3] + "\n").at(paths)
    return replace(state, settings={"keep_generations": 3, "live": True})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the endpoints were asked; the doubts that they answer with are put at its end by the tests."""
    calls: list[Any] = []
    answers: list[Doubt] = []

    def ask(texts: Any, needed: Any, images: Any, environment: Any, **_more: Any) -> list[Doubt]:
        calls.append((needed.hosts, list(images)))
        return list(answers)

    monkeypatch.setattr(question, "ask", ask)
    calls.append(answers)
    return calls


def files(node: Node) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(node.paths.certs_d)): (path.read_text(), path.stat().st_mode & 0o777)
        for path in Path(node.paths.certs_d).rglob("hosts.toml")
    }


def begun(node: Node, k3s: FakeK3s, *states: Desired) -> None:
    k3s.knows(*states)
    node.apply(states[0])
    k3s.restart()
    for path in Path(node.paths.certs_d).rglob("hosts.toml"):
        path.chmod(0o644)


def test_a_new_password_restarts_nothing_and_the_next_start_settles_it(
    node: Node, k3s: FakeK3s, asked: list[Any]
) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    restarts, k3s.looks, k3s.others = k3s.restarts, 0, [AWAY]
    calls = len(asked)
    staged = node.stage(two)
    assert (staged["live"], staged["reach"]["registries"]) == (True, ("docker.io", HOST))
    assert not any("not without" in reason for reason in staged["reasons"])
    assert len(asked) == calls, "the code for it is not sent to every node"
    assert live_question.ask_for(node.identity(), two.text(), ["image:1"]) == []
    assert asked[-1] == ({HOST: "Basic cm9ib3Q6dHdvLXBhc3N3b3Jk"}, ["image:1"])
    result = node.commit(canary_images=["image:1"], live=True)
    assert (result["restarted"], result["live"], result["step"], result["differences"]) == (False, True, "done", [])
    assert (k3s.restarts, k3s.looks, k3s.pulled[-1]) == (restarts, 0, "image:1")
    written = files(node)
    assert set(written) == {"docker.io/hosts.toml", HOST + "/hosts.toml"}
    assert all("Basic cm9ib3Q6dHdvLXBhc3N3b3Jk" in text and mode == 0o600 for text, mode in written.values())
    assert "two-password" in node.registries().decode()
    assert "cm9ib3Q6" not in repr((staged, result))
    # In force, and left alone by every other run.
    for state in (two, replace(two, settings={"keep_generations": 3})):
        again = node.stage(state)
        assert (again["restart"], again["reasons"]) == (False, [])
    k3s.restart()
    assert all("Authorization" not in text for text, _mode in files(node).values())
    assert not node.stage(two)["restart"]
    assert not node.stage(replace(two, settings=dict(two.settings, settle=True)))["restart"]


@pytest.mark.parametrize("live", [True, False])
def test_going_back_restarts_or_not_as_the_run_wants_it(node: Node, k3s: FakeK3s, asked: list[Any], live: bool) -> None:
    """Whatever the run that brought the earlier state wanted. containerd has its password, so nobody is asked."""
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, replace(one, settings=dict(one.settings, live=not live)), two)
    node.apply(two)
    calls, restarts = len(asked), k3s.restarts
    back = previous_state(node.paths, live)
    assert back is not None
    k3s.knows(back)
    node.apply(back)
    assert (k3s.restarts - restarts, len(asked)) == (int(not live), calls)
    assert all("Authorization" not in text for text, _mode in files(node).values())
    assert "one-password" in node.registries().decode()


@pytest.mark.parametrize("mode", ["live", "settle"])
def test_an_unchanged_node_does_not_pay_for_it(
    node: Node, k3s: FakeK3s, asked: list[Any], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Not even the import, but for what reads a header in hosts.toml."""
    one = rotated(node.paths, "one-password")
    one = replace(one, settings={"keep_generations": 3, mode: True})
    begun(node, k3s, one)
    unneeded = [name for name in sys.modules if "._live_credentials." in name and not name.endswith(".header")]
    assert len(unneeded) > 3
    for name in unneeded:
        monkeypatch.delitem(sys.modules, name)
    assert not node.stage(one)["restart"]
    assert [name for name in unneeded if name in sys.modules] == []


def test_settle_restarts_what_waits(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    node.apply(two)
    settle = replace(two, settings={"keep_generations": 3, "live": False, "settle": True})
    staged = node.stage(settle)
    assert (staged["restart"], staged["live"]) == (True, False)
    assert HOST in staged["reasons"][0]
    assert "next start" in staged["reasons"][0]
    assert node.commit(live=False)["restarted"]
    assert all("Authorization" not in text for text, _mode in files(node).values())
    assert not node.stage(settle)["restart"]


def test_the_next_change_builds_on_what_waits(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one, two, three = (rotated(node.paths, name + "-password") for name in ("one", "two", "three"))
    elsewhere = rotated(node.paths, "three-password", mirror="quay.io")
    begun(node, k3s, one, two, three, elsewhere)
    restarts, generated = k3s.restarts, files(node)
    for state in (two, three, elsewhere):
        assert node.stage(state)["live"]
        assert node.commit()["live"]
    assert set(files(node)) == {"quay.io/hosts.toml", HOST + "/hosts.toml"}
    # With the password that containerd has, there is nothing to make up for.
    assert node.stage(one)["live"]
    assert node.commit()["live"]
    assert (files(node), k3s.restarts) == (generated, restarts)


@pytest.mark.parametrize(
    ("patterns", "problem", "reason"),
    [
        (("*.example.com/team",), "", "the credential provider own is for a registry whose credentials change"),
        (("docker.io",), "", "the credential provider own is for a registry"),
        (("other.example.com:5000", "quay.io"), "", ""),
        ((), "config.yaml was edited", "the kubelet's credential providers cannot be told: config.yaml was edited"),
    ],
)
def test_a_provider_for_the_registry_takes_a_restart(
    node: Node,
    k3s: FakeK3s,
    asked: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    patterns: tuple[str, ...],
    problem: str,
    reason: str,
) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    elsewhere = rotated(node.paths, "one-password", mirror="quay.io")
    begun(node, k3s, one, two, elsewhere)
    providers = (Provider("own", "0" * 64, patterns),) if patterns else ()
    monkeypatch.setattr(configured, "known", lambda _paths: configured.Known(providers, problem))
    staged = node.stage(two)
    assert (staged["live"], reason in " ".join(staged["reasons"])) == (not reason, True)
    # Without new credentials no provider counts.
    assert node.stage(elsewhere)["live"]


def test_it_is_not_asked_once_there_is_another_doubt(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    Path(node.paths.registries_yaml).write_bytes(one.files[-1].content + b"# mine\n")
    calls = len(asked)
    assert "edited since" in live_question.ask_for(node.identity(), two.text(), [])[0]
    assert len(asked) == calls


@pytest.mark.parametrize("live", [None, False])
def test_in_doubt_it_restarts(node: Node, k3s: FakeK3s, asked: list[Any], live: bool | None) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    asked[0].append(BEARER)
    assert node.stage(two)["live"]
    assert live_question.ask_for(node.identity(), two.text(), []) == [BEARER.sentence]
    calls = len(asked)
    assert node.commit(live=live)["restarted"]
    assert len(asked) == calls + (live is None)
    assert all("Authorization" not in text for text, _mode in files(node).values())


def test_a_registry_that_changes_its_mind_after_the_plan_stops_the_node_untouched(
    node: Node, k3s: FakeK3s, asked: list[Any]
) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    restarts = k3s.restarts
    assert node.stage(two)["live"]
    before = files(node), node.registries()
    asked[0].append(BEARER)
    with pytest.raises(Refused, match="plans anew"):
        node.commit(live=True)
    assert ((files(node), node.registries()), k3s.restarts) == (before, restarts)
    assert node.memory_is_at_rest()


@pytest.mark.parametrize("waits", [False, True])
def test_a_canary_that_fails_brings_the_previous_bytes_back(
    node: Node, k3s: FakeK3s, asked: list[Any], waits: bool
) -> None:
    one, two, three = (rotated(node.paths, name + "-password") for name in ("one", "two", "three"))
    begun(node, k3s, one, two, three)
    if waits:
        node.apply(two)
    before, registries, restarts = files(node), node.registries(), k3s.restarts
    k3s.missing_images = {"image:1"}
    node.stage(three)
    with pytest.raises(Failure, match="put back as it was"):
        node.commit(canary_images=["image:1"])
    assert (files(node), node.registries(), k3s.restarts) == (before, registries, restarts)


def test_certificates_that_change_too_are_a_doubt(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one, two = (
        rotated(node.paths, "one-password", certificate="CA 1"),
        rotated(node.paths, "two-password", certificate="CA 2"),
    )
    begun(node, k3s, one, two)
    staged = node.stage(two)
    assert not staged["live"]
    assert "certificates for" in staged["reasons"][-1]
    assert len(asked) == 1


def test_credentials_that_k3s_has_not_loaded_are_a_doubt(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one, two, three = (rotated(node.paths, name + "-password") for name in ("one", "two", "three"))
    begun(node, k3s, one, two, three)
    node.stage(two, in_place=True)
    assert doubts.Doubt(doubts.NOT_LOADED).sentence in node.stage(three)["reasons"][-1]


def test_a_removal_restarts_and_leaves_no_header(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    node.apply(two)
    gone = replace(nothing_wanted(), settings={"keep_generations": 3, "live": True})
    staged = node.stage(gone)
    assert (staged["restart"], staged["live"]) == (True, False)
    assert node.commit()["restarted"]
    assert files(node) == {}


def test_a_removal_where_k3s_is_stopped_takes_the_headers_out(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    node.apply(two)
    k3s.running = False
    node.stage(nothing_wanted())
    assert node.tree() == {}
    assert {mode for _text, mode in files(node).values()} == {0o644}
    assert all("Authorization" not in text for text, _mode in files(node).values())


def test_the_first_credentials_need_no_restart_either(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one = rotated(node.paths, "one-password")
    k3s.knows(one)
    assert node.stage(one)["live"]
    assert node.commit()["live"]
    assert (k3s.restarts, len(files(node))) == (0, 2)
    gone = replace(nothing_wanted(), settings={"keep_generations": 3, "live": True})
    assert node.stage(gone)["live"]
    node.commit()
    assert (k3s.restarts, files(node), node.tree()) == (0, {}, {})


def test_headers_of_somebody_else_are_a_difference(node: Node, k3s: FakeK3s, asked: list[Any]) -> None:
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    node.apply(two)
    for path in Path(node.paths.certs_d).rglob("hosts.toml"):
        path.write_text(path.read_text().replace("cm9ib3Q6dHdvLXBhc3N3b3Jk", "bWluZTptaW5l"))
    staged = node.stage(two)
    assert (staged["restart"], staged["live"]) == (True, False)
    assert "bWluZTptaW5l" not in repr(staged)


@pytest.mark.parametrize("how", mostly_nightly(["kill", "full"], "kill"))
def test_every_write_may_be_the_last(
    node: Node, k3s: FakeK3s, asked: list[Any], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whatever the moment, no file with a header is readable by others, and the next run ends with the new password."""
    one, two = rotated(node.paths, "one-password"), rotated(node.paths, "two-password")
    begun(node, k3s, one, two)
    faults = Faults(monkeypatch)
    at, hit = 0, True
    while hit:
        node.apply(replace(one, settings={"keep_generations": 3}))
        k3s.restart()
        faults.arm(how, at)
        try:
            node.apply(two)
        except (Killed, Failure, FileProblem):
            pass
        finally:
            hit = faults.disarm() > at
        assert all(mode == 0o600 for text, mode in files(node).values() if "Authorization" in text)
        node.apply(two)
        result = node.stage(two)
        assert (result["changed"], result["restart"]) == (False, False), "write %d" % at
        assert "two-password" in node.registries().decode()
        assert node.memory_is_at_rest()
        left = [path.name for path in Path(node.paths.certs_d).rglob("*") if path.is_file()]
        assert set(left) == {"hosts.toml"}
        at += 1
    assert at > 20, "the faults were not injected"
