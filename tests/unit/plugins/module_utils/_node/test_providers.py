# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential providers through stage and commit: what restarts, what is refused, what comes back."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import (
    config_yaml,
    made_folders,
    program,
    programs,
    staging,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import (
    Declared,
    Provider,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.config_files import ConfigFile
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.settings import Settings
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.units import Unit
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import placing
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import SETTINGS, Desired, from_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceState
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import StageRefused, previous_state

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, wanted

ONE, TWO = b"#!/bin/sh\necho one\n", b"#!/bin/sh\necho two\n"
FOREIGN = b"apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders: []\n"


@pytest.fixture(autouse=True)
def started_now(k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A K3s that has read, at its start, the files that were there."""
    real = k3s.state
    clock = {"now": 1.0}

    def state() -> Any:
        found = real()
        return found._replace(started=found.started and clock["now"])

    def restart() -> None:
        type(k3s).restart(k3s)
        clock["now"] = 4_000_000_000.0

    monkeypatch.setattr(k3s, "state", state)
    monkeypatch.setattr(k3s, "restart", restart)
    return iter(())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_provider(state: Desired, content: bytes = ONE, name: str = "ecr", **change: Any) -> Desired:
    env = (("TOKEN", "pass-word-1"),)
    given = Provider(name, "", ("registry.example.com",), "5m", (), env)._replace(**change)
    sums = {} if given.path else {"*": sha256(content)}
    return replace(state, providers=(Declared(given, sums),), files=(), on_node=())


def keep(node: Node, *contents: bytes) -> None:
    for content in contents:
        programs.keep(node.paths.provider_bin_dir, sha256(content), io.BytesIO(content))


def tree(node: Node) -> dict[str, bytes]:
    folder = Path(node.paths.provider_config).parent
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and programs.STORE not in path.parts
    }


def config(state: Desired, node: Node) -> bytes:
    return config_yaml.text(state.at(node.paths).on_node).encode()


def test_the_first_rollout_restarts_once_and_an_update_nothing(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    node.apply(base)
    one, two = with_provider(base), with_provider(base, TWO)
    keep(node, ONE)
    staged = node.stage(one)
    assert (staged["restart"], staged["reasons"]) == (True, ["%s will be changed" % node.paths.provider_config])
    assert tree(node) == {}
    node.commit()
    assert k3s.restarts == 2
    assert tree(node) == {"bin/ecr": ONE, "config.yaml": config(one, node)}
    assert Path(node.paths.provider_config).stat().st_mode & 0o777 == 0o600
    assert not node.stage(one)["changed"]

    keep(node, TWO)
    staged = node.stage(two)
    assert (staged["changed"], staged["restart"]) == (True, False)
    assert staged["files"] == [{"path": os.path.join(node.paths.provider_bin_dir, "ecr"), "action": "update"}]
    assert tree(node)["bin/ecr"] == TWO
    assert k3s.restarts == 2
    assert not node.stage(two)["changed"]


def test_a_changed_variable_restarts_and_is_not_shown(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    keep(node, ONE)
    node.apply(with_provider(base))
    other = with_provider(base, env=(("TOKEN", "pass-word-2"),))
    staged = node.stage(other)
    assert staged["restart"]
    assert "pass-word" not in str(staged)
    assert "match" in staged["after"].lower()
    assert other.secrets() == ["pass-word-2"]


def test_what_is_not_wanted_any_more_goes_and_restarts(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    keep(node, ONE)
    node.apply(with_provider(base))
    staged = node.stage(base)
    assert staged["reasons"] == ["%s will be removed" % node.paths.provider_config]
    node.commit()
    assert tree(node) == {}
    assert k3s.restarts == 2
    assert not node.stage(base)["changed"]
    # The state before it can come back, its program is kept for that.
    previous = previous_state(node.paths)
    assert previous is not None
    node.apply(previous)
    assert tree(node)["bin/ecr"] == ONE


def test_a_removal_leaves_nothing(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    keep(node, ONE)
    node.apply(with_provider(base))
    node.apply(nothing_wanted())
    assert not os.path.exists(os.path.dirname(node.paths.provider_config))


def test_folders_that_were_there_before_a_removal_stay(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    os.makedirs(node.paths.provider_bin_dir)
    keep(node, ONE)
    node.apply(with_provider(base))
    node.apply(nothing_wanted())
    assert os.listdir(node.paths.provider_bin_dir) == []


@pytest.mark.parametrize("fault", ["ill", "canary"])
@pytest.mark.parametrize("had_one", [False, True])
def test_a_failed_commit_puts_the_node_back(node: Node, k3s: FakeK3s, fault: str, had_one: bool) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    keep(node, ONE)
    node.apply(with_provider(one) if had_one else one)
    before = tree(node)
    assert before.get("bin/ecr") == (ONE if had_one else None)
    k3s.ill = {"two"} if fault == "ill" else set()
    k3s.missing_images = {"image:1"} if fault == "canary" else set()
    keep(node, TWO)
    node.stage(with_provider(two, TWO))
    restarts = k3s.restarts
    with pytest.raises(Failure, match="put back as it was"):
        node.commit(canary_images=["image:1"])
    assert k3s.restarts == restarts + 2
    assert tree(node) == before
    assert node.memory_is_at_rest()


def test_a_file_that_is_newer_than_the_kubelet_s_start_needs_a_restart(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    keep(node, ONE)
    state = with_provider(base)
    node.apply(state)
    os.utime(node.paths.provider_config, (4_000_000_100.0, 4_000_000_100.0))
    staged = node.stage(state)
    assert (staged["changed"], staged["restart"]) == (False, True)
    assert staged["reasons"] == ["%s is newer than the running %s" % (node.paths.provider_config, node.paths.service)]


def test_somebody_else_s_configuration_stops_the_run(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    node.apply(base)
    keep(node, ONE)
    Path(node.paths.provider_config).write_bytes(FOREIGN)
    with pytest.raises(StageRefused, match="was not written by this collection"):
        node.stage(with_provider(base))
    assert tree(node) == {"config.yaml": FOREIGN}
    # Nobody wants providers: it is nobody's business.
    assert not node.stage(base)["changed"]
    node.stage(nothing_wanted())
    node.commit()
    assert tree(node) == {"config.yaml": FOREIGN}


@pytest.mark.parametrize("fails", [False, True])
def test_an_equal_one_can_be_taken_over_and_comes_back(node: Node, k3s: FakeK3s, fails: bool) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    node.apply(base)
    keep(node, ONE)
    Path(node.paths.provider_config).write_bytes(FOREIGN)
    state = with_provider(base)
    state = replace(state, settings={**state.settings, "same_providers": sha256(FOREIGN)})
    k3s.missing_images = {"image:1"} if fails else set()
    node.stage(state)
    if fails:
        with pytest.raises(Failure, match="put back as it was"):
            node.commit(canary_images=["image:1"])
    else:
        node.commit(canary_images=["image:1"])
        assert tree(node)["config.yaml"] == config(state, node)
        previous = previous_state(node.paths)
        assert previous is not None
        k3s.known[node.registries()] = base
        node.apply(previous)
    assert tree(node) == {"config.yaml": FOREIGN}


@pytest.mark.parametrize(
    ("before", "restart"),
    [
        ("K3s' start", ""),
        ("", "has read"),
        ("K3s' start, without its program", "has read"),
        ("a change of it", "newer than the running"),
    ],
)
def test_an_equal_one_that_the_kubelet_has_read_is_taken_over_without_a_restart(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch, before: str, restart: str
) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    node.apply(base)
    program_there = Path(node.paths.provider_bin_dir, "ecr")
    program_there.parent.mkdir(parents=True, exist_ok=True)
    if "without" not in before:
        program_there.write_bytes(ONE)
        program_there.chmod(0o755)
    keep(node, ONE)
    config_there = Path(node.paths.provider_config)
    config_there.write_bytes(FOREIGN)
    since = 4_000_000_100.0 if before == "a change of it" else 1_600_000_000.0
    os.utime(config_there, (since, since))
    state = with_provider(base)
    state = replace(state, settings={**state.settings, "same_providers": sha256(FOREIGN)})
    if not before:
        # The file has come back from a backup, with its old time, while K3s was running.
        real, started = k3s.state, config_there.stat().st_ctime - 10
        monkeypatch.setattr(k3s, "state", lambda: real()._replace(started=started))
    staged = node.stage(state)
    assert (staged["changed"], staged["restart"]) == (True, bool(restart))
    if restart:
        assert restart in staged["reasons"][0]
        assert tree(node)["config.yaml"] == FOREIGN
        return
    assert tree(node) == {"bin/ecr": ONE, "config.yaml": config(state, node)}
    assert config_there.stat().st_mtime == since
    assert not node.stage(state)["changed"]
    assert k3s.restarts == 1


def test_other_words_for_the_same_restart_nothing(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    keep(node, ONE)
    node.apply(with_provider(base, default_cache_duration="12h"))
    since = os.stat(node.paths.provider_config).st_mtime
    other = with_provider(base, default_cache_duration="720m")
    staged = node.stage(other)
    assert (staged["changed"], staged["restart"]) == (True, False)
    assert tree(node)["config.yaml"] == config(other, node)
    assert os.stat(node.paths.provider_config).st_mtime == since
    assert not node.stage(other)["changed"]
    assert node.stage(with_provider(base, default_cache_duration="721m"))["restart"]
    # By hand: what that says is not known.
    Path(node.paths.provider_config).write_bytes(config(other, node) + b"# by hand\n")
    assert node.stage(other)["restart"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "/nowhere/ecr"}, "ecr: /nowhere/ecr: No such file or directory"),
        ({"path": "/etc/passwd"}, "no program that can be started"),
        ({"content": b"<html>"}, "it is no program"),
        ({"content": b"#!/nowhere/python3\n"}, "script for /nowhere/python3, which is not on this node"),
        ({"content": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x16\x00" + bytes(40)}, "it is a program for s390x"),
    ],
)  # fmt: skip
def test_a_program_that_could_not_start_is_refused(node: Node, change: dict[str, Any], words: str) -> None:
    keep(node, change.get("content", ONE))
    with pytest.raises(StageRefused) as refused:
        node.stage(with_provider(wanted(node.paths, "one"), **change))
    assert words in str(refused.value)
    assert tree(node) == {}
    assert node.registries() == b""


def test_a_node_of_another_architecture_is_refused(node: Node) -> None:
    state = with_provider(wanted(node.paths, "one"))
    state = replace(state, providers=(Declared(state.providers[0].provider, {"s390x": sha256(ONE)}),))
    with pytest.raises(StageRefused, match="ecr: it has no program for %s, only for s390x" % program.architecture()):
        node.stage(state)


def test_a_relative_path_cannot_be_followed(node: Node) -> None:
    keep(node, ONE)
    entries = [("image-credential-provider-config", "config.yaml")]
    node.settings = Settings("k3s", (), (), [("/etc/rancher/k3s/config.yaml", entries)])
    with pytest.raises(StageRefused, match="sets image-credential-provider-config to config.yaml, which is no"):
        node.stage(with_provider(wanted(node.paths, "one")))


@pytest.mark.parametrize(
    ("text", "command", "refused"),
    [
        ('kubelet-arg:\n  - "image-credential-provider-config=/x"\n', (), "/c.yaml"),
        ("kubelet-arg: image-credential-provider-bin-dir=/x\n", (), "/c.yaml"),
        ("", ("k3s", "agent", "--kubelet-arg=image-credential-provider-config=/x"), "the command line of "),
        ("", ("k3s", "agent", "--kubelet-arg", "image-credential-provider-config=/x"), "the command line of "),
        ("# kubelet-arg: image-credential-provider-bin-dir=/x\n", (), ""),
        ('"image-credential-provider-config": /x\nimage-credential-provider-bin-dir: /y\n', (), ""),
        ("", ("k3s", "agent", "--image-credential-provider-config=/image-credential-provider-config.yaml"), ""),
        ("", ("k3s", "agent", "--image-credential-provider-bin-dir", "/x/image-credential-provider-bin-dir"), ""),
    ],
)
def test_what_is_given_to_the_kubelet_counts_more_and_is_refused(
    node: Node, text: str, command: tuple[str, ...], refused: str
) -> None:
    state = ServiceState("running", 1, 1.0, 0)
    unit = Unit("k3s", "k3s", "server", True, state, "active", command, (), "k3s.service")
    found = node.identity()._replace(unit=unit, config_files=(ConfigFile("/c.yaml", text, 0.0, ()),))
    keep(node, ONE)
    said = staging.refusals(found, with_provider(wanted(node.paths, "one")).at(node.paths), "v1.34.3+k3s1")
    assert [sentence.startswith(refused) for sentence in said] == ([True] if refused else [])


def test_another_program_in_its_place_is_refused(node: Node) -> None:
    keep(node, ONE)
    path = Path(node.paths.provider_bin_dir, "ecr")
    path.write_bytes(TWO)
    with pytest.raises(StageRefused, match="another program than the wanted one"):
        node.stage(with_provider(wanted(node.paths, "one")))
    assert path.read_bytes() == TWO


def test_providers_alone_need_no_registries_yaml(node: Node, k3s: FakeK3s) -> None:
    keep(node, ONE)
    state = with_provider(Desired(SETTINGS, (), None, None, {"keep_generations": 3, "live": True}, "", (), ()))
    staged = node.stage(state)
    assert (staged["restart"], staged["live"]) == (True, False)
    node.commit()
    assert tree(node) == {"bin/ecr": ONE, "config.yaml": config(state, node)}
    assert node.registries() == b""
    assert not node.stage(state)["changed"]
    node.apply(replace(state, providers=()))
    assert tree(node) == {}
    assert k3s.restarts == 2


def test_a_live_change_waits_for_the_restart_that_providers_need(node: Node, k3s: FakeK3s) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    keep(node, ONE)
    state = with_provider(replace(two, settings={**two.settings, "live": True}))
    staged = node.stage(state)
    assert (staged["restart"], staged["live"]) == (True, False)
    assert [reason for reason in staged["reasons"] if "the kubelet reads it at its start only" in reason]
    node.commit()
    assert k3s.restarts == 2


def test_without_a_running_k3s_all_goes_in_place_at_once(node: Node, k3s: FakeK3s) -> None:
    k3s.running = False
    keep(node, ONE)
    state = with_provider(wanted(node.paths, "one"))
    assert not node.stage(state)["restart"]
    assert tree(node) == {"bin/ecr": ONE, "config.yaml": config(state, node)}


def test_the_shipped_form_holds_all_of_it(node: Node) -> None:
    tokens = {"serviceAccountTokenAudience": "x", "requireServiceAccount": True, "cacheType": "Token"}
    state = with_provider(wanted(node.paths, "one"), args=("a", "b"), token_attributes=tokens)
    assert from_text(state.text()).providers == state.providers
    assert from_text(state.text()).at(node.paths) == state.at(node.paths)


def test_a_kubelet_that_refuses_them_is_heard_and_the_node_put_back(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    keep(node, ONE)
    said = ['E1126 kuberuntime_manager.go:1] "Failed to register CRI auth plugins" err="plugin binary did not exist"']
    monkeypatch.setattr(k3s, "log", lambda mark, lines: said + ["systemd: main process exited"] * 20)
    k3s.ill = {"two"}
    node.stage(with_provider(two))
    with pytest.raises(Failure, match="refuses its credential providers: plugin binary did not exist"):
        node.commit()
    assert node.time < 1005
    assert "config.yaml" not in tree(node)


def test_programs_come_before_the_file_that_names_them_and_go_after_it(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = with_provider(wanted(node.paths, "one")).at(node.paths)
    record = Memory(node.paths).record()
    with pytest.raises(FileProblem):
        placing.place(node.paths, state, record)
    assert tree(node) == {}
    keep(node, ONE)
    placing.place(node.paths, state, record)
    placing.remember(node.paths, Memory(node.paths), state, 0)
    seen = []
    real = programs.remove_obsolete

    def remove_obsolete(bin_dir: str, providers: Any) -> None:
        seen.append(sorted(tree(node)))
        real(bin_dir, providers)

    monkeypatch.setattr(programs, "remove_obsolete", remove_obsolete)
    placing.place(node.paths, wanted(node.paths, "one"), Memory(node.paths).record())
    assert seen == [["bin/ecr"]]
    assert tree(node) == {}


def test_programs_that_no_kept_state_needs_are_removed(node: Node, k3s: FakeK3s) -> None:
    base = wanted(node.paths, "one")
    k3s.knows(base)
    contents = [b"#!/bin/sh\necho %d\n" % number for number in range(6)]
    for content in contents:
        keep(node, content)
        state = with_provider(base, content)
        node.apply(replace(state, settings={**state.settings, "keep_generations": 2}))
    store = set(os.listdir(os.path.join(node.paths.provider_bin_dir, programs.STORE)))
    assert store - {made_folders.NOTE} == {sha256(content) for content in contents[-3:]}
