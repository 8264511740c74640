# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a member of K3s' embedded etcd, each by itself: who the members are, and how this one is.

A member answers both from what it knows, without asking the others, so it does while there is no quorum. RKE2's etcd
is a static pod with the same certificates on the same port.
"""

from __future__ import annotations

import os
import ssl
from typing import Iterator, NamedTuple
from urllib.parse import urlsplit

from . import grpc_call
from .paths import NodePaths

CLIENT_PORT = 2379
_MEMBER_LIST = "/etcdserverpb.Cluster/MemberList"
_STATUS = "/etcdserverpb.Maintenance/Status"


class Member(NamedTuple):
    """A member as etcd lists it. ``address`` is where it listens for clients, ("", 0) until it has started once."""

    ident: int
    name: str
    address: tuple[str, int]
    learner: bool


class Status(NamedTuple):
    """What a member says of itself. ``leader`` is 0 if it knows none; ``errors`` are etcd's alarms."""

    cluster: int
    member: int
    leader: int
    errors: tuple[str, ...]


def own_name(paths: NodePaths) -> str:
    """The name of this server's own member, ``<node name>-<8 hex digits>``; "" if it never had one.

    K3s writes the file before it starts etcd for the first time, and keeps the name for ever.
    """
    try:
        with open(os.path.join(paths.data_dir, "server", "db", "etcd", "name"), encoding="utf-8") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def tls(paths: NodePaths) -> ssl.SSLContext:
    """With the certificate that K3s' own API server shows to etcd. A control-plane-only server has it too.

    The peer has to show a certificate of etcd's own CA; whether it names the address is not asked, as in K3s.

    :raises OSError: if the files cannot be read.
    """
    folder = os.path.join(paths.data_dir, "server", "tls", "etcd")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(os.path.join(folder, "server-ca.crt"))
    context.load_cert_chain(os.path.join(folder, "client.crt"), os.path.join(folder, "client.key"))
    context.set_alpn_protocols(["h2"])
    return context


def members(address: tuple[str, int], context: ssl.SSLContext, timeout: float) -> list[Member]:
    """The members that the one at ``address`` knows of.

    :raises OSError: if it does not answer.
    """
    answer = grpc_call.call(address, context, _MEMBER_LIST, b"", timeout)
    return [_member(value) for number, value in _fields(answer) if number == 2 and isinstance(value, bytes)]


def status(address: tuple[str, int], context: ssl.SSLContext, timeout: float) -> Status:
    """How the member at ``address`` is.

    :raises OSError: if it does not answer.
    """
    cluster = member = leader = 0
    errors = []
    for number, value in _fields(grpc_call.call(address, context, _STATUS, b"", timeout)):
        if number == 1 and isinstance(value, bytes):
            header = dict(_fields(value))
            cluster, member = _number(header.get(1)), _number(header.get(2))
        elif number == 4:
            leader = _number(value)
        elif number == 8 and isinstance(value, bytes):
            errors.append(value.decode("utf-8", "replace"))
    return Status(cluster, member, leader, tuple(errors))


def address_of(urls: list[str]) -> tuple[str, int]:
    """Host and port of the first URL; ("", 0) for none."""
    for url in urls:
        try:
            parts = urlsplit(url)
            return parts.hostname or "", parts.port or CLIENT_PORT
        except ValueError:
            continue
    return "", 0


def _member(encoded: bytes) -> Member:
    ident, name, learner = 0, "", False
    urls = []
    for number, value in _fields(encoded):
        if number == 1:
            ident = _number(value)
        elif number == 2 and isinstance(value, bytes):
            name = value.decode("utf-8", "replace")
        elif number == 4 and isinstance(value, bytes):
            urls.append(value.decode("utf-8", "replace"))
        elif number == 5:
            learner = bool(value)
    return Member(ident, name, address_of(urls), learner)


def _number(value: int | bytes | None) -> int:
    return value if isinstance(value, int) else 0


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: numbers, and bytes for anything that has a length.

    :raises grpc_call.NoAnswer: if it is no such message.
    """
    place = 0
    try:
        while place < len(message):
            key, place = _varint(message, place)
            number, kind = key >> 3, key & 7
            if kind == 0:
                value, place = _varint(message, place)
                yield number, value
            elif kind == 2:
                length, place = _varint(message, place)
                if place + length > len(message):
                    raise IndexError
                yield number, message[place : place + length]
                place += length
            elif kind in (1, 5):
                place += 8 if kind == 1 else 4
            else:
                raise IndexError
    except IndexError:
        raise grpc_call.NoAnswer("it answers with something that etcd does not say") from None


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place += 1
        shift += 7
        if byte < 0x80:
            return value, place
