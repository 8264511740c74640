# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside registries.yaml: the images that are wanted, the proxy, templates for containerd's configuration."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_ip import is_localhost
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.no_proxy import proxy_of_containerd

from .catalogue import ERROR, WARNING, Findings, checks, declare
from .naming import path, quoted, redacted
from .subject import Subject

IMAGE_NOT_COVERED = declare(
    "K3R260",
    WARNING,
    "Images of a registry that no mirror covers",
    "They are pulled from the registry itself. K3s' own images move from docker.io to ghcr.io: a mirror for docker.io "
    "alone will no longer cover them.",
    "k3s-io/k3s docs/adrs/ghcr-system-images.md, https://github.com/k3s-io/k3s/pull/14603",
    'Add a mirror for that registry, or one for "*".',
)
IMAGE_UNREADABLE = declare(
    "K3R261",
    ERROR,
    "Not the name of an image",
    "containerd would refuse it: invalid reference format.",
    "distribution/reference",
    "Write [registry/]repository[:tag][@digest] in lower case.",
)
THROUGH_PROXY = declare(
    "K3R262",
    WARNING,
    "Registry is asked through the proxy",
    "containerd takes the proxy from the environment of the K3s service; a registry in the same network has to be "
    "named in NO_PROXY.",
    "https://docs.k3s.io/advanced#configuring-an-http-proxy; https://github.com/k3s-io/k3s/issues/2026",
    "Add the host to NO_PROXY (or CONTAINERD_NO_PROXY) in the service's environment file and restart K3s.",
)
TEMPLATE_DROPS_AUTH = declare(
    "K3R263",
    WARNING,
    "Custom template for containerd's configuration",
    "A template that neither extends K3s' own nor writes the credentials itself drops them without a word.",
    "https://github.com/k3s-io/k3s/issues/3134; k3s-io/k3s pkg/agent/containerd/config.go warnMissingRegistryAuth",
    'Begin the template with {{ template "base" . }}, or remove it.',
)


@checks(IMAGE_NOT_COVERED, IMAGE_UNREADABLE)
def images_without_mirror(subject: Subject) -> Findings:
    missing: dict[str, list[str]] = {}
    for index, name in enumerate(subject.nodes.images):
        try:
            registry = parse_image(name).registry
        except ImageError as error:
            yield IMAGE_UNREADABLE.finding(path("images", index), redacted(str(error)))
            continue
        if not _is_covered(subject, registry):
            missing.setdefault(registry, []).append(name)
    for registry, names in missing.items():
        count = len(names)
        what = f"{quoted(names[0])} is" if count == 1 else f"{count} images, {quoted(names[0])} the first, are"
        yield IMAGE_NOT_COVERED.finding(
            path("mirrors"),
            f"{what} pulled from {registry} itself: no mirror covers it",
            f"Add a mirror for {registry}, or one for {quoted(WILDCARD)}.",
        )


def _is_covered(subject: Subject, registry: str) -> bool:
    """A mirror with endpoints (or the embedded one), or one of the user's own registries."""
    for name in (registry, WILDCARD):
        mirror = subject.mirrors.get(name)
        if mirror is not None and (mirror["endpoint"] or (subject.embedded_mirror and not is_localhost(registry))):
            return True
    return registry in subject.configs or registry in subject.endpoint_hosts


@checks(THROUGH_PROXY)
def registries_behind_the_proxy(subject: Subject) -> Findings:
    reported = set()
    for listed in subject.endpoints:
        endpoint = listed.endpoint
        if endpoint is None or not endpoint.host or endpoint.host in reported:
            continue
        proxy = proxy_of_containerd(subject.nodes.environment, endpoint.scheme, endpoint.host)
        if proxy:
            reported.add(endpoint.host)
            yield THROUGH_PROXY.finding(
                listed.path, f"{quoted(endpoint.host)} is not in NO_PROXY and is asked through {quoted(proxy)}"
            )


@checks(TEMPLATE_DROPS_AUTH)
def templates_that_may_drop_credentials(subject: Subject) -> Findings:
    hosts = [host for host in subject.configs if subject.has_auth(host)]
    if subject.nodes.config_template and hosts:
        yield TEMPLATE_DROPS_AUTH.finding(
            path("configs", hosts[0], "auth"),
            f"{quoted(subject.nodes.config_template)} decides whether containerd gets these credentials",
        )
