# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which endpoints' credentials change, and which headers in which hosts.toml bring that into force. Pure.

What counts is what containerd has: the credentials that it read from config.toml at its start, whatever has come into
force without a restart since. So a change while another one still waits for K3s' next start is worked out as if it were
the first.
"""

from __future__ import annotations

import os
from typing import Dict, Iterator, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.hosts_file import RegistryHosts, hosts_from
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import (
    Credentials,
    CredentialsError,
    NodeHosts,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.challenge import basic_header
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD, WILDCARD_DIRECTORY
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import Host, directory_for
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys

from . import doubts
from .doubts import Doubt
from .header import (
    DEFAULT,
    Headers,
    NoPlace,
    with_headers,
)

Tables = Mapping[str, Mapping[str, str]]
"""Credentials by key of ``configs``, as config.toml has them."""

AllHeaders = Dict[str, Headers]
"""Headers by the directory below certs.d."""


class TextHosts(NodeHosts):
    """The hosts that containerd asks with these hosts.toml texts, by directory, and these credentials."""

    def __init__(self, texts: Mapping[str, str], auth: Tables, certs_d: str = "/certs.d") -> None:
        self._texts = texts
        super().__init__(certs_d, auth)

    def _directories(self) -> list[str]:
        return sorted(self._texts)

    def _read(self, directory: str, registry: str) -> RegistryHosts:
        content = self._texts[directory].encode("utf-8", "surrogateescape")
        return hosts_from(content, os.path.join(self._certs_d, directory), registry)


class Reach(NamedTuple):
    """Registries, as images name them, whose images containerd requests from a host whose credentials change:
    ``registries``, and if ``others`` is set, every one that is not in ``known``."""

    registries: tuple[str, ...] = ()
    others: bool = False
    known: tuple[str, ...] = ()

    def covers(self, registry: str) -> bool:
        """Whether an image of this registry is asked for at such a host."""
        return registry in self.registries or (self.others and registry not in self.known)


class Changes(NamedTuple):
    """``keys`` of ``configs`` that differ from what containerd has; ``hosts`` whose endpoints get a header, to
    its value; the ``headers`` by directory; the ``doubts`` for which there must be none."""

    keys: tuple[str, ...]
    hosts: dict[str, str]
    headers: AllHeaders
    doubts: tuple[Doubt, ...]
    reach: Reach


def changes(texts: Mapping[str, str], loaded: Tables, wanted: Tables) -> Changes:
    """What it takes to bring credentials into force that containerd does not have.

    :param texts: the hosts.toml texts that K3s will write, by directory.
    :param loaded: the credentials in config.toml.
    :param wanted: those of the configuration.
    """
    keys = tuple(sorted(key for key in {*loaded, *wanted} if loaded.get(key) != wanted.get(key)))
    if not keys:
        return Changes((), {}, {}, (), Reach())
    node = TextHosts(texts, wanted)
    headers: AllHeaders = {}
    found: dict[Doubt, None] = {}
    hosts: dict[str, str] = {}
    for directory in node.directories:
        registry = WILDCARD if directory == WILDCARD_DIRECTORY else directory
        read = node.hosts(registry)
        if read.error:
            found[Doubt(doubts.UNREADABLE, directory)] = None
            continue
        for host in read.hosts:
            if not _changes(host, loaded, wanted) or (host.default and registry == WILDCARD):
                continue
            try:
                value = _value(host, node)
            except _Doubtful as doubtful:
                found[doubtful.doubt] = None
                continue
            headers.setdefault(directory, {})[DEFAULT if host.default else host.url] = value
            hosts[host.host] = value
    for doubt in (*_left_out(keys, hosts, texts, headers, node), *_without_a_place(texts, headers)):
        found[doubt] = None
    reached = [name for name in headers if name != WILDCARD_DIRECTORY]
    reach = Reach(tuple(sorted(reached)), WILDCARD_DIRECTORY in headers, tuple(sorted(texts)))
    return Changes(keys, hosts, headers, tuple(found), reach)


def applied(texts: Mapping[str, str], headers: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The texts with these headers.

    :raises NoPlace: if a text has no table for one of them.
    """
    return {directory: with_headers(text, headers.get(directory, {})) for directory, text in texts.items()}


class _Doubtful(Exception):
    """There is no header that would do."""

    def __init__(self, name: str, about: str) -> None:
        super().__init__(name)
        self.doubt = Doubt(name, about)


def _changes(host: Host, loaded: Tables, wanted: Tables) -> bool:
    return _effective(host.host, loaded) != _effective(host.host, wanted)


def _effective(host: str, tables: Tables) -> Mapping[str, str] | None:
    """The table that containerd takes for a host."""
    return next((tables[key] for key in credential_keys(host) if key in tables), None)


def _value(host: Host, node: NodeHosts) -> str:
    """The value of ``Authorization`` for a host.

    :raises _Doubtful: if a restart is needed instead.
    """
    try:
        credentials: Credentials | None = node.credentials(host.host)
    except CredentialsError:
        raise _Doubtful(doubts.UNUSABLE, host.host) from None
    if credentials is None:
        known = any(key in node.auth for key in credential_keys(host.host))
        raise _Doubtful(doubts.UNUSABLE if known else doubts.REMOVED, host.host)
    if not credentials.username:
        raise _Doubtful(doubts.REFRESH_ONLY, host.host)
    if not credentials.secret:
        raise _Doubtful(doubts.UNUSABLE, host.host)
    if host.scheme != "https":
        raise _Doubtful(doubts.CLEAR, host.url)
    return basic_header(credentials.username, credentials.secret)


def _left_out(
    keys: tuple[str, ...], hosts: Mapping[str, str], texts: Mapping[str, str], headers: AllHeaders, node: NodeHosts
) -> Iterator[Doubt]:
    """Whatever containerd would still send the old credentials to, or not send the new ones to."""
    covered = {key for host in hosts for key in credential_keys(host)}
    for key in keys:
        if key not in covered:
            yield Doubt(doubts.UNNAMED if key in node.auth else doubts.REMOVED, key)
    for host in hosts:
        # An image may name the host itself as its registry, which then is its default endpoint.
        directory = directory_for(host, texts)
        own = headers.get(directory or "", {})
        reaches_itself = any(item.host == host for item in node.hosts(host).hosts)
        if reaches_itself and (directory in (None, WILDCARD_DIRECTORY) or not own):
            yield Doubt(doubts.UNNAMED, host)


def _without_a_place(texts: Mapping[str, str], headers: AllHeaders) -> Iterator[Doubt]:
    """An endpoint whose URL TOML reads otherwise than it is written."""
    for directory, wanted in headers.items():
        try:
            with_headers(texts[directory], wanted)
        except NoPlace:
            yield Doubt(doubts.UNREADABLE, directory)
