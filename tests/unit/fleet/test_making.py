# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet makes before a node boots: certificates, configuration, archives, images."""

from __future__ import annotations

import io
import json
import os
import tarfile
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import ExtendedKeyUsage, load_pem_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.fleet import (
    certificates,
    cluster_pki,
    containerd_source,
    contents,
    k3s_source,
    limits,
    podman,
    real_k3s,
    registry,
    state,
    units,
    up,
)
from tests.fleet.archive import Archive
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet, Node, Registry


def fleet(servers: int = 1, agents: int = 1) -> Fleet:
    place = Registry("r.test", 5000, "10.0.0.2", "robot", "secret")
    members = [Node("server-%d" % n, "server", "10.0.0.1%d" % n) for n in range(1, servers + 1)]
    members += [Node("agent-%d" % n, "agent", "10.0.0.10%d" % n) for n in range(1, agents + 1)]
    return Fleet("f", "k3s", "real", "v1", "10.0.0.0/24", "token", 40, place, members)


def test_good_certificates_are_good_and_bad_ones_bad(tmp_path: Path) -> None:
    certificates.make_pki(tmp_path, ("r.test", "10.0.0.2"))
    ca, client = certificates.load(tmp_path / "ca"), certificates.load(tmp_path / "client")
    client.certificate.verify_directly_issued_by(ca.certificate)
    assert certificates.load(tmp_path / "bad" / "expired-client").certificate.not_valid_after_utc < datetime.now(
        timezone.utc
    )
    with pytest.raises(ValueError, match="does not match certificate issuer"):
        certificates.load(tmp_path / "bad" / "other-ca-client").certificate.verify_directly_issued_by(ca.certificate)
    other = load_pem_private_key((tmp_path / "bad" / "other.key").read_bytes(), None)
    assert other.public_key() != client.certificate.public_key()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.key")} == {0o600}


def test_first_server_of_several_starts_the_cluster_and_the_rest_join() -> None:
    several = fleet(servers=3)
    found = [real_k3s.settings(several, node) for node in several.nodes]
    assert [content.get("cluster-init") for content in found] == [True, None, None, None]
    assert [content.get("server") for content in found] == [None, *["https://server-1:6443"] * 3]
    assert {content["token"] for content in found} == {"token"}


def test_given_configuration_is_merged_and_an_agent_gets_only_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "config.yaml"
    given.write_text("flannel-backend: host-gw\nkubelet-arg: [max-pods=9]\nprivate-registry: /x.yaml\n")
    monkeypatch.setenv("K3S_CONFIG", str(given))
    server, agent = [real_k3s.settings(fleet(), node) for node in fleet().nodes]
    assert server["flannel-backend"] == "host-gw"
    assert "flannel-backend" not in agent
    assert agent["private-registry"] == "/x.yaml"
    assert agent["kubelet-arg"] == ["fail-swap-on=false", "kubelet-cgroups=", "runtime-cgroups=", "max-pods=9"]


def test_k3s_binary_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K3S_BINARY", str(tmp_path))
    with pytest.raises(FleetError, match="usr/local/bin/k3s"):
        k3s_source.choose("k3s", "auto")
    assert k3s_source.choose("k3s", "stand-in") is None
    place = tmp_path / "usr/local/bin/k3s"
    place.parent.mkdir(parents=True)
    place.touch()
    assert k3s_source.choose("k3s", "auto") == tmp_path.resolve()


def test_units_as_the_installers_write_them() -> None:
    k3s = units.files("k3s", "k3s-agent", "agent", {})["etc/systemd/system/k3s-agent.service"]
    for line in (
        "Type=notify",
        "KillMode=process",
        "Delegate=yes",
        "TimeoutStartSec=0",
        "Restart=always",
        "RestartSec=5s",
    ):
        assert line in k3s.splitlines()
    rke2 = units.files("rke2", "rke2-server", "server", {})["usr/local/lib/systemd/system/rke2-server.service"]
    assert "ExecStart=/usr/local/bin/rke2 server" in rke2.splitlines()
    assert next(line for line in rke2.splitlines() if line.startswith("ExecStopPost=")).endswith('kill"')


def test_flags_go_to_exec_start_and_where_to_join_to_the_environment() -> None:
    found = units.files("k3s", "k3s-edge", "agent", {"K3S_URL": "https://10.0.0.1:7443"}, ["--data-dir=/srv/k3s"])
    unit = found["etc/systemd/system/k3s-edge.service"]
    assert "ExecStart=/usr/local/bin/k3s \\\n    agent \\\n\t'--data-dir=/srv/k3s' \\\n\n" in unit
    assert "EnvironmentFile=-/etc/systemd/system/k3s-edge.service.env" in unit
    assert found["etc/systemd/system/k3s-edge.service.env"] == "K3S_URL='https://10.0.0.1:7443'\n"
    rke2 = units.files("rke2", "rke2-agent", "agent", {}, ["--debug"])
    assert "ExecStart=/usr/local/bin/rke2 agent --debug\n" in rke2["usr/local/lib/systemd/system/rke2-agent.service"]


def test_cluster_s_certificates_are_for_whom_k3s_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fleet, "folder", tmp_path)
    cluster_pki.make(tmp_path / "pki")
    cluster = fleet()
    server, agent = [cluster_pki.of_node(cluster, node) for node in cluster.nodes]
    assert not any(path.startswith("server/") for path in agent)
    found = {path: load_pem_x509_certificate(server[path]) for path in server if path.endswith(".crt")}
    issued = {
        "agent/client-kubelet": ("O=system:nodes,CN=system:node:server-1", "server/tls/client-ca"),
        "agent/client-k3s-controller": ("CN=system:k3s-controller", "server/tls/client-ca"),
        "server/tls/client-admin": ("O=system:masters,CN=system:admin", "server/tls/client-ca"),
        "server/tls/serving-kube-apiserver": ("CN=kube-apiserver", "server/tls/server-ca"),
        "server/tls/etcd/client": ("CN=etcd-client", "server/tls/etcd/server-ca"),
        "server/tls/etcd/server-client": ("CN=etcd-server", "server/tls/etcd/server-ca"),
        "server/tls/etcd/peer-server-client": ("CN=etcd-peer", "server/tls/etcd/peer-ca"),
    }
    for name, (subject, ca) in issued.items():
        certificate = found[name + ".crt"]
        certificate.verify_directly_issued_by(found[ca + ".crt"])
        assert ",".join(part.rfc4514_string() for part in certificate.subject.rdns) == subject
    # etcd's gateway calls its own port, with the certificate that it has as a server.
    usage = found["server/tls/etcd/server-client.crt"].extensions.get_extension_for_class(ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


def test_archive_makes_each_folder_once_and_keeps_modes_and_owners() -> None:
    archive = Archive()
    archive.folder("home/fleet/.ssh", 0o700, 1000)
    archive.file("home/fleet/.ssh/authorized_keys", "key\n", 0o600, 1000)
    archive.link("usr/local/bin/kubectl", "k3s")
    with tarfile.open(fileobj=io.BytesIO(archive.content())) as found:
        names = found.getnames()
        assert len(names) == len(set(names))
        keys = found.getmember("home/fleet/.ssh/authorized_keys")
        assert (keys.mode, keys.uid) == (0o600, 1000)
        assert found.getmember("home/fleet/.ssh").mode == 0o700
        assert found.getmember("usr/local/bin/kubectl").linkname == "k3s"


def test_an_archive_ends_with_its_end_mark() -> None:
    """Whoever unpacks it stops there, and whoever writes the rest finds nobody who reads."""
    archive = Archive()
    archive.file("etc/hostname", "server-1\n")
    content = archive.content()
    with tarfile.open(fileobj=io.BytesIO(content)) as found:
        assert found.getnames() == ["etc", "etc/hostname"]
    blocks = [content[at : at + tarfile.BLOCKSIZE] for at in range(0, len(content), tarfile.BLOCKSIZE)]
    assert [block == bytes(tarfile.BLOCKSIZE) for block in blocks[-3:]] == [False, True, True]


def test_the_images_program_starts_and_stays(tmp_path: Path) -> None:
    import platform
    import subprocess

    if platform.machine() != "x86_64":
        pytest.skip("the program for this machine's architecture is not tried")
    program = tmp_path / "pause"
    program.write_bytes(contents.program("amd64"))
    program.chmod(0o755)
    child = subprocess.Popen([str(program)])
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.2)
    finally:
        child.kill()
        child.wait()


def _proc(folder: Path, limit: int, in_use: int) -> Path:
    sysctl = folder / "sys/fs/inotify/max_user_instances"
    sysctl.parent.mkdir(parents=True)
    sysctl.write_text("%d\n" % limit)
    descriptors = folder / "1/fd"
    descriptors.mkdir(parents=True)
    for number in range(in_use):
        (descriptors / str(number)).symlink_to("anon_inode:inotify")
    (descriptors / "x").symlink_to("/dev/null")
    return folder


def test_room_that_the_host_has_is_left_as_it_is(tmp_path: Path) -> None:
    proc = _proc(tmp_path / "enough", 128, in_use=2)
    limits.ensure(18, proc)
    assert _limit(proc) == 128
    limits.ensure(18, tmp_path / "no proc")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("cpu/libpod_parent/cpu.shares", "1024\n", "8192\n"),
        ("cpu/libpod_parent/cpu.shares", "9000\n", "9000\n"),
        ("libpod_parent/cpu.weight", "100\n", "800\n"),
    ],
)
def test_nodes_are_not_starved_by_what_else_runs(tmp_path: Path, name: str, before: str, after: str) -> None:
    setting = tmp_path / name
    setting.parent.mkdir(parents=True)
    setting.write_text(before, encoding="ascii")
    limits.share_processor(tmp_path)
    assert setting.read_text(encoding="ascii") == after
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [setting]


def test_room_that_the_host_lacks_is_made_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proc = _proc(tmp_path / "short", 128, in_use=3)
    limits.ensure(18, proc)
    assert _limit(proc) == 1024
    said = "a fleet of 18 nodes needs fs.inotify.max_user_instances of 129, this host has 128: set to 1024"
    assert said in capsys.readouterr().err
    limits.ensure(200, proc)
    assert _limit(proc) == 2 * (3 + 200 * 7)


def test_who_may_not_make_room_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proc = _proc(tmp_path / "short", 128, in_use=3)

    def refuse(*_arguments: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(FleetError, match=r"of 129, .* has 128; as root on the host: sysctl -w fs\.inotify\..*=1024"):
        limits.ensure(18, proc)


def _limit(proc: Path) -> int:
    return int((proc / "sys/fs/inotify/max_user_instances").read_text())


def test_a_fleet_that_is_there_is_not_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "_existing", lambda name: fleet(servers=3))
    monkeypatch.setattr(up, "_resume", lambda found: found)
    assert up.up("f", 3, 1, "k3s", "auto", 40).name == "f"
    for asked in [(1, 1, "k3s", "auto", 40), (3, 1, "rke2", "auto", 40), (3, 1, "k3s", "auto", 40, "openrc")]:
        with pytest.raises(FleetError, match="is there with 3 servers and 1 agents of k3s under systemd; `down f`"):
            up.up("f", *asked)  # type: ignore[arg-type]


def test_a_fleet_with_another_containerd_is_not_taken_for_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "FLEETS", tmp_path)
    made = fleet()
    made.k3s, made.containerd, made.init = "stand-in", "v2.2.9", "openrc"
    made.save()
    assert state.load("f") == made
    monkeypatch.setattr(up, "_existing", state.load)
    monkeypatch.setattr(up, "_resume", lambda found: found)
    asked = (1, 1, "k3s", "stand-in", 40, "openrc")
    assert up.up("f", *asked, "v2.2.9").containerd == "v2.2.9"
    with pytest.raises(FleetError, match=r"with containerd v2\.2\.9, asked for is Debian's; `down f` first"):
        up.up("f", *asked)


def _go(folder: Path, checksum: str, says: str) -> str:
    """A Go that downloads and builds nothing, and writes down what it was asked."""
    (folder / "built").write_text("#!/bin/sh\necho containerd github.com/containerd/containerd/v2 %s\n" % says)
    script = """#!/bin/sh
echo "$@" >> %(folder)s/asked
case $1 in
mod) echo '{"Sum": "%(checksum)s"}' ;;
install) mkdir -p "$GOBIN"; cp %(folder)s/built "$GOBIN/containerd"; chmod 755 "$GOBIN/containerd" ;;
esac
"""
    (folder / "go").write_text(script % {"folder": folder, "checksum": checksum})
    (folder / "go").chmod(0o755)
    return "%s:%s" % (folder, os.environ["PATH"])


def test_containerd_is_built_once_from_the_module_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = containerd_source.RECENT
    monkeypatch.setenv("CONTAINERD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", _go(tmp_path, containerd_source.SUMS[version], version.lstrip("v")))
    for _unused in range(2):
        program = containerd_source.ensure(version)
        assert program == containerd_source.path(version)
        assert program.stat().st_mode & 0o111
    module = "github.com/containerd/containerd/v2"
    assert (tmp_path / "asked").read_text().splitlines() == [
        "mod download -json %s@%s" % (module, version), "install %s/cmd/containerd@%s" % (module, version),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "checksum", "says", "why"),
    [
        ("v0.0.1", "", "", "no containerd 'v0.0.1'; there are v2"),
        (containerd_source.RECENT, "h1:other", "2.2.9", "has the checksum h1:other, expected is h1:"),
        (containerd_source.RECENT, "", "9.9.9", "says that it is containerd .* 9.9.9"),
    ],
)
def test_another_containerd_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, checksum: str, says: str, why: str
) -> None:
    monkeypatch.setenv("CONTAINERD_CACHE", str(tmp_path / "cache"))
    checksum = checksum or containerd_source.SUMS[containerd_source.RECENT]
    monkeypatch.setenv("PATH", _go(tmp_path, checksum, says))
    with pytest.raises(FleetError, match=why):
        containerd_source.ensure(version)
    assert not containerd_source.path(version).exists()


def test_users_of_the_registry_change_without_a_password_in_an_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "FLEETS", tmp_path)
    asked: list[list[str]] = []
    monkeypatch.setattr(registry, "run", lambda command, stdin: asked.append(command))
    made = fleet()
    made.save()
    (made.folder / "registry").mkdir()
    registry.set_users(made, {"robot": "new canary", "other": "x"})
    assert state.load("f").registry.password == "new canary"
    users = made.folder / "registry" / "users.json"
    assert json.loads(users.read_text()) == {"robot": "new canary", "other": "x"}
    assert users.stat().st_mode & 0o777 == 0o600
    assert "canary" not in " ".join(asked[0])


def _podman_has(monkeypatch: pytest.MonkeyPatch, **kinds: list[dict[str, object]]) -> None:
    def answer(*words: str, **_more: object) -> SimpleNamespace:
        return SimpleNamespace(stdout=json.dumps(kinds.get(words[0], [])))

    monkeypatch.setattr(podman, "podman", answer)


def test_what_is_left_of_a_fleet_without_containers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {podman.FLEET_LABEL: "f", podman.CHECKOUT_LABEL: "/src/other"}
    ours = {podman.FLEET_LABEL: "f", podman.CHECKOUT_LABEL: str(podman.CHECKOUT)}
    volumes = [{"Name": name, "Labels": theirs} for name in ("f-server-1-kubelet", "f-server-1-rancher")]
    volumes.append({"Name": "f-agent-1-rancher", "Labels": ours})
    networks = [{"name": "f", "labels": theirs}, {"name": "podman"}]
    _podman_has(monkeypatch, volume=volumes, network=networks)
    with pytest.raises(FleetError) as refusal:
        podman.refuse_what_others_have("f")
    assert str(refusal.value) == (
        "podman has no containers of fleet f (/src/other), but still its volumes f-server-1-kubelet, f-server-1-rancher"
        " and network f. To remove them: podman volume rm f-server-1-kubelet f-server-1-rancher && podman network rm f."
        " Or use another name"
    )
    _podman_has(monkeypatch, ps=[{"Names": ["f-server-1"], "Labels": theirs}], volume=volumes, network=networks)
    with pytest.raises(FleetError, match="fleet f is another checkout's .*down f` there"):
        podman.refuse_what_others_have("f")


def test_a_network_of_nobody_s_that_has_the_fleet_s_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _podman_has(monkeypatch, network=[{"name": "f", "labels": None}])
    with pytest.raises(FleetError, match="somebody else.*podman network rm f"):
        podman.refuse_what_others_have("f")
    podman.refuse_what_others_have("g")
