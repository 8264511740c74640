# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential store through stage and commit: one restart to begin with, none for a new password."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import pull
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import canary, expectation
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import SETTINGS, Desired, from_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import StageRefused, previous_state

from tests.conftest import COLLECTIONS
from tests.unit.plugins.module_utils._node.fake_node import AWAY, FakeK3s, Node, nothing_wanted, of_config

HARBOR, OTHER = "harbor.example.com", "other.example.com"
OLD, NEW = "canary-of-the-old", "canary-of-the-new"
IMAGE = "images.test/team/app:1"


@pytest.fixture(autouse=True)
def pulled(k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that images were pulled with, past crictl; a K3s that has read the files of before its start."""
    real, clock = k3s.state, {"now": 1.0}
    passwords: list[str] = []

    def restart() -> None:
        type(k3s).restart(k3s)
        clock["now"] = 4_000_000_000.0

    def ask(_image: str, login: Any, _timeout: float) -> Outcome:
        passwords.append(login.password)
        return Outcome(1, "", "containerd could not pull it") if login.password == "refused" else Outcome(0, "", "")

    monkeypatch.setattr(k3s, "state", lambda: real()._replace(started=real().started and clock["now"]))
    monkeypatch.setattr(k3s, "restart", restart)
    monkeypatch.setattr(pull, "pull", ask)
    return passwords


def wanted(password: str, *more: str, **settings: Any) -> Desired:
    given = {
        "mirrors": {"images.test": {"endpoint": ["https://" + host for host in (HARBOR, *more)]}},
        "configs": {HARBOR: {"auth": {"username": "robot", "password": password}}},
    }
    kept = {"keep_generations": 3, "disable_default_endpoint": True, "credential_store": True}
    return replace(of_config(given, (), password[-3:] + "\n"), settings={**kept, **settings})


def shipped(state: Desired) -> Desired:
    return from_text(state.text())


def stage(node: Node, state: Desired, **how: Any) -> dict[str, Any]:
    """As the module does it."""
    check_mode = how.get("check_mode", False)
    with_store, _warnings = expectation.with_store(node.identity(), shipped(state), check_mode=check_mode)
    return node.stage(with_store, **how)


def stored(node: Node) -> dict[str, str]:
    path = Path(node.paths.credential_store)
    if not path.exists():
        return {}
    assert path.stat().st_mode & 0o777 == 0o600
    found = json.loads(path.read_text().partition("\n")[2])["registries"]
    return {registry: login["password"] for registry, login in found.items()}


def begun(node: Node, k3s: FakeK3s, *more: Desired) -> None:
    k3s.knows(wanted(OLD), *more)
    assert stage(node, wanted(OLD))["restart"]
    node.commit()


def test_the_first_time_takes_one_restart(node: Node, k3s: FakeK3s, pulled: list[str]) -> None:
    k3s.knows(wanted(OLD))
    staged = stage(node, wanted(OLD))
    assert (staged["restart"], staged["live"], stored(node)) == (True, False, {})
    assert "%s will be changed" % node.paths.provider_config in staged["reasons"]
    result = node.commit(canary_images=[IMAGE])
    assert (k3s.restarts, result["step"], pulled, k3s.pulled) == (1, "done", [OLD], [])
    assert stored(node) == {HARBOR: OLD, "images.test": OLD}
    config = Path(node.paths.provider_config).read_text()
    assert '"k3sfleet-credential-store"' in config
    assert node.paths.credential_store in config
    assert os.access(os.path.join(node.paths.provider_bin_dir, "k3sfleet-credential-store"), os.X_OK)
    assert OLD not in config + str((staged, result))
    again = stage(node, wanted(OLD))
    assert (again["changed"], again["restart"], again["reasons"]) == (False, False, [])


def test_a_new_password_is_committed_without_a_restart(node: Node, k3s: FakeK3s, pulled: list[str]) -> None:
    begun(node, k3s, wanted(NEW))
    k3s.looks, k3s.others = 0, [AWAY]
    staged = stage(node, wanted(NEW))
    assert (staged["restart"], staged["live"], staged["reach"]) == (True, True, {})
    assert staged["reasons"] == [
        "the kubelet gets new credentials for images of %s, images.test, at the next pull" % HARBOR
    ]
    assert stored(node)[HARBOR] == OLD, "only the commit changes what is in force"
    result = node.commit(canary_images=[IMAGE], live=True)
    assert (k3s.restarts, k3s.looks, result["live"], result["differences"]) == (1, 0, True, [])
    assert (pulled, stored(node)) == ([NEW], {HARBOR: NEW, "images.test": NEW})
    assert NEW in node.registries().decode()
    assert NEW not in str((staged, result))
    for state in (wanted(NEW), wanted(NEW, live=True)):
        again = stage(node, state)
        assert (again["changed"], again["restart"], again["reasons"]) == (False, False, [])
    k3s.others = []
    settled = stage(node, wanted(NEW, settle=True))
    assert settled["restart"]
    assert not settled["live"]
    node.commit()
    assert k3s.restarts == 2
    assert not stage(node, wanted(NEW, settle=True))["restart"]


def test_a_password_that_is_refused_is_taken_back(node: Node, k3s: FakeK3s, pulled: list[str]) -> None:
    begun(node, k3s, wanted("refused"))
    before = node.tree()["registries.yaml"]
    stage(node, wanted("refused"))
    with pytest.raises(Failure, match="could not be pulled"):
        node.commit(canary_images=[IMAGE], live=True)
    assert (k3s.restarts, pulled, stored(node)[HARBOR]) == (1, ["refused"], OLD)
    assert node.tree()["registries.yaml"] == before
    assert not stage(node, wanted(OLD))["restart"]


def test_a_first_time_that_fails_leaves_no_store_behind(node: Node, k3s: FakeK3s) -> None:
    plain = wanted("refused", credential_store=False)
    k3s.knows(plain, wanted("refused"))
    node.apply(plain.at(node.paths))
    stage(node, wanted("refused"))
    with pytest.raises(Failure):
        node.commit(canary_images=[IMAGE])
    assert (stored(node), os.path.exists(node.paths.provider_config)) == ({}, False)


def test_what_would_bring_them_to_another_host_is_refused(node: Node, k3s: FakeK3s) -> None:
    begun(node, k3s)
    before = node.tree()
    for state, remedy in (
        (wanted(OLD, OTHER), "Take https://%s out of the endpoints" % OTHER),
        (wanted(OLD, disable_default_endpoint=None), "Set k3s_registries_disable_default_endpoint: true"),
    ):
        with pytest.raises(StageRefused, match="the kubelet hands out the credentials for images of images.test") as no:
            stage(node, state)
        assert remedy in str(no.value)
        assert node.tree() == before


def test_what_it_does_not_hold_is_a_warning_and_restarts_as_ever(node: Node, k3s: FakeK3s) -> None:
    old, new = (wanted(password, OTHER) for password in (OLD, NEW))
    k3s.knows(old, new)
    _state, warnings = expectation.with_store(node.identity(), shipped(old), check_mode=False)
    assert len(warnings) == 1
    assert "Take https://%s out" % OTHER in warnings[0]
    stage(node, old)
    node.commit()
    assert stored(node) == {HARBOR: OLD}
    staged = stage(node, new)
    # The mirror's images are asked for there with what containerd has read.
    assert (staged["restart"], staged["live"]) == (True, False)
    node.commit()
    assert k3s.restarts == 2


def test_turned_off_it_goes_and_comes_back_with_the_state_before(node: Node, k3s: FakeK3s) -> None:
    off = wanted(OLD, credential_store=False)
    begun(node, k3s, off)
    staged = stage(node, off)
    assert staged["reasons"] == ["%s will be removed" % node.paths.provider_config]
    node.commit()
    assert (stored(node), os.path.exists(node.paths.provider_config), k3s.restarts) == ({}, False, 2)
    before = previous_state(node.paths)
    assert before is not None
    assert stage(node, replace(before, files=()))["restart"]
    node.commit()
    assert stored(node) == {HARBOR: OLD, "images.test": OLD}


def test_with_settings_alone_and_with_absent_nothing_of_it_stays(node: Node, k3s: FakeK3s) -> None:
    begun(node, k3s)
    alone = Desired(SETTINGS, (), None, None, {"keep_generations": 3, "credential_store": True}, "", (), ())
    stage(node, alone)
    node.commit()
    assert (stored(node), os.path.exists(node.paths.provider_config)) == ({}, False)
    node.apply(nothing_wanted())
    assert not os.path.exists(node.paths.state_dir)


def test_on_a_node_that_does_not_run_it_is_put_in_place(node: Node, k3s: FakeK3s) -> None:
    k3s.running = False
    assert not stage(node, wanted(OLD))["restart"]
    assert stored(node) == {HARBOR: OLD, "images.test": OLD}


def test_a_module_call_of_its_own_puts_new_ones_in_place_at_once(node: Node, k3s: FakeK3s) -> None:
    begun(node, k3s, wanted(NEW))
    staged = stage(node, wanted(NEW), in_place=True)
    assert (staged["restart"], staged["live"], stored(node)[HARBOR]) == (False, False, NEW)


def test_check_mode_keeps_nothing(node: Node, k3s: FakeK3s) -> None:
    staged = stage(node, wanted(OLD), check_mode=True)
    assert staged["restart"]
    assert not os.path.exists(node.paths.provider_bin_dir)
    assert stored(node) == {}


def test_a_link_in_its_place_is_refused(node: Node, k3s: FakeK3s, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine", encoding="utf-8")
    Path(node.paths.state_dir).mkdir(mode=0o700)
    Path(node.paths.credential_store).symlink_to(target)
    with pytest.raises(FileProblem):
        stage(node, wanted(OLD))
    assert target.read_text(encoding="utf-8") == "mine"


def test_a_removal_does_not_follow_a_link_either(node: Node, k3s: FakeK3s, tmp_path: Path) -> None:
    begun(node, k3s)
    target = tmp_path / "target"
    os.rename(node.paths.credential_store, target)
    Path(node.paths.credential_store).symlink_to(target)
    node.apply(nothing_wanted())
    assert target.exists()
    assert not os.path.lexists(node.paths.credential_store)


def test_images_that_are_not_stored_are_pulled_with_crictl(node: Node, k3s: FakeK3s, pulled: list[str]) -> None:
    begun(node, k3s)
    assert canary.pull(node.paths, "elsewhere.test/x:1", 1.0, {})["ok"]
    Path(node.paths.credential_store).write_text("damaged", encoding="utf-8")
    assert canary.pull(node.paths, IMAGE, 1.0, {})["ok"]
    assert (pulled, k3s.pulled) == ([], ["elsewhere.test/x:1", IMAGE])


def test_nodes_without_a_store_do_not_load_its_code() -> None:
    modules = ("k3s_registries", "k3s_rollout", "k3s_registries_info", "k3s_registry_probe", "k3s_canary_pull")
    program = (
        "import sys; from ansible_collections.k3sfleet.registries.plugins.modules import %s; "
        "print([name for name in sys.modules if '._credential_store' in name])" % ", ".join(modules)
    )
    environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS))
    outcome = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert outcome.stdout.strip() == "[]"
