# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to probe on a node: every configured endpoint, and for an image what containerd will ask, in order."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import Host
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import object_url
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.rewrite import rewrite

from .endpoint_checks import api_url
from .node_hosts import NodeHosts

# How a pattern is refused that is not known to be wrong: a node has no RE2.
_CANNOT_TELL = "without google-re2"


class Target(NamedTuple):
    """One thing to probe.

    :ivar image: None if the endpoint itself is meant.
    :ivar kind: ``embedded``, ``mirror`` or ``default``.
    :ivar host: None if ``problem`` says why containerd has none.
    :ivar url: what is asked first.
    :ivar repository: of the image, after any rewrite.
    :ivar note: what may make the repository another one than containerd asks for; "" usually.
    :ivar problem: of a hosts.toml that containerd cannot read, or a URL that it cannot ask; "" usually.
    """

    registry: str
    kind: str
    host: Host | None
    url: str
    image: Image | None = None
    repository: str = ""
    problem: str = ""
    note: str = ""

    @property
    def key(self) -> Any:
        """Equal for targets that one probe answers."""
        host = self.host
        image = self.image.text if self.image is not None else ""
        if host is None:
            return (self.registry, image, self.problem)
        tls = sorted((name, repr(value)) for name, value in host.tls.items())
        return (self.url, image, self.problem, host.host, host.scheme, tuple(tls), host.header)


def endpoint_targets(node: NodeHosts) -> list[Target]:
    """Every endpoint of every registry that the node has settings for.

    K3s writes settings for its embedded registry, too, as if it were one that images are named after. None are, so what
    it answers counts if it is a mirror.
    """
    targets = []
    for registry in node.registries():
        found = node.hosts(registry)
        if found.error:
            targets.append(_broken(registry, found.path, found.error, None))
        for host in found.hosts:
            # The wildcard's default endpoint is whichever registry an image names.
            if not (host.default and (registry == WILDCARD or node.is_embedded(host))):
                targets.append(Target(registry, _kind(node, host), host, api_url(host)))
    return targets


def image_targets(node: NodeHosts, images: Iterable[Image]) -> list[Target]:
    """For each image every attempt that containerd makes until one succeeds, in order."""
    targets = []
    for image in images:
        found = node.hosts(image.registry)
        if found.error:
            targets.append(_broken(image.registry, found.path, found.error, image))
        for host in found.hosts:
            rewritten = rewrite(image.repository, host.rewrites)
            unsure = [pattern for pattern, reason in rewritten.skipped.items() if _CANNOT_TELL in reason]
            note = " Rewrites that only K3s itself can read were left out: %s." % ", ".join(unsure) if unsure else ""
            # If several rewrites fit, K3s takes any of them.
            for repository in rewritten.alternatives or (rewritten.repository,):
                url, problem = object_url(image, host, repository, "manifests", image.reference)
                targets.append(Target(image.registry, _kind(node, host), host, url, image, repository, problem, note))
    return targets


def _broken(registry: str, path: str, error: str, image: Image | None) -> Target:
    return Target(registry, "mirror", None, "", image, image.repository if image else "", f"{path}: {error}")


def _kind(node: NodeHosts, host: Host) -> str:
    if host.default:
        return "default"
    return "embedded" if node.is_embedded(host) else "mirror"
