# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS settings: files that containerd will not find, halves of pairs, and settings that K3s drops."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import (
    DOCKER_HUB,
    DOCKER_HUB_HOST,
    WILDCARD,
)

from .catalogue import ERROR, WARNING, Findings, checks, declare
from .known_registries import can_be_named
from .mirror_names import is_hub_alias, is_url
from .naming import listed, path, quoted
from .schema import INSECURE, SHIPPED, TLS_FILES
from .subject import Subject

_HOSTS = "containerd core/remotes/docker/config/hosts.go"

RELATIVE_PATH = declare(
    "K3R230",
    ERROR,
    "Relative path of a certificate or key",
    "containerd looks for it below certs.d, a directory that K3s deletes and writes anew at every start. Then every "
    "pull from that registry fails: unable to read CA cert.",
    _HOSTS,
    "Give the absolute path on the node, or ca_src / cert_src / key_src for a file of the controller.",
)
HALF_A_PAIR = declare(
    "K3R231",
    ERROR,
    "Client certificate without key, or key without certificate",
    'K3s writes "" for the missing half, containerd reads that as its own directory, and every pull from that registry '
    "fails: read ...: is a directory.",
    _HOSTS + "; k3s-io/k3s pkg/agent/templates/templates.go",
    "Give both, or neither.",
)
TWO_SOURCES = declare(
    "K3R232",
    ERROR,
    "Two sources for the same file",
    "Only one of them can be used, and which one is not for this collection to guess.",
    "this collection",
    "Keep one: *_src (file of the controller), *_content (PEM text) or *_file (path on the node).",
)
TLS_OVER_HTTP = declare(
    "K3R233",
    WARNING,
    "TLS settings for an http endpoint",
    "containerd then tries https first and http afterwards: every pull begins with an error, and may end with the "
    "wrong one.",
    "https://github.com/k3s-io/k3s/issues/11642, https://github.com/k3s-io/k3s/issues/13379",
    "Remove tls for this host, or make the endpoint https.",
)
NO_VERIFICATION = declare(
    "K3R234",
    WARNING,
    "Certificates are not verified",
    "Whoever can answer for the registry can give the nodes any image, and gets the credentials. Said only of settings "
    "that reach a host which is asked over https.",
    _HOSTS + " (skip_verify)",
    "Give the CA that issued the registry's certificate (ca_file, or ca_src to ship it) instead.",
)
WILDCARD_TLS_DROPPED = declare(
    "K3R235",
    WARNING,
    "TLS settings for all registries beside a mirror for all registries",
    'K3s drops them without a word: a mirror "*" replaces the entry that configs "*" made, and endpoints are looked '
    "up by their host. The example in K3s' documentation has this fault; its docker.io: exempts nothing either.",
    "k3s-io/k3s pkg/agent/containerd/config.go getHostConfigs; https://docs.k3s.io/installation/private-registry "
    "(Wildcard Support)",
    "Write them under the host[:port] of each endpoint.",
)
WILDCARD_TLS_NARROW = declare(
    "K3R236",
    WARNING,
    "TLS settings for all registries",
    "They apply only to registries that have no entry of their own under mirrors or configs, and never to an endpoint "
    "that is listed.",
    "https://github.com/k3s-io/docs/issues/359; k3s-io/k3s pkg/agent/containerd/config.go configForHost",
    "Write them under the host[:port] of each endpoint.",
)


@checks(RELATIVE_PATH)
def relative_paths(subject: Subject) -> Findings:
    for host, settings in subject.configs.items():
        for key in TLS_FILES:
            value = (settings["tls"] or {}).get(key, "")
            if not value or value.startswith("/"):
                continue
            message = f"{quoted(value)} is not absolute"
            fix = ""
            if "-----BEGIN" in value:
                message, fix = "is PEM text, not a path", f"Give it as {SHIPPED[key][1]}."
            elif value.startswith("~"):
                message = f"{quoted(value)} is not absolute: nobody replaces ~ by a home directory"
            yield RELATIVE_PATH.finding(path("configs", host, "tls", key), message, fix)


@checks(HALF_A_PAIR)
def halves_of_pairs(subject: Subject) -> Findings:
    for host, settings in subject.configs.items():
        if settings["tls"] is None:
            continue
        certificate, key = subject.tls_value(host, "cert_file"), subject.tls_value(host, "key_file")
        if certificate and not key:
            yield HALF_A_PAIR.finding(
                path("configs", host, "tls"), "there is a client certificate and no key for it", "Give key_file too."
            )
        elif key and not certificate:
            yield HALF_A_PAIR.finding(
                path("configs", host, "tls"), "there is a client key and no certificate for it", "Give cert_file too."
            )


@checks(TWO_SOURCES)
def two_sources(subject: Subject) -> Findings:
    for host, shipped in subject.shipped.items():
        tls = subject.configs[host]["tls"] or {}
        for key, ours in SHIPPED.items():
            given = [name for name in (key, *ours) if tls.get(name) or shipped.get(name)]
            if len(given) > 1:
                yield TWO_SOURCES.finding(
                    path("configs", host, "tls", given[1]), f"{listed(given, 'and')} are given for the same file"
                )


@checks(TLS_OVER_HTTP)
def tls_over_http(subject: Subject) -> Findings:
    for host in subject.configs:
        if not subject.has_tls(host):
            continue
        plain = subject.plain_url(host)
        if plain:
            yield TLS_OVER_HTTP.finding(
                path("configs", host, "tls"), f"{quoted(plain)} is an http endpoint of this host"
            )


@checks(NO_VERIFICATION)
def no_verification(subject: Subject) -> Findings:
    for host, settings in subject.configs.items():
        if (settings["tls"] or {}).get(INSECURE) and _reaches_over_https(host, subject):
            message = "the registry's certificate is not verified"
            if subject.tls_value(host, "ca_file"):
                message += ", although a CA is given"
            yield NO_VERIFICATION.finding(path("configs", host, "tls", INSECURE), message)


def _reaches_over_https(host: str, subject: Subject) -> bool:
    """Whether an entry of `configs` reaches an endpoint, listed or default, that is asked over https."""
    if host == WILDCARD:
        return WILDCARD not in subject.mirrors
    name = DOCKER_HUB if host == DOCKER_HUB_HOST else host
    endpoints = subject.endpoint_hosts.get(name, [])
    if endpoints:
        return any(endpoint.scheme == "https" for endpoint in endpoints)
    if is_url(host) or not can_be_named(host) or is_hub_alias(host) or subject.nearly(host):
        return False
    # Nobody lists it: it is asked as the default endpoint of its own registry.
    return subject.default_url(host).startswith("https:")


@checks(WILDCARD_TLS_DROPPED)
def wildcard_tls_dropped(subject: Subject) -> Findings:
    if WILDCARD in subject.mirrors and subject.has_tls(WILDCARD):
        yield WILDCARD_TLS_DROPPED.finding(
            path("configs", WILDCARD, "tls"), 'the mirror "*" makes K3s drop these settings', _their_hosts(subject)
        )


@checks(WILDCARD_TLS_NARROW)
def wildcard_tls_narrow(subject: Subject) -> Findings:
    if WILDCARD not in subject.mirrors and subject.has_tls(WILDCARD) and subject.endpoints:
        yield WILDCARD_TLS_NARROW.finding(
            path("configs", WILDCARD, "tls"), "these settings reach none of the endpoints", _their_hosts(subject)
        )


def _their_hosts(subject: Subject) -> str:
    hosts = [quoted(host) for host, found in subject.endpoint_hosts.items() if found[0].scheme == "https" and host]
    return f"Write them under the endpoint's host: {listed(hosts[:3])}." if hosts else ""
