# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a registry with what the kubelet would hand containerd for a pull, from a credential provider.

containerd sends that to every host of an image's attempts. Here it goes to the registry itself alone, or where the node
has these very credentials for anyway; where containerd would give it to others, too, a finding says so. A registry for
which the node has no credentials of its own is probed with it, as pods have no other way in.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import Host
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

from .endpoint_checks import api_url
from .node_hosts import Credentials, CredentialsError, NodeHosts
from .run import Prober
from .targets import Target

_REFUSED = ("unauthorized", "forbidden", "token_refused")
_FIX_REFUSED = "See what the identity that the provider uses on this node may do at the registry."

Given = Callable[[str, str], "tuple[str, str] | None"]
"""The user and password that a provider has given for a registry and an image of it ("" for any), None if none has."""


class _Handed(NodeHosts):
    """The hosts of a node, with one credential for one of them instead of those of its configuration."""

    def __init__(self, node: NodeHosts, host: str, credentials: Credentials) -> None:
        vars(self).update(vars(node))
        self._host, self._credentials = host, credentials

    def credentials(self, host: str) -> Credentials | None:
        return self._credentials if host == self._host else None


def ask_registry(
    node: NodeHosts, environment: Mapping[str, str], timeout: float, image: str, username: str, password: str
) -> dict[str, Any]:
    """What an image's registry says to a user with a password.

    :param environment: of the node's containerd.
    :param image: its full name without tag and digest.
    :returns: ``cause`` (``ok``), ``message``, ``fix`` and ``findings``, sentences about others that containerd tells.
    """
    try:
        registry = parse_image(image).registry
    except ImageError as error:
        return {"cause": "not_asked", "message": str(error), "fix": "", "findings": []}
    found = node.hosts(registry)
    own = _own(found.hosts, registry) or _known(node, found.hosts, username, password)
    if own is None:
        reason = found.error or "containerd does not ask %s itself, only its mirrors" % registry
        return {"cause": "not_asked", "message": "its answer is good; %s" % reason, "fix": "", "findings": []}
    credentials = Credentials(username, password, own.host)
    prober = Prober(_Handed(node, own.host, credentials), environment, timeout, False)
    (said,) = prober.results([Target(registry, "default", own, api_url(own))])
    others = sorted({host.host for host in found.hosts if host.host != own.host})
    findings = [
        "containerd sends what it gives for %s to %s as well, which is asked for the same images" % (registry, other)
        for other in others
    ]
    fix = _FIX_REFUSED if said["cause"] in _REFUSED else said["fix"]
    return {"cause": said["cause"], "message": said["message"], "fix": fix, "findings": findings}


def results(
    node: NodeHosts,
    environment: Mapping[str, str],
    timeout: float,
    content: bool,
    targets: Sequence[Target],
    given: Given,
) -> list[dict[str, Any]]:
    """What targets answer, in order: a registry itself that the node has no credentials for to what a provider gives.

    :param environment: of the node's containerd.
    """
    groups: dict[Credentials | None, list[int]] = {}
    for index, target in enumerate(targets):
        groups.setdefault(_handed(node, target, given), []).append(index)
    found: list[dict[str, Any]] = [{} for _target in targets]
    for credentials, indexes in groups.items():
        hosts = _Handed(node, credentials.key, credentials) if credentials is not None else node
        said = Prober(hosts, environment, timeout, content).results([targets[index] for index in indexes])
        for index, result in zip(indexes, said):
            found[index] = result
    return found


def _handed(node: NodeHosts, target: Target, given: Given) -> Credentials | None:
    """With what a target is asked instead of with the node's own credentials."""
    host = target.host
    own = _own(node.hosts(target.registry).hosts, target.registry)
    if host is None or own is None or host.host != own.host or host.header:
        return None
    try:
        if node.credentials(host.host) is not None:
            return None
    except CredentialsError:
        return None
    image = "%s/%s" % (target.image.registry, target.image.repository) if target.image is not None else ""
    found = given(target.registry, image)
    return Credentials(*found, host.host) if found is not None else None


def _own(hosts: Any, registry: str) -> Host | None:
    """The registry itself among the hosts that are asked for its images."""
    found: list[Host] = [host for host in hosts if host.default] + [host for host in hosts if host.host == registry]
    return found[0] if found else None


def _known(node: NodeHosts, hosts: Any, username: str, password: str) -> Host | None:
    """The first of these hosts for which the node has the same credentials."""
    for host in hosts:
        with contextlib.suppress(CredentialsError):
            used = node.credentials(host.host)
            if used is not None and (used.username, used.secret) == (username, password):
                found: Host = host
                return found
    return None
