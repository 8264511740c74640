# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node knows better than the inventory: what contradicts it is refused before a write, what is unset is found.

Each run that is refused wants something new, so that a registries.yaml which it touched would show.
"""

from __future__ import annotations

import copy
from typing import Any, Iterator

import pytest

from tests.fleet import shapes
from tests.integration.cluster import SITE, Cluster, Run

VERIFY = "playbooks/verify.yml"
REGISTRIES = "/etc/rancher/k3s/registries.yaml"
EDGE = "/etc/rancher/edge.yaml"
_STATE = "for f in %s %s; do test ! -e $f || { sha256sum $f; stat -c '%%i %%Y %%Z' $f; }; done" % (REGISTRIES, EDGE)
_STARTED = "systemctl show --property=ExecMainStartTimestampMonotonic,MainPID %s"


@pytest.fixture
def shaped(configured: Cluster) -> Iterator[Cluster]:
    """The cluster, with every node as the fleet made it again after a test that has reshaped some."""
    yield configured
    shapes.restore(configured.fleet)
    configured.play().ok()


def _new(cluster: Cluster) -> dict[str, Any]:
    """Variables that no node has yet."""
    config = copy.deepcopy(cluster.variables["k3s_registries"])
    config["mirrors"]["new.test"] = {"endpoint": [cluster.fleet.registry.url]}
    return {"k3s_registries": config}


def _refused(cluster: Cluster, **arguments: Any) -> str:
    """Run a change that has to be refused, on every node as it was; returns what was said, in one line."""
    playbook = arguments.pop("playbook", SITE)
    variables = {**_new(cluster), **arguments.pop("variables", {})}
    before = cluster.everywhere(_STATE)
    run = cluster.play(playbook, variables=variables, **arguments).refused()
    assert cluster.everywhere(_STATE) == before
    assert cluster.restarts(run.began) == dict.fromkeys(cluster.names, 0)
    return _said(run)


def _said(run: Run) -> str:
    """The output in one line, as it was before Ansible laid it out as YAML."""
    return " ".join(run.output.split()).replace("''", "'")


def _unchanged(run: Run) -> None:
    assert set(run.ok().changed.values()) == {0}, run.output


def test_a_server_among_the_agents_and_an_agent_among_the_servers(configured: Cluster) -> None:
    groups = {"server": ["agent-1"], "agent": ["server-1", "agent-2"]}
    said = _refused(configured, groups=groups)
    assert "server-1 is not what the inventory says: the inventory has this host in the group 'agent'" in said
    assert "k3s.service runs a server. Move the host to the group 'server'" in said
    assert "agent-1 is not what the inventory says: the inventory has this host in the group 'server'" in said
    assert "k3s-agent.service runs an agent. Move the host to the group 'agent'" in said
    _unchanged(configured.play())


@pytest.mark.nightly
def test_verify_says_so_too(configured: Cluster) -> None:
    groups = {"server": ["agent-1"], "agent": ["server-1", "agent-2"]}
    run = configured.play(VERIFY, groups=groups).refused()
    assert run.failed == ["agent-1", "server-1"]
    assert "Move the host to the group 'server'" in _said(run)


@pytest.mark.nightly
def test_a_host_in_both_groups(configured: Cluster) -> None:
    said = _refused(configured, groups={"server": ["server-1", "agent-2"], "agent": ["agent-1", "agent-2"]})
    assert "the host is in both groups, 'server' and 'agent'" in said


@pytest.mark.nightly
def test_a_host_in_no_group_runs_k3s(configured: Cluster) -> None:
    groups = {"server": ["server-1"], "agent": ["agent-1"]}
    said = _refused(configured, playbook=_for_everyone(configured), groups=groups)
    assert "agent-2 is not what the inventory says: the host is in neither of the groups 'server' and 'agent'" in said
    assert "k3s-agent.service runs an agent. Add it to the group 'agent', or remove it from the play" in said


def _for_everyone(cluster: Cluster) -> str:
    path = cluster.folder / "everyone.yml"
    path.write_text(_EVERYONE, encoding="utf-8")
    return str(path)


_EVERYONE = """\
- name: A play over more than the cluster's groups
  hosts: k3s_cluster
  gather_facts: false
  tasks:
    - name: Bring the registries to the fleet
      ansible.builtin.import_role:
        name: k3sfleet.registries.k3s_registries
"""


@pytest.mark.nightly
def test_k3s_under_the_variables_of_rke2(configured: Cluster) -> None:
    said = _refused(configured, variables={"k3s_registries_distribution": "rke2"})
    assert said.count("Set k3s_registries_distribution: k3s for it") >= len(configured.names)
    for name in configured.names:
        assert not configured.exists(name, "/etc/rancher/rke2")


def test_service_data_dir_and_file_that_are_others_on_the_node(configured: Cluster) -> None:
    hosts = {
        "server-1": {"k3s_registries_file": "/etc/elsewhere.yaml"},
        "agent-1": {"k3s_registries_service": "k3s-node"},
        "agent-2": {"k3s_registries_data_dir": "/srv/k3s"},
    }
    said = _refused(configured, hosts=hosts)
    assert "k3s_registries_file is /etc/elsewhere.yaml, but K3s uses %s" % REGISTRIES in said
    assert "k3s_registries_service is k3s-node, but the service that runs here is k3s-agent" in said
    assert "k3s_registries_data_dir is /srv/k3s, but K3s uses /var/lib/rancher/k3s" in said
    assert not configured.exists("server-1", "/etc/elsewhere.yaml")
    assert not configured.exists("agent-2", "/srv/k3s")


_RANCHER = """\
d=/etc/rancher/k3s/config.yaml.d
mkdir -p $d
echo '{"node-label": ["cattle.io/os=linux"]}' >$d/50-rancher.yaml
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' \
  >/etc/systemd/system/rancher-system-agent.service
systemctl daemon-reload
systemctl --quiet enable rancher-system-agent
"""
_NO_RANCHER = """\
systemctl --quiet disable --now rancher-system-agent
rm /etc/systemd/system/rancher-system-agent.service /etc/rancher/k3s/config.yaml.d/50-rancher.yaml
systemctl daemon-reload
"""


@pytest.fixture
def of_rancher(configured: Cluster) -> Iterator[str]:
    """A node that Rancher provisions since the last run, which found it unchanged."""
    _unchanged(configured.play())
    configured.sh("agent-2", _RANCHER)
    yield "agent-2"
    configured.sh("agent-2", _NO_RANCHER)
    configured.play().ok()


@pytest.mark.nightly
def test_a_node_that_rancher_provisions_is_not_touched(configured: Cluster, of_rancher: str) -> None:
    told = "Rancher provisions this node (rancher-system-agent.service is enabled"
    # Without anything to change, too: the node is no longer what it was when it had everything.
    assert told in _said(configured.play().refused())
    assert told in _said(configured.play(VERIFY).ok())
    run = configured.play(variables={"k3s_registries_rancher_managed": "warn"})
    _unchanged(run)
    assert told in _said(run)
    said = _refused(configured)
    assert "%s: %s" % (of_rancher, told) in said
    assert "set k3s_registries_rancher_managed: warn" in said


@pytest.mark.nightly
def test_units_of_other_names_and_paths_of_their_own_are_found(shaped: Cluster) -> None:
    fleet = shaped.fleet
    data_dir = "/var/lib/rancher/edge"
    # As PyratLabs' role has it on agents; and a name that nobody knows, with the flags in three places.
    shapes.rename_unit(fleet, "agent-1", "k3s", ["--data-dir=" + data_dir, "--private-registry", EDGE])
    shapes.set_config(fleet, "agent-2", {"private-registry": EDGE}, drop_in=True)
    shapes.rename_unit(fleet, "agent-2", "k3s-edge", environment={"K3S_DATA_DIR": data_dir})
    units = {"agent-1": "k3s", "agent-2": "k3s-edge"}
    before = {name: shaped.sh(name, _STARTED % unit) for name, unit in units.items()}

    run = shaped.play(SITE, variables=_new(shaped)).ok()

    for name, unit in units.items():
        assert shaped.sh(name, _STARTED % unit) != before[name]
        assert "new.test" in shaped.read(name, EDGE)
        assert shaped.exists(name, data_dir + "/agent/etc/containerd/certs.d/new.test/hosts.toml")
        # The collection's own, from when K3s read it there.
        assert not shaped.exists(name, REGISTRIES)
    assert run.output.count("restarted and healthy") == len(shaped.names)
    _unchanged(shaped.play(SITE, variables=_new(shaped)))
    verified = shaped.play(VERIFY, variables=_new(shaped)).ok().output
    assert "all 3 nodes pass" in verified
    # Each was asked about what its own file names, the fallback of new.test included, whose name nobody knows.
    rows = [line for line in verified.splitlines() if line.startswith(("agent-1 ", "agent-2 ")) and " loaded " in line]
    assert [row.count("(name unknown)") for row in rows] == [2, 2], rows
    said = _refused(shaped, hosts={"agent-2": {"k3s_registries_service": "k3s-agent"}}, variables={
        "k3s_registries": shaped.variables["k3s_registries"]
    })  # fmt: skip
    assert "k3s_registries_service is k3s-agent, but the service that runs here is k3s-edge" in said


@pytest.mark.nightly
def test_of_two_units_the_one_that_runs_counts_and_two_that_might_are_refused(shaped: Cluster) -> None:
    fleet = shaped.fleet
    shapes.write_unit(fleet, "agent-1", "k3s-old", flags=["--private-registry=" + EDGE])
    shaped.sh("agent-1", "systemctl --quiet enable k3s-old")
    _unchanged(shaped.play())
    assert not shaped.exists("agent-1", EDGE)

    shaped.sh("agent-1", "systemctl stop k3s-agent")
    said = _refused(shaped)
    assert "agent-1 is not what the inventory says: several services of K3s or RKE2 run or are enabled" in said
    assert "k3s-agent.service, k3s-old.service" in said
    assert "name the right one in k3s_registries_service" in said

    shaped.sh("agent-1", "systemctl --quiet disable k3s-old; systemctl start k3s-agent")
    _unchanged(shaped.play())


@pytest.mark.nightly
def test_a_binary_without_a_unit_gets_files_and_a_warning(shaped: Cluster) -> None:
    shapes.remove_unit(shaped.fleet, "agent-2")
    before = shaped.sh("agent-2", _STATE)
    run = shaped.play(_for_everyone(shaped), groups={"server": ["server-1"], "agent": ["agent-1"]}).ok()
    assert "agent-2: in neither of the groups 'server' and 'agent', and no K3s runs there: left alone" in run.output
    assert shaped.sh("agent-2", _STATE) == before

    run = shaped.play(SITE, "--limit", "agent-2", variables=_new(shaped)).ok()
    assert "new.test" in shaped.read("agent-2", REGISTRIES)
    assert "K3s is not set up on this node" in _said(run)
    _unchanged(shaped.play(SITE, "--limit", "agent-2", variables=_new(shaped)))

    # The unit is there, and was never enabled nor started.
    shapes.write_unit(shaped.fleet, "agent-2", "k3s-later", flags=["--private-registry=" + EDGE])
    shaped.sh("agent-2", "rm -r /var/lib/rancher/k3s/agent/etc/containerd")
    run = shaped.play(SITE, "--limit", "agent-2", variables=_new(shaped)).ok()
    assert "new.test" in shaped.read("agent-2", EDGE)
    assert shaped.sh("agent-2", "systemctl show --property=ActiveState --value k3s-later").strip() == "inactive"


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("settings", "port", "address"),
    [
        pytest.param({"https-listen-port": 7443}, 7443, "127.0.0.1:7443", id="another port"),
        pytest.param(
            {"service-cidr": "fd00:43::/112,10.43.0.0/16", "node-ip": "fd00::1"}, 6443, "[::1]:6443", id="IPv6 first"
        ),
    ],
)
def test_embedded_registry_where_the_server_has_it(
    shaped: Cluster, settings: dict[str, Any], port: int, address: str
) -> None:
    fleet = shaped.fleet
    shapes.set_config(fleet, "server-1", settings)
    for name in shaped.agents:
        shapes.write_unit(fleet, name, port=port)
    for name in shaped.names:
        shapes.start(fleet, name)
    wanted = {**_new(shaped), "k3s_registries_embedded_registry": True}
    if "[" in address and fleet.k3s == "stand-in":
        # Debian's containerd 1.6 reads no hosts.toml with such a host in it; K3s' own 2.x does.
        wanted["k3s_registries_canary_images"] = []

    run = shaped.play(SITE, variables=wanted).ok()

    assert shaped.restarts(run.began) == dict.fromkeys(shaped.names, 1)
    for name in shaped.names:
        folder = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
        assert address in shaped.sh(name, "ls " + folder).split()
        assert '[host."https://%s/v2"]' % address in shaped.read(name, folder + "/new.test/hosts.toml")
    _unchanged(shaped.play(SITE, variables=wanted))
    assert "all 3 nodes pass" in shaped.play(VERIFY, variables=wanted).ok().output
    run = shaped.play(SITE, variables={**wanted, "k3s_registries_embedded_registry": False}).ok()
    assert shaped.restarts(run.began) == dict.fromkeys(shaped.names, 1)
