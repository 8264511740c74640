# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that has not changed since it had everything takes one shell command and no Python; any change takes both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.modules import k3s_registries

from tests.conftest import mostly_nightly
from tests.fleet.state import USER
from tests.integration.cluster import SITE, Cluster, Run

ROOT_PASSWORD = "su-4f1d8e2b7c90"
AGENT = "/var/lib/rancher/k3s/agent/etc/containerd"
STATE = "/etc/rancher/k3s/k3sfleet"


def modules(cluster: Cluster, since: float) -> dict[str, int]:
    """How many modules, which are Python, have run as root on each node."""
    command = "journalctl --quiet --no-pager -o cat -t sudo --since=@%.6f" % since
    return {name: text.count("python") for name, text in cluster.everywhere(command).items()}


def staged(cluster: Cluster, *arguments: str, **more: Any) -> tuple[Run, list[dict[str, Any]]]:
    """A run, and what staging has returned for each node. What a module returns says how it was called."""
    results = cluster.folder / "results.jsonl"
    results.unlink(missing_ok=True)
    environment: Mapping[str, str] = {
        "RESULTS": str(results),
        "ANSIBLE_CALLBACKS_ENABLED": "results",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        **more.pop("environment", {}),
    }
    run = cluster.play(SITE, *arguments, environment=environment, **more).ok()
    said = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return run, [result for result in said if "node_state" in result]


def took_a_module(results: list[dict[str, Any]]) -> list[bool]:
    return ["invocation" in result for result in results]


def documented(result: Mapping[str, Any]) -> str:
    """What a result has of the module's documented values, as text."""
    known = [*yaml.safe_load(k3s_registries.RETURN), "changed", "warnings", "diff"]
    return json.dumps({key: result[key] for key in known if key in result}, sort_keys=True)


def test_an_unchanged_node_takes_one_command_and_no_module(configured: Cluster) -> None:
    configured.play(SITE).ok()
    before = configured.everywhere("cat %s/snapshot" % STATE)
    run, results = staged(configured, "--diff", "-vvv")
    assert set(run.changed.values()) == {0}
    assert configured.commands(run.began) == dict.fromkeys(configured.names, 1)
    assert modules(configured, run.began) == dict.fromkeys(configured.names, 0)
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 0)
    assert took_a_module(results) == [False] * len(configured.names)
    assert configured.everywhere("cat %s/snapshot" % STATE) == before
    assert set(configured.everywhere("stat -c '%%a %%u' %s/snapshot" % STATE).values()) == {"600 0\n"}


def test_what_it_returns_is_what_the_module_returns(configured: Cluster) -> None:
    short = staged(configured, "--diff")[1]
    configured.everywhere("rm %s/snapshot" % STATE)
    in_full = staged(configured, "--diff")[1]
    assert took_a_module(short) == [False] * len(configured.names)
    assert took_a_module(in_full) == [True] * len(configured.names)
    assert sorted(map(documented, short)) == sorted(map(documented, in_full))
    again = staged(configured, "--check", "--diff")[1]
    assert took_a_module(again) == [False] * len(configured.names)
    assert sorted(map(documented, again)) == sorted(map(documented, in_full))


#: Changes by hand that leave a node with everything, so that only asking it in full can tell.
HARMLESS = {
    "config.toml": "echo '# by hand' >>%s/config.toml" % AGENT,
    "owner of a certificate's folder": "chmod 0711 /etc/rancher/k3s/registry-certs",
    "a file of K3s' own": "echo '# by hand' >/etc/rancher/k3s/config.yaml.d/50-by-hand.yaml",
    "restart": "systemctl restart k3s-agent",
}


def test_any_change_takes_the_module_on_that_node_alone(configured: Cluster) -> None:
    configured.play(SITE).ok()
    configured.sh("agent-1", "mkdir -p /etc/rancher/k3s/config.yaml.d")
    configured.play(SITE).ok()
    expected = {name: int(name == "agent-1") for name in configured.names}
    for what, command in HARMLESS.items():
        configured.sh("agent-1", command)
        run = configured.play(SITE).ok()
        assert modules(configured, run.began) == expected, what
        assert set(run.changed.values()) == {0}, what
    configured.sh("agent-1", "rm /etc/rancher/k3s/config.yaml.d/50-by-hand.yaml")


@pytest.mark.nightly
def test_an_edit_by_hand_is_corrected(configured: Cluster) -> None:
    configured.play(SITE).ok()
    configured.sh(
        "agent-1",
        "sed -i 's/^server = .*/server = \"https:\\/\\/by-hand.test\"/' %s/certs.d/docker.io/hosts.toml" % AGENT,
    )
    run = configured.play(SITE).ok()
    assert configured.restarts(run.began) == {name: int(name == "agent-1") for name in configured.names}
    assert "by-hand" not in configured.read("agent-1", AGENT + "/certs.d/docker.io/hosts.toml")


@pytest.mark.nightly
def test_another_configuration_takes_the_module_everywhere(configured: Cluster) -> None:
    configured.play(SITE).ok()
    run = configured.play(SITE, "--check", variables={"k3s_registries_keep_generations": 9}).ok()
    assert modules(configured, run.began) == dict.fromkeys(configured.names, 1)


@pytest.mark.parametrize("strategy", mostly_nightly(["free", "host_pinned"], "free"))
def test_it_takes_no_module_under_another_strategy(configured: Cluster, strategy: str) -> None:
    configured.play(SITE).ok()
    _run, results = staged(configured, environment={"ANSIBLE_STRATEGY": strategy})
    assert took_a_module(results) == [False] * len(configured.names)


def test_it_takes_no_module_with_su_and_a_password(configured: Cluster) -> None:
    configured.play(SITE).ok()
    configured.secrets.add_canary("root's password", ROOT_PASSWORD)
    configured.everywhere("chpasswd", stdin=("root:%s\n" % ROOT_PASSWORD).encode())
    become = {"ansible_become_method": "ansible.builtin.su", "ansible_become_password": ROOT_PASSWORD}
    try:
        run, results = staged(configured, "-vvv", variables=become)
    finally:
        configured.everywhere("passwd --lock root >/dev/null")
    assert took_a_module(results) == [False] * len(configured.names), run.output
    assert configured.commands(run.began) == dict.fromkeys(configured.names, 0)


@pytest.mark.nightly
def test_it_takes_no_module_with_sudo_and_a_password(configured: Cluster) -> None:
    configured.play(SITE).ok()
    configured.secrets.add_canary("the user's password", ROOT_PASSWORD)
    configured.everywhere("chpasswd", stdin=("%s:%s\n" % (USER, ROOT_PASSWORD)).encode())
    configured.everywhere("echo '%s ALL=(ALL) PASSWD: ALL' >/etc/sudoers.d/zz-asked" % USER)
    try:
        _run, results = staged(configured, "-vvv", variables={"ansible_become_password": ROOT_PASSWORD})
    finally:
        configured.everywhere("rm /etc/sudoers.d/zz-asked")
    assert took_a_module(results) == [False] * len(configured.names)
