# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at the servers of this server's cluster: who they are, and what each answers by itself, now.

Who they are comes from etcd's list of members and from the addresses of the service ``default/kubernetes``, not from
labels or conditions of Nodes: a server with ``--disable-agent`` has no Node, an etcd-only one no API, and a condition
says for some 40 s that a server is well which has lost its power. The address of a dead API stays in the service for
some 15 s, a dead member in etcd's list until somebody removes it.
"""

from __future__ import annotations

import concurrent.futures
import re
import socket
import ssl
from typing import Any, NamedTuple, Tuple

from . import admin, etcd, kubernetes
from .paths import NodePaths
from .quorum import Own, Server, View

_SECONDS = 3.0
"""For each question. A server that takes longer has not answered."""
_AT_ONCE = 16

_LOOPBACK = ("127.0.0.1", "::1")
_ENDPOINTS = "/api/v1/namespaces/default/endpoints/kubernetes"
_NODES = "/api/v1/nodes?labelSelector=node-role.kubernetes.io/control-plane%3Dtrue"
# K3s names a member after its node, with a part of its own.
_PART_OF_ITS_OWN = re.compile(r"-[0-9a-f]{8}$")
_NO_API = "apiserver disabled"

Address = Tuple[str, int]


class _Etcd(NamedTuple):
    """etcd as this server sees it. ``own`` is the name of its member, ``context`` asks the others.

    ``problem``: why the members are not known, "" when they are, or when there is no embedded etcd.
    """

    own: str = ""
    members: tuple[etcd.Member, ...] = ()
    cluster: int = 0
    context: ssl.SSLContext | None = None
    problem: str = ""


class _API(NamedTuple):
    """A server by its API: its name, its member's in etcd, and where its API may listen."""

    name: str
    member: etcd.Member | None
    addresses: list[Address]


def look(paths: NodePaths, supervisor: int) -> View:
    """Ask them all, at once.

    :param supervisor: the port of this server's supervisor, and of all others'.
    """
    name = kubernetes.node_name(paths)
    try:
        found = admin.credentials(paths)
    except admin.NoCredentials as none:
        return View(Own(name, True, True), (), 0, "the other servers of %s cannot be asked: %s" % (name, none))
    seen = _etcd(paths, found, supervisor)
    own = next((member for member in seen.members if member.name == seen.own), None)
    serves = admin.get(found, found.address, "/readyz", _SECONDS).status == 200
    # If its etcd may run and does not say who votes, this server may be a voter.
    votes = bool(seen.problem) if own is None else not own.learner
    view = View(Own(name, votes, serves), (), sum(1 for member in seen.members if not member.learner), seen.problem)
    if seen.problem or not (votes or serves):
        return view
    servers = {member.name or str(member.ident): _of(member, found) for member in seen.members if member is not own}
    if serves:
        problem = _add_apis(found, servers, name, own)
        if problem:
            return view._replace(problem=problem)
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        return view._replace(
            servers=tuple(pool.map(lambda server: _ask(found, seen, server, supervisor), servers.values()))
        )


def _etcd(paths: NodePaths, found: admin.Credentials, supervisor: int) -> _Etcd:
    """The members, from this server's own etcd, or from its supervisor if it has none but its cluster does."""
    own, problem = etcd.own_name(paths), ""
    try:
        context: ssl.SSLContext | None = etcd.tls(paths)
    except OSError:
        context = None
    for host in _LOOPBACK:
        if not own or context is None:
            break
        try:
            return _own_etcd(own, (host, etcd.CLIENT_PORT), context)
        except OSError as error:
            # Of a server that takes part in etcd, its own port refuses only while its etcd is not there.
            if not isinstance(error, ConnectionRefusedError) and host == _LOOPBACK[0]:
                problem = "this server's own etcd does not answer: %s" % admin.reason_of(error)
    answer = admin.get(found, (found.address[0], supervisor), "/db/info", _SECONDS)
    listed = answer.json()
    if isinstance(listed, dict) and isinstance(listed.get("members"), list):
        return _Etcd("", tuple(_listed(item) for item in listed["members"]), 0, context)
    if not problem and answer.status == 500 and "etcd" in answer.text:
        problem = "the cluster's etcd does not answer"
    return _Etcd(own, (), 0, context, problem)


def _own_etcd(own: str, address: Address, context: ssl.SSLContext) -> _Etcd:
    members = tuple(etcd.members(address, context, _SECONDS))
    return _Etcd(own, members, etcd.status(address, context, _SECONDS).cluster, context)


def _listed(item: dict[str, Any]) -> etcd.Member:
    urls = [str(url) for url in item.get("clientURLs") or []]
    name = str(item.get("name") or "")
    return etcd.Member(int(item.get("ID") or 0), name, etcd.address_of(urls), bool(item.get("isLearner")))


def _of(member: etcd.Member, found: admin.Credentials) -> _API:
    """A member's server: its API listens where its etcd does, on the same port as ours."""
    name = _PART_OF_ITS_OWN.sub("", member.name) or "etcd's member %x" % member.ident
    return _API(name, member, [(member.address[0], found.address[1])] if member.address[0] else [])


def _add_apis(found: admin.Credentials, servers: dict[str, _API], own_name: str, own: etcd.Member | None) -> str:
    """Add the addresses of the service ``default/kubernetes`` to the servers they belong to, and those of servers that
    are not in etcd. A server may have its API at another address than its etcd: its Node has both.

    :returns: why they are not known, "" when they are.
    """
    answer = admin.get(found, found.address, _ENDPOINTS, _SECONDS)
    addresses = _addresses(answer.json())
    if not addresses:
        reason = answer.text if not answer.status else "HTTP %d" % answer.status
        return "this server's API does not say which others there are: %s" % reason
    owners = _owners(admin.get(found, found.address, _NODES, _SECONDS).json())
    by_name = {server.name: server for server in servers.values()}
    by_host = {server.member.address[0]: server for server in servers.values() if server.member}
    for address in addresses:
        owner = owners.get(address[0], "")
        if owner == own_name or (own is not None and address[0] == own.address[0]) or _is_here(address[0]):
            continue
        server = by_host.get(address[0]) or by_name.get(owner)
        if server is None:
            server = _API(owner or "the API at %s:%d" % address, None, [])
            by_name[server.name] = servers[server.name] = server
        if address not in server.addresses:
            server.addresses.append(address)
    return ""


def _addresses(endpoints: Any) -> list[Address]:
    found = []
    for subset in (endpoints.get("subsets") if isinstance(endpoints, dict) else None) or []:
        for port in subset.get("ports") or []:
            # An API that is going away is named among those that are not ready.
            for item in (subset.get("addresses") or []) + (subset.get("notReadyAddresses") or []):
                found.append((str(item.get("ip")), int(port.get("port") or 0)))
    return found


def _owners(nodes: Any) -> dict[str, str]:
    """Addresses to the names of the Nodes that have them."""
    found = {}
    for node in (nodes.get("items") if isinstance(nodes, dict) else None) or []:
        for item in (node.get("status") or {}).get("addresses") or []:
            found[str(item.get("address"))] = str((node.get("metadata") or {}).get("name"))
    return found


def _is_here(host: str) -> bool:
    """Whether an address is one of this machine's."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _ask(found: admin.Credentials, seen: _Etcd, server: _API, supervisor: int) -> Server:
    member = server.member
    wrong = _etcd_of(seen, member) if member is not None else ""
    # A server that is not well anyway need not be asked for more: it may have lost its power, and takes its time.
    api, serves = _api_of(found, server, supervisor) if not wrong else ("", True)
    voter = member is not None and not member.learner
    return Server(server.name, member.name if member else "", voter, wrong, api, serves)


def _etcd_of(seen: _Etcd, member: etcd.Member) -> str:
    """What is wrong with this member, "" when it is well."""
    if not member.address[0] or seen.context is None:
        return "its etcd has not started yet" if seen.context else "its etcd cannot be asked without a certificate"
    try:
        status = etcd.status(member.address, seen.context, _SECONDS)
    except OSError as problem:
        return "its etcd does not answer: %s" % admin.reason_of(problem)
    if status.member != member.ident or (seen.cluster and status.cluster != seen.cluster):
        return "another etcd answers in its place"
    if not status.leader:
        return "its etcd has no leader"
    return "its etcd says: %s" % ", ".join(status.errors) if status.errors else ""


def _api_of(found: admin.Credentials, server: _API, supervisor: int) -> tuple[str, bool]:
    """What is wrong with its API, "" when it is ready; and whether it is meant to serve one."""
    answers = []
    for address in server.addresses:
        answer = admin.get(found, address, "/readyz", _SECONDS)
        if answer.status == 200:
            return "", True
        answers.append(answer)
        if not answer.status and supervisor != address[1]:
            # RKE2's supervisor has a port of its own, where it says that its server serves no API.
            answers.append(admin.get(found, (address[0], supervisor), "/readyz", _SECONDS))
    if any(answer.status == 503 and _NO_API in answer.text for answer in answers):
        return "", False
    if not answers:
        return "its API has no address", True
    first = answers[0]
    return "its API does not answer: " + first.text if not first.status else "its API is not ready", True
