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


class Side(NamedTuple):
    """A configuration: the one that is in force, or the new one.

    :ivar files: what certificates and keys of the new one will hold, by path, where that is not what is there. They are
        never written for this.
    """

    node: NodeHosts
    files: Mapping[str, bytes] = MappingProxyType({})

    def access(self, host: Host) -> Any:
        """Equal where a host is asked with the same settings, certificates and credentials."""
        return (host.scheme, host.host, _settings(host), host.header, tuple(self._contents(host)), self._login(host))

    def key(self, target: Target) -> Any:
        """Equal for questions with the same answer."""
        return (target.key, self.access(_host_of(target)))

    def _login(self, host: Host) -> Any:
        try:
            return self.node.credentials(host.host)
        except CredentialsError:
            return "unusable"

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
        return _host_of(self.target)


def _host_of(target: Target) -> Host:
    if target.host is None:
        raise AssertionError("targets without a host are not asked")
    return target.host


def _settings(host: Host) -> Any:
    return tuple(sorted((name, repr(value)) for name, value in host.tls.items()))
