# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked, and under which of the two configurations: questions with one answer are asked once."""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import Any, Iterator, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import CredentialsError, NodeHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import Target
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import Host

NO_LOGIN = ("", None)


class Side(NamedTuple):
    """A configuration: the one that is in force, or the new one.

    :ivar files: what certificates and keys of the new one will hold, by path, where that is not what is there. They are
        never written for this.
    """

    node: NodeHosts
    files: Mapping[str, bytes] = MappingProxyType({})

    def access(self, host: Host) -> Any:
        """Equal where a host is asked with the same settings, certificates and credentials."""
        return (self._server(host), self.login(host))

    def key(self, target: Target) -> Any:
        """Equal for questions with the same answer."""
        return (target.key, self.access(host_of(target)))

    def same_but_for_the_login(self, target: Target) -> Any:
        """Equal for questions that differ in nothing but the login."""
        image = target.image.text if target.image is not None else ""
        return (target.url, image, target.problem, self._server(host_of(target)))

    def login(self, host: Host) -> Any:
        """What a host is told of who asks: the header that hosts.toml has for it, and credentials."""
        try:
            return (host.header, self.node.credentials(host.host))
        except CredentialsError:
            return (host.header, "unusable")

    def _server(self, host: Host) -> Any:
        return (host.scheme, host.host, _settings(host), tuple(self._contents(host)))

    def _contents(self, host: Host) -> Iterator[str]:
        pairs = [path for pair in host.tls.get("client_pairs", ()) for path in pair]
        for path in [*host.tls.get("ca_files", ()), *pairs]:
            yield hashlib.sha256(self.files[path]).hexdigest() if path in self.files else ""


class Question(NamedTuple):
    """``content``: whether what the manifest names is looked for, too, and not only the manifest."""

    side: Side
    target: Target
    content: bool

    @property
    def key(self) -> Any:
        return self.side.key(self.target)

    @property
    def host(self) -> Host:
        return host_of(self.target)


def host_of(target: Target) -> Host:
    """The host of a target that has one."""
    if target.host is None:
        raise AssertionError("targets without a host are not asked")
    return target.host


def _settings(host: Host) -> Any:
    return tuple(sorted((name, repr(value)) for name, value in host.tls.items()))
