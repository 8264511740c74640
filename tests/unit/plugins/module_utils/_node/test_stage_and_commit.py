# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage and commit on one node: what is touched when, what a failure leaves, what the next run makes of it."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import kubernetes, lease
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import MARKER, NodePaths

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, wanted


def test_stage_touches_nothing_live_and_commit_brings_it_into_force(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one", "pass-word-1", "CA 1")
    k3s.knows(one)
    result = node.stage(one)
    assert result["changed"]
    assert result["restart"]
    assert result["reasons"] == [
        "certs.d/docker.io/hosts.toml is not there",
        "certs.d/registry/hosts.toml is not there",
        'config.toml has no credentials for "registry"',
    ]
    assert node.registries() == b""
    assert k3s.restarts == 0

    result = node.commit(canary_images=["image:1"])
    assert (result["step"], result["restarted"], k3s.pulled) == ("done", True, ["image:1"])
    assert k3s.restarts == 1
    assert b"https://one" in node.registries()
    assert not node.stage(one)["restart"]
    assert not node.stage(one)["changed"]


def test_every_file_is_root_only_but_certificates(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one", "pass-word-1", "CA 1")
    k3s.knows(one)
    node.stage(one)
    assert {mode for mode, _content in node.tree().values()} == {0o600}
    node.commit()
    wide = {name for name, (mode, _content) in node.tree().items() if mode != 0o600}
    assert wide == {"registry-certs/registry/ca.crt"}
    assert os.stat(node.paths.state_dir).st_mode & 0o777 == 0o700


def test_changed_certificate_contents_restart_nothing(node: Node, k3s: FakeK3s) -> None:
    one, other = wanted(node.paths, "one", certificate="CA 1"), wanted(node.paths, "one", certificate="CA 2")
    k3s.knows(one)
    node.apply(one)
    result = node.stage(other)
    assert result["changed"]
    assert not result["restart"]
    assert Path(node.paths.cert_dir, "registry/ca.crt").read_text() == "CA 2"
    assert k3s.restarts == 1


def test_a_text_with_the_same_effect_restarts_nothing(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.apply(one)
    Path(node.paths.registries_yaml).write_bytes(one.files[-1].content + b"# by hand\n")
    result = node.stage(one)
    assert result["changed"]
    assert not result["restart"]
    assert node.registries() == one.files[-1].content


@pytest.mark.parametrize(("installed", "running"), [(False, False), (True, False)])
def test_without_a_running_k3s_everything_goes_in_place_at_once(
    node: Node, k3s: FakeK3s, installed: bool, running: bool
) -> None:
    k3s.installed, k3s.running = installed, running
    one = wanted(node.paths, "one", "pass-word-1", "CA 1")
    result = node.stage(one)
    assert result["changed"]
    assert not result["restart"]
    assert b"https://one" in node.registries()
    assert k3s.restarts == 0


def test_check_mode_predicts_and_writes_nothing(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one", "pass-word-1", "CA 1")
    k3s.knows(one)
    before = node.tree()
    result = node.stage(one, check_mode=True)
    assert (result["changed"], result["restart"]) == (True, True)
    assert node.tree() == before


@pytest.mark.parametrize("fault", ["ill", "canary", "prediction", "unreadable"])
def test_a_failed_commit_puts_the_node_back(node: Node, k3s: FakeK3s, fault: str) -> None:
    one, two = wanted(node.paths, "one", "pass-word-1", "CA 1"), wanted(node.paths, "two", "pass-word-2", "CA 2")
    k3s.knows(one, *([] if fault == "unreadable" else [two]))
    node.apply(one)
    before, loaded = node.registries(), k3s.loaded_text()
    if fault == "ill":
        k3s.ill.add("two")
    k3s.missing_images = {"image:1"} if fault == "canary" else set()
    k3s.generates_something_else = fault == "prediction"
    node.stage(two)
    with pytest.raises(Failure) as failure:
        node.commit(canary_images=["image:1"])
    assert "put back as it was and is healthy" in str(failure.value)
    assert node.last.result["rolled_back"]
    assert not node.last.result["changed"]
    assert node.registries() == before
    assert Path(node.paths.cert_dir, "registry/ca.crt").read_text() == "CA 1"
    k3s.generates_something_else = False
    if fault != "prediction":
        assert k3s.loaded_text() == loaded
    assert "canary-secret" not in str(failure.value) + str(node.last.result)
    # The next run with a good configuration converges.
    k3s.ill, k3s.missing_images = set(), set()
    k3s.knows(two)
    node.apply(two)
    assert b"https://two" in node.registries()
    assert not node.stage(two)["restart"]


def test_a_failed_canary_is_explained_from_containerds_log(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = wanted(node.paths, "one", "pass-word-1")
    k3s.knows(one)
    k3s.missing_images = {"image:1"}

    def crictl(paths: NodePaths, *arguments: str, timeout: float = 0) -> Outcome:
        moment = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        Path(paths.containerd_log).parent.mkdir(parents=True, exist_ok=True)
        with open(paths.containerd_log, "a", encoding="utf-8") as log:
            log.write(
                'time="%s" level=error msg="PullImage \\"image:1\\" failed" error="failed to pull and unpack image '
                '\\"docker.io/library/image:1\\": failed to resolve reference \\"docker.io/library/image:1\\": '
                "unexpected status from HEAD request to https://robot:pass-word-1@one/v2/library/image/manifests/1: "
                '401 Unauthorized"\n' % moment
            )
        return Outcome(1, "", "denied")

    monkeypatch.setattr(kubernetes, "crictl", crictl)
    node.stage(one)
    with pytest.raises(Failure) as failure:
        node.commit(canary_images=["image:1"])
    assert node.last.result["diagnosis"]["cause"] == "unauthorized"
    assert node.last.result["diagnosis"]["fix"] in str(failure.value)
    assert len(node.last.result["log"]) == 1
    assert "pass-word-1" not in str(failure.value) + str(node.last.result)


def test_on_failure_keep_leaves_it_for_inspection(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one")
    k3s.knows(one)
    k3s.ill.add("one")
    node.stage(one)
    with pytest.raises(Failure, match="left in place"):
        node.commit(on_failure="keep")
    assert b"https://one" in node.registries()
    k3s.ill.clear()
    result = node.stage(one)
    assert result["restart"], "an unfinished commit is taken up again"
    node.commit()
    assert not node.stage(one)["restart"]


def test_an_edit_that_k3s_has_loaded_is_found_and_put_right(node: Node, k3s: FakeK3s) -> None:
    one, other = wanted(node.paths, "one"), wanted(node.paths, "other")
    k3s.knows(one, other)
    node.apply(one)
    Path(node.paths.registries_yaml).write_bytes(other.files[-1].content)
    k3s.restart()
    result = node.stage(one)
    assert result["reasons"] == [
        'certs.d/docker.io/hosts.toml has [host."https://other/v2"] instead of [host."https://one/v2"]'
    ]
    node.commit()
    assert "one" in k3s.loaded_text()


def test_a_pending_node_is_found_although_its_files_are_right(node: Node, k3s: FakeK3s) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    Path(node.paths.registries_yaml).write_bytes(two.files[-1].content)
    result = node.stage(two)
    assert not result["changed"]
    assert result["restart"]


def test_a_node_hanging_on_a_broken_file_heals_without_a_restart(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.apply(one)
    Path(node.paths.registries_yaml).write_bytes(b"broken: [\n")
    k3s.restart()
    assert k3s.hanging
    # What K3s generated before is still there and as wanted; the run has to see the node come up all the same.
    staged = node.stage(one)
    assert staged["restart"]
    assert not staged["live"]
    assert "runs no containerd" in staged["reasons"][0]
    assert staged["health"]["explained"]
    result = node.commit()
    assert (result["step"], result["restarted"], k3s.restarts) == ("done", False, 2)
    assert not k3s.hanging
    assert not node.stage(one)["restart"]


def test_a_hanging_node_that_gets_a_new_configuration_needs_no_restart_either(node: Node, k3s: FakeK3s) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    Path(node.paths.registries_yaml).write_bytes(b"broken: [\n")
    k3s.restart()
    node.stage(two)
    result = node.commit()
    assert (result["step"], result["restarted"], k3s.restarts) == ("done", False, 2)
    assert "two" in k3s.loaded_text()


def test_a_node_that_is_too_busy_to_answer_is_restarted(node: Node, k3s: FakeK3s) -> None:
    """It looks as if K3s was hanging on its file, but it has read that long ago, and reads no other by itself."""
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    node.stage(two)
    answers_from = node.time + 3
    k3s.too_busy = lambda: node.time < answers_from
    result = node.commit()
    assert (result["step"], result["restarted"], k3s.restarts) == ("done", True, 2)
    assert "two" in k3s.loaded_text()


def test_a_node_that_comes_up_too_late_is_put_back_by_a_restart(node: Node, k3s: FakeK3s) -> None:
    """Slow, and given up while it is starting: it has read the new files by then, and comes up with them."""
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    node.stage(two)
    answers_from = node.time + 8
    k3s.too_busy = lambda: k3s.restarts > 1 and node.time < answers_from
    with pytest.raises(Failure, match="containerd does not answer. The node was put back as it was and is healthy"):
        node.commit(restart_timeout=5.0)
    assert k3s.restarts == 3
    assert k3s.has_loaded("one")


def test_a_failure_after_a_broken_edit_goes_back_to_the_last_good_generation(node: Node, k3s: FakeK3s) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    Path(node.paths.registries_yaml).write_bytes(b"broken: [\n")
    k3s.restart()
    k3s.ill.add("two")
    node.stage(two)
    with pytest.raises(Failure, match="put back as it was and is healthy"):
        node.commit()
    assert node.registries() == one.files[-1].content
    assert any(content == b"broken: [\n" for _mode, content in node.tree().values()), "the edit itself is kept"


@pytest.mark.parametrize("fails", [False, True])
def test_a_server_has_the_lease_for_as_long_as_its_commit_may_take(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    taken: list[tuple[str, int, bool]] = []

    def take(paths: NodePaths, holder: lease.Holder, shorten: bool = False) -> str:
        taken.append((holder.identity, holder.duration, shorten))
        return "renewed"

    monkeypatch.setattr(lease, "take", take)
    one = wanted(node.paths, "one")
    k3s.knows(one)
    k3s.ill = {"one"} if fails else set()
    node.stage(one)
    with pytest.raises(Failure) if fails else contextlib.nullcontext():
        node.commit(
            lease_holder="run one", restart_timeout=50, quorum_timeout=7, canary_images=["a", "b"], canary_timeout=10
        )
    # Waiting for the other servers; two restarts, should it have to be put back, each after a look whether K3s heals by
    # itself, the second after waiting for the other servers for as long; two canary images.
    assert taken == [("run one", 7 + 2 * (50 + 30) + 50 + 20, False), ("run one", lease.RENEWED_FOR, True)]


def test_k3s_stopped_between_stage_and_commit_stays_stopped(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.stage(one)
    k3s.running = False
    result = node.commit()
    assert not result["restarted"]
    assert not k3s.running
    assert b"https://one" in node.registries()


def test_absent_removes_what_is_ours_and_only_that(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one", "pass-word-1", "CA 1")
    k3s.knows(one)
    foreign = Path(node.paths.config_dir, "config.yaml")
    foreign.write_text("token: x\n")
    by_hand = Path(node.paths.cert_dir, "registry/by-hand.crt")
    node.apply(one)
    by_hand.write_text("mine")
    node.apply(nothing_wanted())
    assert set(node.tree()) == {"config.yaml", "registry-certs/registry/by-hand.crt"}
    assert k3s.loaded_text() == ""
    by_hand.unlink()
    assert not node.stage(nothing_wanted())["changed"]


def test_absent_leaves_a_file_that_is_not_ours(node: Node, k3s: FakeK3s) -> None:
    other = wanted(node.paths, "other")
    k3s.knows(other)
    content = other.files[-1].content.replace(MARKER.encode(), b"# mine")
    k3s.known[content] = other
    Path(node.paths.registries_yaml).write_bytes(content)
    k3s.restart()
    result = node.stage(nothing_wanted())
    assert (result["changed"], result["restart"]) == (False, False)
    assert node.registries() == content


@pytest.mark.parametrize("loaded", [True, False])
def test_absent_after_a_way_back_to_a_file_that_is_not_ours(node: Node, k3s: FakeK3s, loaded: bool) -> None:
    """It stays, and what K3s makes of it is as it should be. What is still loaded of ours is not."""
    other, one = wanted(node.paths, "other", "pass-word-1"), wanted(node.paths, "one", "pass-word-2", "CA")
    content = other.files[-1].content.replace(MARKER.encode(), b"# mine")
    k3s.knows(one)
    k3s.known[content] = other
    Path(node.paths.registries_yaml).write_bytes(content)
    k3s.restart()
    node.apply(one)
    Path(node.paths.registries_yaml).write_bytes(content)
    if loaded:
        k3s.restart()
    restarts = k3s.restarts
    node.apply(nothing_wanted())
    assert k3s.restarts == restarts + (0 if loaded else 1)
    assert k3s.has_loaded("other")
    assert list(node.tree()) == ["registries.yaml"]
    assert node.registries() == content


def test_a_foreign_file_is_replaced_and_kept(node: Node, k3s: FakeK3s) -> None:
    k3s.known[b"mirrors: {}\n"] = nothing_wanted()
    Path(node.paths.registries_yaml).write_bytes(b"mirrors: {}\n")
    states = [wanted(node.paths, name) for name in ("one", "two", "three", "four", "five", "six")]
    k3s.knows(*states)
    assert node.stage(states[0])["foreign"]
    for state in states:
        node.apply(state)
    kept = [content for name, (_mode, content) in node.tree().items() if "generations" in name]
    assert b"mirrors: {}\n" in kept, "what was not ours is never pruned"
    assert not any(b"https://one" in content and b"files" not in content for content in kept), "old ones of ours are"


@pytest.mark.parametrize("running", [True, False])
def test_a_removal_gives_the_file_from_before_back_beside_its_place(node: Node, k3s: FakeK3s, running: bool) -> None:
    """Its only copy lies among the generations, which a removal takes along."""
    before = Path(node.paths.registries_yaml + ".before-k3sfleet")
    for number, text in enumerate([b"mirrors: {}\n", b"mirrors: {}\n", b"configs: {}\n"]):
        k3s.known[text] = nothing_wanted()
        Path(node.paths.registries_yaml).write_bytes(text)
        one = wanted(node.paths, "one", "pass-word-1")
        k3s.knows(one)
        node.apply(one)
        k3s.running = running
        result = node.stage(nothing_wanted())
        result = node.commit() if result["restart"] else result
        # What is there already is not written again, and not lost to a later one.
        assert result["kept"] == str(before) + (".2" if number == 2 else "")
        k3s.running = True
    assert (before.read_bytes(), before.stat().st_mode & 0o777) == (b"mirrors: {}\n", 0o600)
    assert Path(str(before) + ".2").read_bytes() == b"configs: {}\n"
    assert set(node.tree()) == {"registries.yaml.before-k3sfleet", "registries.yaml.before-k3sfleet.2"}


def test_before_hosts_toml_existed_time_decides(node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node import installed_release

    monkeypatch.setattr(installed_release, "installed", lambda paths, keep: "v1.25.16+k3s1")
    one = wanted(node.paths, "one")
    k3s.knows(one)
    assert node.stage(one)["reasons"] == ["%s will be changed" % node.paths.registries_yaml]
    node.commit()
    started = os.stat(node.paths.registries_yaml).st_mtime
    monkeypatch.setattr(k3s, "state", lambda: FakeK3s.state(k3s)._replace(started=started))
    assert not node.stage(one)["restart"]
    os.utime(node.paths.registries_yaml, (4e9, 4e9))
    assert node.stage(one)["restart"]
