# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For an image's name, the requests that containerd will make, in order.

It asks each host for the manifest until one has it. Source: ``Resolve``, ``request``,
``addNamespace`` and ``withRewritesFromHost`` in ``core/remotes/docker/resolver.go`` of K3s' fork of
containerd, and ``PullImage`` and ``ParseAuth`` in its ``internal/cri/server/images/image_pull.go``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from .config import DOCKER_HUB, DOCKER_HUB_HOST
from .containerd_hosts import Host, HostsFileError, clean_path, directory_for, hosts_of
from .go_text import from_go_bytes
from .go_url import GoUrlError, parse
from .host_configs import merge
from .image import Image, parse_image
from .rewrite import rewrite

if TYPE_CHECKING:
    from typing import Any, TypedDict

    from .config import Auth, Config

    class _AttemptKeys(TypedDict):
        kind: str
        endpoint: str
        url: str
        repository: str
        reference: str
        auth: bool
        tls: dict[str, Any]

    class Attempt(_AttemptKeys, total=False):
        """One request for the manifest; see :func:`resolve_image`."""

        rewrite_ambiguous: bool
        repository_alternatives: list[str]
        rewrites_skipped: dict[str, str]
        https_first: bool
        request_error: str
        hosts_toml_error: str


# Under which keys containerd looks for the credentials of Docker Hub's host, in this order.
_DOCKER_HUB_ALIASES = (DOCKER_HUB_HOST, DOCKER_HUB, "index.docker.io")


def resolve_image(
    image: str,
    config: Config,
    default_endpoint: bool = True,
    embedded_mirror: str = "",
    engine: Any = None,
) -> list[Attempt]:
    """The attempts that containerd makes for an image, in order.

    :param image: as a pod names it, such as ``nginx`` or ``quay.io/org/app:1@sha256:...``.
    :param config: a normalised configuration.
    :param default_endpoint: false if the node sets ``disable-default-registry-endpoint``.
    :param embedded_mirror: ``host:port`` of the embedded registry mirror, "" if it is off.
    :param engine: the module ``re2`` of google-re2; see :mod:`rewrite`.
    :returns: for each attempt ``kind`` (``embedded``, ``mirror`` or ``default``), ``endpoint`` (as in
        hosts.toml), ``url`` (of the manifest, ``?ns=`` included if the host is not the
        registry's own), ``repository`` (rewritten), ``reference`` (digest or tag), ``auth`` (whether
        credentials of the configuration apply) and ``tls`` (those settings that apply). Only if
        they apply: ``rewrite_ambiguous`` with ``repository_alternatives`` (several rewrites change the
        name and K3s may take any), ``rewrites_skipped`` (pattern to reason), ``https_first``
        (containerd 1.7 and later try https before this http URL), ``request_error`` (the URL is none, so
        nothing is asked and the next host is tried) and ``hosts_toml_error`` (containerd
        cannot read the file K3s writes, and ignores the mirror).
    :raises ImageError: if containerd does not accept the name.
    """
    parsed = parse_image(image)
    hosts, _problems = merge(config, default_endpoint, embedded_mirror)
    directory = directory_for(parsed.registry, hosts)
    error = ""
    try:
        found = hosts_of(parsed.registry, hosts[directory] if directory is not None else None)
    except HostsFileError as problem:
        error = str(problem)
        found = hosts_of(parsed.registry, None)
    attempts = [_attempt(parsed, host, config, embedded_mirror, engine) for host in found]
    if error:
        for attempt in attempts:
            attempt["hosts_toml_error"] = error
    return attempts


def _attempt(image: Image, host: Host, config: Config, embedded_mirror: str, engine: Any) -> Attempt:
    rewritten = rewrite(image.repository, host.rewrites, engine)
    url, problem = object_url(image, host, rewritten.repository, "manifests", image.reference)
    embedded = bool(embedded_mirror) and host.host == embedded_mirror and not host.default
    attempt: Attempt = {
        "kind": "default" if host.default else "embedded" if embedded else "mirror",
        "endpoint": host.url,
        "url": url,
        "repository": rewritten.repository,
        "reference": image.reference,
        "auth": _has_credentials(host.host, config),
        "tls": dict(host.tls),
    }
    if rewritten.alternatives:
        attempt["rewrite_ambiguous"] = True
        attempt["repository_alternatives"] = list(rewritten.alternatives)
    if rewritten.skipped:
        attempt["rewrites_skipped"] = rewritten.skipped
    if host.tries_https_first:
        attempt["https_first"] = True
    if problem:
        attempt["request_error"] = problem
    return attempt


def object_url(image: Image, host: Host, repository: str, kind: str, name: str) -> tuple[str, str]:
    """The URL under which containerd asks a host for something of an image, and why it cannot (usually "").

    :param repository: as it is after any rewrite.
    :param kind: ``manifests`` or ``blobs``.
    :param name: its tag or digest.
    """
    path = clean_path("/" + "/".join((host.path, repository, kind, name)))
    namespace = "" if _is_own_host(host, image.registry) else "?ns=" + quote_plus(image.registry)
    return _requested(f"{host.scheme}://{host.host}{path}{namespace}")


def _requested(text: str) -> tuple[str, str]:
    """The URL as Go's HTTP client asks for it, and why it cannot (usually "")."""
    try:
        url = parse(text)
    except GoUrlError as error:
        return text, str(error)
    url.host = url.host[:-1] if url.host.endswith(":") else url.host
    return from_go_bytes(str(url)), "" if url.host else "no Host in request URL"


def _is_own_host(host: Host, registry: str) -> bool:
    return host.host == registry or (registry == DOCKER_HUB and host.host == DOCKER_HUB_HOST)


def credential_keys(host: str) -> tuple[str, ...]:
    """The keys of ``configs`` under which containerd looks for the credentials of a host, in order."""
    return _DOCKER_HUB_ALIASES if host == DOCKER_HUB_HOST else (host,)


def _has_credentials(host: str, config: Config) -> bool:
    for name in credential_keys(host):
        settings = config["configs"].get(name)
        if settings is not None and settings["auth"] is not None:
            return _is_used(settings["auth"])
    return False


def _is_used(auth: Auth) -> bool:
    """A password alone is not used: without a user name containerd looks for a token, then for ``auth``."""
    return bool(auth["username"] or auth["identity_token"] or auth["auth"])
