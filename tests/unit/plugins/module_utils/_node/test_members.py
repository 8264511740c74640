# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the servers of a cluster are and what each says of itself, asked of real TLS servers on loopback addresses."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import (
    admin,
    etcd,
    grpc_call,
    kubernetes,
    members,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.quorum import Server

from tests.unit.plugins.module_utils._node import fake_servers
from tests.unit.plugins.module_utils._node.fake_servers import API, Authority, Etcd, endpoints, member

_NOT_READY = (503, json.dumps({"kind": "Status", "message": "apiserver not ready", "code": 503}))
_DISABLED = (503, json.dumps({"kind": "Status", "message": "apiserver disabled", "code": 503}))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("k3s-server-ca")


class Cluster:
    """Three servers, of which the first, at 127.0.0.1, is this one. Each has an API, and an etcd on the same port of
    every address, as in a real cluster."""

    def __init__(self, paths: NodePaths, folder: Path, authority: Authority) -> None:
        self.paths, self.authority, self.folder = paths, authority, folder
        self.apis: list[API] = []
        self.etcds: list[Etcd] = []
        for number in (1, 2, 3):
            self.add(number)
        self.list_members(*(self.member(number) for number in (1, 2, 3)))
        self.list_apis(*(api.address for api in self.apis))
        self.write_files()

    def add(self, number: int) -> None:
        """At loopback addresses of their own, on the ports that the first has got."""
        host = "127.0.0.%d" % number
        ports = [server.address[1] for server in (self.apis[:1] + self.etcds[:1])] or [0, 0]
        folder = self.folder / str(number)
        folder.mkdir()
        self.apis.append(API(host, ports[0], fake_servers.server_context(folder, self.authority, False)))
        self.etcds.append(Etcd(host, ports[1], fake_servers.server_context(folder, self.authority, True), number))

    def member(self, number: int, **more: Any) -> bytes:
        url = "https://%s:%d" % self.etcds[number - 1].address
        return member(number, "server-%d-1a2b3c4d" % number, url, **more)

    def list_members(self, *listed: bytes) -> None:
        for server in self.etcds:
            server.members = list(listed)

    def list_apis(self, *addresses: tuple[str, int], nodes: str = "{}") -> None:
        for api in self.apis:
            api.answers["/api/v1/namespaces/default/endpoints/kubernetes"] = (200, endpoints(*addresses))
            api.answers["/api/v1/nodes"] = (200, nodes)

    def write_files(self) -> None:
        certificate, key = self.authority.pair("system:admin")
        folder = Path(self.paths.data_dir, "server")
        (folder / "db/etcd").mkdir(parents=True)
        (folder / "db/etcd/name").write_text("server-1-1a2b3c4d")
        (folder / "tls/etcd").mkdir(parents=True)
        for name, content in (("server-ca.crt", self.authority.pem), ("client.crt", certificate), ("client.key", key)):
            (folder / "tls/etcd" / name).write_bytes(content)
        self.write_kubeconfig(self.paths.admin_kubeconfig, self.apis[0].address[1], certificate, key)

    def write_kubeconfig(self, path: str, port: int, certificate: bytes, key: bytes) -> None:
        """In the form in which K3s writes it."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        values = [base64.b64encode(value).decode() for value in (self.authority.pem, certificate, key)]
        Path(path).write_text(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: %s\n"
            "    server: https://127.0.0.1:%d\n  name: default\ncontexts:\n- context:\n    cluster: default\n"
            "    user: default\n  name: default\ncurrent-context: default\nkind: Config\npreferences: {}\nusers:\n"
            "- name: default\n  user:\n    client-certificate-data: %s\n    client-key-data: %s\n"
            % (values[0], port, values[1], values[2])
        )

    def look(self) -> members.View:
        return members.look(self.paths, self.apis[0].address[1])

    def others(self) -> dict[str, Server]:
        view = self.look()
        assert view.problem == ""
        return {server.name: server for server in view.servers}


@pytest.fixture
def cluster(
    paths: NodePaths, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    made = Cluster(paths, tmp_path, authority)
    monkeypatch.setattr(etcd, "CLIENT_PORT", made.etcds[0].address[1])
    monkeypatch.setattr(members, "_LOOPBACK", ("127.0.0.1",))
    monkeypatch.setattr(members, "_SECONDS", 30.0)
    # All of 127/8 is this machine's.
    monkeypatch.setattr(members, "_is_here", lambda host: host == "127.0.0.1")
    monkeypatch.setattr(kubernetes, "node_name", lambda paths: "server-1")
    with fake_servers.stopped(*made.apis, *made.etcds):
        yield made


def test_all_are_well(cluster: Cluster) -> None:
    view = cluster.look()
    assert view.own == ("server-1", True, True)
    assert (view.voters, view.problem) == (3, "")
    assert view.servers == (
        Server("server-2", "server-2-1a2b3c4d", True),
        Server("server-3", "server-3-1a2b3c4d", True),
    )


def test_a_member_that_is_gone_silent_or_without_a_leader_is_not_well(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "_SECONDS", 4.0)
    cluster.etcds[1].stop()
    cluster.etcds[2].silent = True
    seen = cluster.others()
    assert seen["server-2"].etcd == "its etcd does not answer: Connection refused"
    assert seen["server-3"].etcd == "its etcd does not answer: no answer in time"
    cluster.etcds[2].silent = False
    cluster.etcds[2].leader = 0
    assert cluster.others()["server-3"].etcd == "its etcd has no leader"
    cluster.etcds[2].leader = 1
    cluster.etcds[2].errors = ["memberID:3 alarm:NOSPACE "]
    assert cluster.others()["server-3"].etcd.startswith("its etcd says: memberID:3 alarm:NOSPACE")
    cluster.etcds[2].errors = []
    cluster.etcds[2].ident = 7
    assert cluster.others()["server-3"].etcd == "another etcd answers in its place"


def test_an_api_that_is_not_ready_or_gone(cluster: Cluster) -> None:
    cluster.apis[1].answers["/readyz"] = _NOT_READY
    cluster.apis[2].stop()
    seen = cluster.others()
    assert (seen["server-2"].etcd, seen["server-2"].api) == ("", "its API is not ready")
    assert seen["server-3"].api == "its API does not answer: Connection refused"


def test_an_etcd_only_server_says_that_it_has_no_api(cluster: Cluster) -> None:
    cluster.apis[2].answers["/readyz"] = _DISABLED
    cluster.list_apis(*(api.address for api in cluster.apis[:2]))
    assert cluster.others()["server-3"] == Server("server-3", "server-3-1a2b3c4d", True, "", "", False)


def test_a_supervisor_with_a_port_of_its_own_says_that_there_is_no_api(cluster: Cluster) -> None:
    """RKE2: nothing listens on the API's port of an etcd-only server."""
    cluster.apis[2].stop()
    folder = cluster.folder / "supervisor"
    folder.mkdir()
    supervisor = API("127.0.0.3", 0, fake_servers.server_context(folder, cluster.authority, False))
    supervisor.answers["/readyz"] = _DISABLED
    with fake_servers.stopped(supervisor):
        view = members.look(cluster.paths, supervisor.address[1])
    assert view.servers[1] == Server("server-3", "server-3-1a2b3c4d", True, "", "", False)


def test_learners_have_no_vote_and_members_that_never_started_are_not_well(cluster: Cluster) -> None:
    cluster.list_members(
        cluster.member(1), cluster.member(2), cluster.member(3, learner=True), member(0xAB, "", ""),
    )  # fmt: skip
    view = cluster.look()
    assert view.voters == 3
    assert [server.voter for server in view.servers] == [True, False, True]
    assert view.servers[2][:4] == ("etcd's member ab", "", True, "its etcd has not started yet")


def test_an_own_member_that_is_a_learner_or_unknown_has_no_vote(cluster: Cluster) -> None:
    cluster.list_members(cluster.member(1, learner=True), cluster.member(2), cluster.member(3))
    assert cluster.look().own.votes is False
    cluster.list_members(cluster.member(2), cluster.member(3))
    view = cluster.look()
    assert (view.own.votes, view.voters) == (False, 2)


def test_a_control_plane_only_server_has_the_members_from_its_supervisor(cluster: Cluster) -> None:
    (Path(cluster.paths.data_dir) / "server/db/etcd/name").unlink()
    cluster.etcds[0].stop()
    listed = [
        {"ID": number, "name": "server-%d-1a2b3c4d" % number, "clientURLs": ["https://127.0.0.%d:%d" % (number, port)]}
        for number, port in ((2, cluster.etcds[1].address[1]), (3, cluster.etcds[2].address[1]))
    ]
    cluster.apis[0].answers["/db/info"] = (200, json.dumps({"members": listed}))
    view = cluster.look()
    assert (view.own.votes, view.own.api, view.voters) == (False, True, 2)
    assert [server.etcd for server in view.servers] == ["", ""]
    cluster.apis[0].answers["/db/info"] = (500, "failed to get etcd MemberList: context deadline exceeded")
    assert cluster.look().problem == "the cluster's etcd does not answer"


def test_without_embedded_etcd_the_others_are_the_apis(cluster: Cluster) -> None:
    (Path(cluster.paths.data_dir) / "server/db/etcd/name").unlink()
    cluster.apis[2].stop()
    view = cluster.look()
    assert (view.own.votes, view.own.api, view.voters, view.problem) == (False, True, 0, "")
    assert [(server.name, server.member, server.api) for server in view.servers] == [
        ("the API at 127.0.0.2:%d" % cluster.apis[1].address[1], "", ""),
        ("the API at 127.0.0.3:%d" % cluster.apis[2].address[1], "", "its API does not answer: Connection refused"),
    ]


def test_an_api_at_another_address_belongs_to_the_server_whose_node_has_it(cluster: Cluster) -> None:
    """--node-external-ip: the service has the outer addresses, etcd the inner ones, the Node both."""
    addresses = {"server-1": ["127.0.0.1", "192.0.2.1"], "server-2": ["127.0.0.2", "192.0.2.2"]}
    items = [
        {"metadata": {"name": name}, "status": {"addresses": [{"address": item} for item in found]}}
        for name, found in addresses.items()
    ]
    port = cluster.apis[0].address[1]
    cluster.list_apis(("192.0.2.1", port), ("192.0.2.2", port), ("127.0.0.3", port), nodes=json.dumps({"items": items}))
    assert sorted(cluster.others()) == ["server-2", "server-3"]


def test_an_own_api_that_does_not_name_the_others_is_a_problem(cluster: Cluster) -> None:
    cluster.apis[0].answers["/api/v1/namespaces/default/endpoints/kubernetes"] = (500, "etcdserver: request timed out")
    assert cluster.look().problem == "this server's API does not say which others there are: HTTP 500"


def test_an_own_etcd_that_takes_connections_and_says_nothing_may_still_vote(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "_SECONDS", 4.0)
    cluster.etcds[0].silent = True
    view = cluster.look()
    assert view.own.votes
    assert view.problem == "this server's own etcd does not answer: no answer in time"


def test_a_server_without_api_and_etcd_takes_nothing_away(cluster: Cluster) -> None:
    """A K3s that hangs on its registries.yaml has not started etcd yet."""
    cluster.etcds[0].stop()
    cluster.apis[0].answers.update({"/readyz": _NOT_READY, "/db/info": (404, "")})
    view = cluster.look()
    assert (view.own.votes, view.own.api) == (False, False)


def test_a_hanging_server_whose_etcd_is_there_asks_the_members_only(cluster: Cluster) -> None:
    cluster.apis[0].answers["/readyz"] = _NOT_READY
    view = cluster.look()
    assert (view.own.votes, view.own.api, len(view.servers)) == (True, False, 2)


def test_without_credentials_nobody_can_be_asked(cluster: Cluster) -> None:
    Path(cluster.paths.admin_kubeconfig).unlink()
    view = cluster.look()
    assert view.problem.startswith("the other servers of server-1 cannot be asked: ")
    assert cluster.paths.admin_kubeconfig in view.problem


def test_the_servers_own_kubeconfig_serves_where_the_other_is_not_written(cluster: Cluster) -> None:
    Path(cluster.paths.admin_kubeconfig).unlink()
    folder = Path(cluster.paths.data_dir, "server")
    certificate, key = cluster.authority.pair("system:admin")
    for name, content in (("client-admin.crt", certificate), ("client-admin.key", key)):
        (folder / "tls" / name).write_bytes(content)
    (folder / "cred").mkdir()
    (folder / "cred/admin.kubeconfig").write_text(
        "apiVersion: v1\nclusters:\n- cluster:\n    server: https://127.0.0.1:%d\n    certificate-authority: %s\n"
        "users:\n- name: user\n  user:\n    client-certificate: %s\n    client-key: %s\n"
        % (
            cluster.apis[0].address[1] + 1, folder / "tls/etcd/server-ca.crt", folder / "tls/client-admin.crt",
            folder / "tls/client-admin.key",
        )
    )  # fmt: skip
    assert cluster.look().own.api


def test_a_server_of_another_ca_is_not_believed(cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    cluster.apis[1].stop()
    host, port = cluster.apis[1].address
    stranger = API(host, port, fake_servers.server_context(folder, Authority("somebody else"), False))
    with fake_servers.stopped(stranger):
        assert "certificate" in cluster.others()["server-2"].api
        assert stranger.asked == []


def test_the_key_is_in_no_file(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    cluster.look()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 415 Unsupported Media Type\r\n\r\n",
        b"",
        struct.pack("!I", 4)[1:] + struct.pack("!BBI", 3, 0, 1) + b"\0\0\0\1",
        struct.pack("!I", 8)[1:] + struct.pack("!BBI", 7, 0, 0) + b"\0" * 8,
        struct.pack("!I", 9)[1:] + struct.pack("!BBI", 0, 1, 1) + b"\0\0\0\0\4\x0a\x7f\0\0",
        struct.pack("!I", 3)[1:] + struct.pack("!BBI", 0, 1, 1) + b"\0\0\0",
        struct.pack("!I", 0)[1:] + struct.pack("!BBI", 1, 5, 1),
        struct.pack("!I", 1)[1:] + struct.pack("!BBI", 0, 9, 1) + b"\xff",
    ],
)
def test_anything_but_an_answer_is_none(cluster: Cluster, raw: bytes) -> None:
    cluster.etcds[1].raw = raw
    assert cluster.others()["server-2"].etcd.startswith("its etcd does not answer: ")


@pytest.mark.parametrize(
    "text",
    [
        '{"clusters":[{"cluster":{"server":"https://[fd00::1]:7443","certificate-authority":"%s"}}],'
        '"users":[{"user":{"token":"abc"}}]}',
        "server: 'https://[fd00::1]:7443'\ncertificate-authority: \"%s\"\ntoken: abc\n",
    ],
)
def test_other_forms_of_a_kubeconfig(paths: NodePaths, tmp_path: Path, authority: Authority, text: str) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    Path(paths.admin_kubeconfig).parent.mkdir(parents=True, exist_ok=True)
    Path(paths.admin_kubeconfig).write_text(text % (tmp_path / "ca.crt"))
    found = admin.credentials(paths)
    assert (found.address, found.token) == (("fd00::1", 7443), "abc")


def test_a_method_that_etcd_does_not_have_is_refused(cluster: Cluster) -> None:
    context = etcd.tls(cluster.paths)
    with pytest.raises(grpc_call.NoAnswer, match="refused the call"):
        grpc_call.call(cluster.etcds[0].address, context, "/etcdserverpb.KV/Nothing", b"", 2.0)
