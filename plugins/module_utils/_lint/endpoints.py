# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints: what K3s ignores, reads differently than meant, or writes so that containerd cannot use it."""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import DOCKER_HUB_HOST
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import Endpoint
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_ip import is_localhost

from . import api_paths
from .catalogue import ERROR, WARNING, Findings, checks, declare
from .known_registries import PAGES, is_on_own_network, is_page, public_registry
from .mirror_names import bare_host
from .naming import quoted, redacted
from .subject import Listed, Subject

_K3S = "k3s-io/k3s pkg/agent/containerd/config.go normalizeEndpointAddress"
# Written so that there is one way to match a name: others take for ever over a long one that ends in a wrong character.
_HOST = re.compile(r"[A-Za-z0-9_]+(?:(?:-+|\.)[A-Za-z0-9_]+)*\.?\Z|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\]\Z")
_HALF_A_SCHEME = re.compile(r"https?:/(?!/)")
_BARE_IPV6 = re.compile(r"(?:[a-z]+://)?[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:/.*)?\Z")

IGNORED = declare(
    "K3R210",
    ERROR,
    "Endpoint that K3s ignores",
    "Go cannot parse it as a URL; K3s logs a warning and goes on without it.",
    _K3S,
    "Write https://host[:port]; an IPv6 address in brackets: https://[fd00::1]:5000.",
)
NOT_HTTP = declare(
    "K3R211",
    ERROR,
    "Endpoint that is no http or https URL",
    "K3s accepts it without a word and containerd cannot use it: oci:// is written as it is, https:/host becomes the "
    "host https:, an empty item becomes https:///v2.",
    _K3S,
    "Write https://host[:port] or http://host[:port].",
)
NOT_A_HOST = declare(
    "K3R212",
    ERROR,
    "Endpoint with an impossible host or port",
    "Go's URL parser accepts it, no connection can be made to it; a quote in it makes the whole hosts.toml unreadable.",
    _K3S,
    "Write a host name or address, and a port from 1 to 65535.",
)
UNUSED_PART = declare(
    "K3R213",
    ERROR,
    "Part of the endpoint's URL that is not used",
    "containerd takes scheme, host and path of an endpoint. User and password in it are not sent, and stand readable "
    "in hosts.toml; query and fragment are dropped.",
    "containerd core/remotes/docker/config/hosts.go",
    'Remove it; credentials belong to configs."<host[:port]>".auth.',
)
LOCAL_HTTP = declare(
    "K3R214",
    WARNING,
    "Local endpoint without scheme",
    "Without a scheme an endpoint is https, but on localhost with a port other than 443 it is http.",
    _K3S,
    "Write the scheme: http:// or https://.",
)
PATH_WITHOUT_V2 = declare(
    "K3R215",
    WARNING,
    "Endpoint path at which the registry has no API",
    "A path is used exactly as written: https://host/project asks for /project/<image>/manifests/..., where most "
    "registries answer with a web page (unexpected media type text/html). Where /v2 belongs depends on the product: "
    "Harbor, GitLab and Quay have it before the project, Artifactory and Nexus by path behind the repository. The name "
    "of the host or the path tells which it is; if they do not, both are named.",
    "https://github.com/k3s-io/k3s/issues/5502, https://github.com/k3s-io/k3s/issues/2161, "
    "https://github.com/rancher/rke2/pull/865; https://help.sonatype.com/en/docker-registry.html",
    "Harbor, GitLab, Quay: https://host/v2/<project>. Artifactory: "
    "https://host/artifactory/api/docker/<repository>/v2. Nexus by path: https://host/repository/<repository>/v2. "
    'Or the host alone with rewrite: {"(.*)": "project/$1"}.',
)
TRAILING_SLASH = declare(
    "K3R216",
    WARNING,
    "Endpoint path that ends with a slash",
    "Only no path, / and /v2 mean the usual one; /v2/ is used exactly as written.",
    _K3S,
    "Remove the slash at the end.",
)
REPEATED = declare(
    "K3R217",
    WARNING,
    "Endpoint listed twice",
    "K3s skips the second one; releases before v1.26.15, v1.27.12, v1.28.8 and v1.29.3 lost the registry's whole "
    "configuration.",
    "https://github.com/k3s-io/k3s/issues/9693",
    "Remove one of the two.",
)
NO_REGISTRY = declare(
    "K3R218",
    ERROR,
    "Endpoint that is a web page",
    "A site for people answers there, not a registry's API: the pull ends with unexpected media type text/html, or "
    "with not found.",
    "https://github.com/rancher/rke2/issues/1829, https://github.com/k3s-io/k3s/issues/5502",
    "Write the registry's own host; Docker Hub's needs no mention, K3s asks it last.",
)
OTHER_REGISTRY = declare(
    "K3R219",
    WARNING,
    "Endpoint of another registry",
    "A public registry has its own images and no other's: an image of docker.io is not found at k8s.gcr.io. A mirror "
    "with rewrites is left alone.",
    "https://github.com/rancher/rke2/issues/1829",
    "Remove it, or rewrite the names to those that it has.",
)
NO_SCHEME = declare(
    "K3R272",
    WARNING,
    "Endpoint without scheme",
    "K3s takes https. (On localhost with a port other than 443 it takes http, which K3R214 says.)",
    _K3S + "; https://github.com/k3s-io/k3s/issues/9322",
    "Write the scheme: https:// or http://.",
)
UNENCRYPTED = declare(
    "K3R275",
    WARNING,
    "Unencrypted endpoint beyond one's own network",
    "Whoever is on the way can give the nodes any image by its tag. Addresses of private networks, names without a dot "
    "and endings such as .local, .lan and .internal count as one's own network; an endpoint that gets credentials has "
    "K3R226.",
    "https://docs.k3s.io/installation/private-registry (Without TLS)",
    "Use https, if need be with a CA of your own.",
)
V2_TWICE = declare(
    "K3R276",
    WARNING,
    "/v2 twice in an endpoint's path",
    "The path is used exactly as written, so that the registry is asked for /v2/v2/...",
    "https://github.com/aws/eks-anywhere/pull/10784; " + _K3S,
    "Write it once: before the project (Harbor, GitLab, Quay) or behind the repository (Artifactory, Nexus by path).",
)


def _parsed(subject: Subject) -> Iterator[tuple[Listed, Endpoint]]:
    for listed in subject.endpoints:
        if listed.endpoint is not None:
            yield listed, listed.endpoint


def _is_usable(listed: Listed, endpoint: Endpoint) -> bool:
    """An http or https URL with a host. `https:/host` is none: K3s reads it as the host `https:`."""
    return endpoint.scheme in ("http", "https") and bool(endpoint.host) and not _HALF_A_SCHEME.match(listed.text)


@checks(IGNORED)
def endpoints_that_k3s_ignores(subject: Subject) -> Findings:
    for listed in subject.endpoints:
        if listed.problem:
            fix = ""
            if _BARE_IPV6.match(listed.text):
                fix = "Put the IPv6 address in brackets: https://[fd00::1]:5000."
            # Go's reason quotes the URL, with whatever user information it holds.
            reason = "" if "@" in listed.text else f": {redacted(listed.problem)}"
            yield IGNORED.finding(listed.path, f"K3s ignores {quoted(listed.text)}{reason}", fix)


@checks(NOT_HTTP)
def endpoints_that_are_no_web_address(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if not listed.text.strip():
            yield NOT_HTTP.finding(listed.path, "the endpoint is empty and becomes https:///v2")
        elif not _is_usable(listed, endpoint):
            host = bare_host(listed.text)
            scheme = "http" if listed.text.startswith("http:") else "https"
            fix = f"Did you mean {quoted(f'{scheme}://{host}')}?" if host else ""
            yield NOT_HTTP.finding(listed.path, f"{quoted(listed.text)} is no http:// or https:// URL", fix)


@checks(NOT_A_HOST)
def endpoints_with_impossible_hosts(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if not listed.text.strip() or not _is_usable(listed, endpoint):
            continue
        host, port = _split_port(endpoint.host)
        if not _HOST.match(host):
            yield NOT_A_HOST.finding(listed.path, f"{quoted(listed.text)} names no possible host")
        elif port is not None and not (port.isdigit() and 0 < int(port[:6]) < 65536):
            yield NOT_A_HOST.finding(listed.path, f"{quoted(listed.text)} names no possible port")


@checks(UNUSED_PART)
def endpoints_with_unused_parts(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if not _is_usable(listed, endpoint):
            continue
        authority, separator, rest = listed.text.split("://", 1)[-1].partition("/")
        if "@" in authority:
            yield UNUSED_PART.finding(listed.path, f"the user information in {quoted(listed.text)} is not used")
        elif "?" in separator + rest or "#" in separator + rest or "?" in authority or "#" in authority:
            shown = quoted(re.split(r"[?#]", listed.text, maxsplit=1)[0])
            yield UNUSED_PART.finding(listed.path, f"what follows {shown} is not used")


@checks(LOCAL_HTTP)
def local_endpoints_without_scheme(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if "://" not in listed.text and endpoint.scheme == "http" and is_localhost(endpoint.host):
            yield LOCAL_HTTP.finding(listed.path, f"{quoted(listed.text)} is asked over http, as it is on this machine")


@checks(NO_REGISTRY)
def endpoints_that_are_web_pages(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if _is_usable(listed, endpoint) and is_page(endpoint.host, endpoint.path):
            meant = PAGES.get(endpoint.host, "")
            fix = f"Did you mean {quoted(f'https://{meant}')}?" if meant else ""
            if meant == DOCKER_HUB_HOST:
                fix = f"Remove it: Docker Hub's registry is {quoted(meant)}, which K3s asks last."
            yield NO_REGISTRY.finding(listed.path, f"{quoted(listed.text)} is a web page, not a registry", fix)


@checks(OTHER_REGISTRY)
def endpoints_of_other_registries(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        wanted, found = public_registry(listed.mirror), public_registry(endpoint.host)
        if not wanted or not found or wanted == found or endpoint.override_path:
            continue
        if not subject.mirrors[listed.mirror]["rewrite"]:
            yield OTHER_REGISTRY.finding(
                listed.path, f"{quoted(listed.text)} has none of the images of {quoted(listed.mirror)}"
            )


@checks(NO_SCHEME)
def endpoints_without_scheme(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if "://" in listed.text or not listed.text.strip() or not _is_usable(listed, endpoint):
            continue
        if endpoint.scheme == "https":
            yield NO_SCHEME.finding(
                listed.path,
                f"{quoted(listed.text)} has no scheme: K3s takes https",
                f"Write {quoted(f'https://{listed.text}')}, or http:// if that is meant.",
            )


@checks(UNENCRYPTED)
def unencrypted_endpoints(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if endpoint.scheme == "http" and _is_usable(listed, endpoint) and not is_on_own_network(endpoint.host):
            if not subject.has_auth(endpoint.registry):
                yield UNENCRYPTED.finding(
                    listed.path, f"{quoted(listed.text)} is asked over http, and is not on a network of one's own"
                )


@checks(V2_TWICE)
def paths_with_v2_twice(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if _is_usable(listed, endpoint) and endpoint.path.split("/").count("v2") > 1:
            yield V2_TWICE.finding(listed.path, f"/v2 stands twice in {quoted(listed.text)}")


def _has_no_api(listed: Listed, endpoint: Endpoint) -> bool:
    """Whether the path leads past the API of every registry, or of the one that the host or the path names."""
    if not _is_usable(listed, endpoint) or not endpoint.override_path or is_page(endpoint.host, endpoint.path):
        return False
    path = endpoint.path.rstrip("/")
    return "v2" not in path.split("/") or api_paths.is_misplaced(api_paths.product_of(endpoint.host, path), path)


@checks(PATH_WITHOUT_V2)
def paths_without_api(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        if _has_no_api(listed, endpoint):
            path = endpoint.path.rstrip("/")
            product = api_paths.product_of(endpoint.host, path)
            asked = quoted(f"{path}/<image>/manifests/<tag>")
            yield PATH_WITHOUT_V2.finding(
                listed.path,
                f"{quoted(listed.text)} asks for {asked}, where {product or 'a registry'} has no API",
                api_paths.advice(product, f"{endpoint.scheme}://{endpoint.host}", path),
            )


@checks(TRAILING_SLASH)
def paths_with_slash_at_the_end(subject: Subject) -> Findings:
    for listed, endpoint in _parsed(subject):
        ends = endpoint.override_path and endpoint.path.endswith("/") and _is_usable(listed, endpoint)
        # What is said of a path without an API leaves the slash out.
        if ends and not _has_no_api(listed, endpoint):
            yield TRAILING_SLASH.finding(
                listed.path,
                f"the path of {quoted(listed.text)} is used as it is, with its slash at the end",
                f"Write {quoted(listed.text.rstrip('/'))}.",
            )


@checks(REPEATED)
def endpoints_listed_twice(subject: Subject) -> Findings:
    seen: dict[tuple[str, str], int] = {}
    for listed, endpoint in _parsed(subject):
        first = seen.setdefault((listed.mirror, endpoint.url), listed.index)
        if first != listed.index:
            yield REPEATED.finding(listed.path, f"{quoted(listed.text)} is endpoint[{first}] again; K3s skips it")


def _split_port(host: str) -> tuple[str, str | None]:
    match = re.match(r"(.*?)(?::([^:\]]*))?\Z", host, re.DOTALL)
    return (match.group(1), match.group(2)) if match else (host, None)
