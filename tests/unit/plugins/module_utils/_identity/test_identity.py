# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, and where that contradicts what was set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity import identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.contradictions import sentence
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity, Stated
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

from tests.unit.plugins.module_utils._identity.node_root import NodeRoot

SERVER, AGENT = "/usr/local/bin/k3s server", "/usr/local/bin/k3s agent"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeRoot:
    root = NodeRoot(tmp_path, monkeypatch)
    monkeypatch.setattr(
        NodePaths, "binary", property(lambda paths: str(tmp_path / "usr/local/bin" / paths.distribution))
    )
    return root


def find(root: NodeRoot, read: Any = None, **stated: str) -> Identity:
    return identity.find(Stated(**stated), str(root.path), read)


def kinds(node: Identity) -> list[str]:
    return [item.what for item in node.contradictions]


def said(node: Identity) -> str:
    return "; ".join(sentence(item._asdict(), "control", "workers") for item in node.contradictions)


def test_what_nobody_set_is_taken_from_the_node(root: NodeRoot) -> None:
    root.runs("k3s-edge", SERVER + " --private-registry /etc/r.yaml")
    root.write("etc/rancher/k3s/config.yaml", "data-dir: /srv/k3s\nwrite-kubeconfig: /srv/k.yaml\n")
    node = find(root, distribution="k3s", role="server")
    assert (node.state, node.contradictions) == ("running", ())
    assert (node.paths.service, node.paths.node_role, node.paths.data_dir) == ("k3s-edge", "server", "/srv/k3s")
    assert node.paths.registries_yaml == "/etc/r.yaml"
    assert node.paths.admin_kubeconfig == "/srv/k.yaml"
    assert node.paths.drop_in.startswith(str(root.path / "etc/rancher/k3s/config.yaml.d"))


def test_another_config_file_takes_the_drop_in_with_it(root: NodeRoot) -> None:
    root.runs("k3s", SERVER + " --config %s" % root.write("srv/c.yaml", "data-dir: /d\n"))
    node = find(root)
    assert node.paths.data_dir == "/d"
    assert node.paths.drop_in == str(root.path / "srv/c.yaml.d/90-k3sfleet-registries.yaml")


@pytest.mark.parametrize("service", ["k3s", "k3s-agent", "kubernetes"])
def test_a_server_among_the_agents_and_the_reverse(root: NodeRoot, service: str) -> None:
    root.runs(service, SERVER)
    node = find(root, role="agent")
    assert kinds(node) == ["role"]
    assert "group 'workers'" in said(node)
    assert "%s.service runs a server" % service in said(node)
    assert "Move the host to the group 'control'" in said(node)
    root.runs(service, AGENT)
    assert "runs an agent" in said(find(root, role="server"))
    assert find(root, role="agent").contradictions == ()


def test_a_unit_called_k3s_on_an_agent_is_no_contradiction(root: NodeRoot) -> None:
    root.runs("k3s", AGENT)
    node = find(root, distribution="k3s", role="agent")
    assert (node.contradictions, node.paths.service, node.state) == ((), "k3s", "running")


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"distribution": "rke2"}, ["k3s_registries_distribution is rke2", "k3s.service runs K3s"]),
        ({"service": "k3s-edge"}, ["k3s_registries_service is k3s-edge", "the service that runs here is k3s"]),
        ({"data_dir": "/elsewhere"}, ["k3s_registries_data_dir is /elsewhere", "K3s uses", "/var/lib/rancher/k3s"]),
        ({"registries_file": "/r.yaml"}, ["k3s_registries_file is /r.yaml", "/etc/rancher/k3s/registries.yaml"]),
    ],
)
def test_what_was_set_is_checked(root: NodeRoot, stated: dict[str, str], words: list[str]) -> None:
    root.runs("k3s", SERVER)
    node = find(root, role="server", **stated)
    assert len(node.contradictions) == 1
    for word in words:
        assert word in said(node)


def test_what_was_set_and_is_so_is_fine(root: NodeRoot) -> None:
    root.runs("k3s-edge", SERVER + " --data-dir=/d --private-registry=/r.yaml")
    stated = {"distribution": "k3s", "role": "server", "service": "k3s-edge", "data_dir": "/d"}
    assert find(root, registries_file="/r.yaml", **stated).contradictions == ()


def test_a_linked_folder_is_the_same_folder(root: NodeRoot) -> None:
    (root.path / "big").mkdir()
    (root.path / "linked").symlink_to(root.path / "big")
    root.runs("k3s", SERVER + " --data-dir=%s" % (root.path / "big"))
    assert find(root, data_dir=str(root.path / "linked")).contradictions == ()


def test_of_two_units_the_one_that_runs_counts(root: NodeRoot) -> None:
    root.runs("k3s", SERVER, active="inactive", enabled="enabled")
    root.runs("k3s-agent", AGENT, active="active", enabled="disabled")
    assert find(root, role="agent").contradictions == ()
    assert kinds(find(root, role="server")) == ["role"]


def test_of_two_that_do_not_run_the_enabled_one_counts(root: NodeRoot) -> None:
    root.runs("k3s", SERVER, active="inactive", enabled="disabled")
    root.runs("k3s-agent", AGENT, active="inactive", enabled="enabled")
    node = find(root, role="agent")
    assert (node.contradictions, node.state, node.paths.service) == ((), "stopped", "k3s-agent")


@pytest.mark.parametrize("active", ["active", "inactive"])
def test_two_that_run_or_are_enabled_are_refused_by_name(root: NodeRoot, active: str) -> None:
    root.runs("k3s", SERVER, active=active)
    root.runs("k3s-agent", AGENT, active=active)
    node = find(root, role="agent")
    assert kinds(node) == ["units"]
    assert "k3s-agent.service, k3s.service" in said(node) or "k3s.service, k3s-agent.service" in said(node)
    # Two that run are wrong whatever anybody says; of two that are enabled, one can be named.
    assert kinds(find(root, role="agent", service="k3s-agent")) == (["units"] if active == "active" else [])


def test_two_of_which_neither_was_ever_used_are_refused_unless_one_is_meant(root: NodeRoot) -> None:
    root.runs("k3s", SERVER, active="inactive", enabled="disabled")
    root.runs("k3s-agent", AGENT, active="inactive", enabled="disabled")
    assert kinds(find(root)) == ["units"]
    node = find(root, role="agent")
    assert (node.contradictions, node.state, node.paths.service) == ((), "not_set_up", "k3s-agent")


def test_what_was_never_set_up_contradicts_nothing(root: NodeRoot) -> None:
    assert find(root, role="agent").state == "not_installed"
    root.write("usr/local/bin/k3s", "")
    assert find(root, role="agent", data_dir="/d").state == "not_set_up"
    root.runs("k3s", SERVER, active="inactive", enabled="disabled")
    node = find(root, role="agent", service="k3s-agent", data_dir="/d")
    assert (node.contradictions, node.state, node.paths.service) == ((), "not_set_up", "k3s-agent")
    assert (node.paths.data_dir, node.paths.node_role) == ("/d", "agent")


def test_a_service_that_has_run_before_was_stopped(root: NodeRoot) -> None:
    root.runs("k3s", SERVER, active="inactive", enabled="disabled")
    root.write("var/lib/rancher/k3s/agent/etc/containerd/config.toml", "")
    assert find(root, role="server").state == "stopped"
    root.runs("k3s", SERVER, active="failed", enabled="disabled")
    assert find(root, role="server").state == "stopped"


def test_a_host_in_no_group(root: NodeRoot) -> None:
    assert find(root, role="neither").contradictions == ()
    root.runs("k3s", SERVER)
    node = find(root, role="neither")
    assert kinds(node) == ["group"]
    assert "neither of the groups 'control' and 'workers'" in said(node)
    assert "Add it to the group 'control'" in said(node)


def test_a_process_without_a_service(root: NodeRoot) -> None:
    def process(pid: str, title: bytes, namespace: str) -> None:
        (root.path / "proc" / pid / "ns").mkdir(parents=True)
        (root.path / "proc" / pid / "cmdline").write_bytes(title)
        for kind in ("mnt", "pid"):
            (root.path / "proc" / pid / "ns" / kind).symlink_to(kind + namespace)

    process("self", b"python", "1")
    process("7", b"/bin/sh\0-c\0k3s agent\0", "1")
    process("8", b"/usr/local/bin/k3s server\0", "2")
    assert find(root, role="server").contradictions == (), "a container's K3s is another node's"
    process("9", b"/usr/local/bin/k3s server\0", "1")
    node = find(root, role="server")
    assert kinds(node) == ["process"]
    assert "a K3s server runs here, but no service started it (process 9)" in said(node)
    root.runs("k3s", SERVER)
    assert find(root, role="server").contradictions == ()


def test_a_file_that_only_a_parser_reads_makes_it_unsure(root: NodeRoot) -> None:
    root.runs("k3s", SERVER)
    path = root.write("etc/rancher/k3s/config.yaml", "{data-dir: /d}\n")
    node = find(root)
    assert node.unsure == [path]
    read = {path: {"digest": node.config_files[0].digest, "entries": [["data-dir", "/d"]]}}
    assert (find(root, read).unsure, find(root, read).paths.data_dir) == ([], "/d")
    # Kept on the node, it spares the second question as long as the file is the same.
    memory = Memory(node.paths)
    memory.write_settings_read(read)
    assert (find(root).unsure, find(root).paths.data_dir) == ([], "/d")
    root.write("etc/rancher/k3s/config.yaml", "{data-dir: /other}\n")
    assert find(root).unsure == [path]


@pytest.mark.parametrize("distribution", ["k3s", "rke2"])
@pytest.mark.parametrize("where", ["nowhere", "config", "command line"])
def test_where_the_kubelet_has_its_credential_providers(root: NodeRoot, distribution: str, where: str) -> None:
    """The defaults are those of both distributions, and do not follow data-dir."""
    command = "/usr/local/bin/%s agent --data-dir=/d" % distribution
    settings = {"image-credential-provider-config": "/p/c.yaml", "image-credential-provider-bin-dir": "/p/bin"}
    if where == "command line":
        command += "".join(" --%s=%s" % pair for pair in settings.items())
    if where == "config":
        root.write("etc/rancher/%s/config.yaml" % distribution, "".join("%s: %s\n" % pair for pair in settings.items()))
    root.runs(distribution + "-agent", command)
    node = find(root, distribution=distribution, role="agent")
    assert (node.state, node.paths.data_dir) == ("running", "/d")
    default = str(root.path / "var/lib/rancher/credentialprovider")
    expected = (default + "/config.yaml", default + "/bin") if where == "nowhere" else ("/p/c.yaml", "/p/bin")
    assert (node.paths.provider_config, node.paths.provider_bin_dir) == expected


_RANCHER = "rancher-system-agent"


def _provisioned(root: NodeRoot, active: str, enabled: str, folder: str = "etc/systemd/system") -> Identity:
    """A node of RKE2 with Rancher's agent in a state, and Rancher's drop-in."""
    root.runs("rke2-agent", "/usr/local/bin/rke2 agent")
    root.write("etc/rancher/rke2/config.yaml.d/50-rancher.yaml", '{"node-label": ["a=b"], "server": "https://s:9345"}')
    root.unit(_RANCHER, "[Service]\nExecStart=/usr/local/bin/rancher-system-agent sentinel\n", active, enabled,
              folder=folder)  # fmt: skip
    return find(root, distribution="rke2")


@pytest.mark.parametrize(
    ("active", "enabled", "found"),
    [
        ("active", "enabled", "runs"),
        ("active", "disabled", "runs"),
        ("activating", "disabled", "runs"),
        ("inactive", "enabled", "is enabled"),
        ("failed", "enabled-runtime", "is enabled"),
        ("inactive", "disabled", ""),
        ("failed", "disabled", ""),
        ("inactive", "masked", ""),
        ("inactive", "static", ""),
    ],
)
@pytest.mark.parametrize("folder", ["etc/systemd/system", "usr/lib/systemd/system"])
def test_rancher_provisions_a_node_if_its_agent_is_enabled_or_runs(
    root: NodeRoot, active: str, enabled: str, found: str, folder: str
) -> None:
    node = _provisioned(root, active, enabled, folder)
    assert (node.rancher.found if node.rancher else "") == (found and "rancher-system-agent.service " + found)
    assert node.contradictions == ()
    assert len(root.calls) == 1, "all services are asked for at once"


def test_rancher_is_told_with_the_file_that_it_writes_and_what_to_do(root: NodeRoot) -> None:
    node = _provisioned(root, "active", "enabled")
    assert node.rancher is not None
    text = sentence(node.rancher._asdict())
    place = str(root.path / "etc/rancher/rke2")
    assert "rancher-system-agent.service runs, and there is %s/config.yaml.d/50-rancher.yaml" % place in text
    assert "writes %s/registries.yaml itself" % place in text
    assert "spec.rkeConfig.registries" in text
    assert "set k3s_registries_rancher_managed: warn" in text


def test_neither_the_agent_nor_its_drop_in_alone_means_rancher(root: NodeRoot) -> None:
    node = _provisioned(root, "active", "enabled")
    (root.path / "etc/rancher/rke2/config.yaml.d/50-rancher.yaml").unlink()
    assert find(root, distribution="rke2").rancher is None
    root.write("etc/rancher/rke2/config.yaml.d/50-rancher.yaml", "")
    (root.path / "etc/systemd/system/rancher-system-agent.service").unlink()
    assert find(root, distribution="rke2").rancher is None
    assert node.rancher is not None


def test_rancher_is_seen_before_it_has_installed_the_service(root: NodeRoot) -> None:
    _provisioned(root, "active", "enabled")
    (root.path / "etc/systemd/system/rke2-agent.service").unlink()
    node = find(root, distribution="rke2")
    assert node.unit is None
    assert node.rancher is not None
