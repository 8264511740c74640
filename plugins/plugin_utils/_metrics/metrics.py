# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification has found on a node, as metrics. Pure.

They are made of the node's entry in the document that verify writes as JSON, which holds no secrets. What is not known
has no sample: a 0 would say that something has been looked at.
"""

from __future__ import annotations

import calendar
import time
from typing import Any, Iterator, Mapping, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import registries
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import STATES

from .exposition import Family

PREFIX = "k3s_registries_"
#: Every metric without :data:`PREFIX`, to its HELP. The names are promises: dashboards and alerts are made of them.
HELP = {
    "last_run_timestamp_seconds": "When verify has last written these metrics, in seconds since 1970.",
    "verify_passed": "Whether the node has passed verify.",
    "findings": "What verify has found on the node, by code. The node fails with severity failure.",
    "node_info": "The distribution, release and role of the node. Always 1.",
    "state": "Whether this is how far K3s has loaded the registries. One state is 1.",
    "drift": "Whether somebody has edited files that K3s or the collection had written.",
    "restart_pending": "Whether the configuration in place waits for a restart of K3s.",
    "certificate_expiry_timestamp_seconds":
        "When the first certificate in the file expires, in seconds since 1970. The kind is ca or client.",
    "endpoint_certificate_expiry_timestamp_seconds":
        "When the certificate that the endpoint shows expires, in seconds since 1970.",
    "credential_expiry_timestamp_seconds":
        "When the credentials for the registry end, in seconds since 1970. stated is true if that is only a note.",
    "registry_up": "Whether at least one endpoint of the registry works.",
    "endpoint_up": "Whether the endpoint answers as it should. The kind is mirror, default or embedded.",
    "endpoint_response_seconds": "How long the endpoint took to answer.",
    "images_checked": "How many images verify has looked for at the endpoints.",
    "images_missing": "How many of these images no endpoint has.",
    "canary_pull_success": "Whether the canary image was pulled.",
    "canary_pull_seconds": "How long the pull of the canary image took.",
    "credential_provider_up": "Whether the kubelet's credential provider answers, and the registry takes its answer.",
}  # fmt: skip
_RUNNING = ("loaded", "pending", "drifted", "foreign")
#: The states of k3s_registries_info.
_STATES = ("loaded", *STATES)


class _Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


def families(host: Mapping[str, Any], now: float) -> list[Family]:
    """All metrics, in the order of :data:`HELP`; those of which nothing is known have no samples.

    If several values have the same labels, such as two endpoints on one host, the lowest counts: the one that does not
    work, or that ends first.

    :param host: an entry of ``verification`` in ``_verify/verified.py``.
    :param now: the time of the run, in seconds since 1970.
    """
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {name: {} for name in HELP}
    for sample in _samples(host, now):
        labels = tuple(sample.labels.items())
        known = found[sample.name]
        known[labels] = min(sample.value, known.get(labels, sample.value))
    return [
        Family(PREFIX + name, HELP[name], tuple((dict(labels), value) for labels, value in found[name].items()))
        for name in HELP
    ]


def _samples(host: Mapping[str, Any], now: float) -> Iterator[_Sample]:
    yield _Sample("last_run_timestamp_seconds", {}, int(now))
    yield _Sample("verify_passed", {}, bool(host["passes"]))
    yield from _findings(host)
    info: Mapping[str, Any] = host["info"] or {}
    if info:
        yield from _of_the_node(info, host)
    for item in info.get("certificates") or ():
        labels = {key: _word(item, key) for key in ("registry", "kind", "path")}
        yield from _moment("certificate_expiry_timestamp_seconds", labels, item.get("not_after"))
    for item in info.get("credentials") or ():
        labels = {"registry": _word(item, "registry"), "stated": "true" if item.get("stated") else "false"}
        yield from _moment("credential_expiry_timestamp_seconds", labels, item.get("ends"))
    yield from _endpoints(host["endpoints"])
    for pull in host["canaries"]:
        labels = {"image": _word(pull, "image")}
        yield _Sample("canary_pull_success", labels, bool(pull.get("ok")))
        if pull.get("ok") and pull.get("seconds") is not None:
            yield _Sample("canary_pull_seconds", labels, float(pull["seconds"]))
    for provider in host["providers"]:
        if provider.get("name") and provider.get("cause") != "not_asked":
            yield _Sample(
                "credential_provider_up", {"provider": _word(provider, "name")}, provider.get("cause") == "ok"
            )


def _findings(host: Mapping[str, Any]) -> Iterator[_Sample]:
    counts: dict[tuple[str, str], int] = {}
    for severity, key in (("failure", "failures"), ("warning", "warnings")):
        for item in host[key]:
            kind = (_word(item, "code"), severity)
            counts[kind] = counts.get(kind, 0) + 1
    for (code, severity), count in counts.items():
        yield _Sample("findings", {"code": code, "severity": severity}, count)


def _of_the_node(info: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[_Sample]:
    yield _Sample("node_info", {key: _word(info, key) for key in ("distribution", "release", "role")}, 1)
    state = _word(info, "state")
    if state in _STATES:
        for one in _STATES:
            yield _Sample("state", {"state": one}, one == state)
    if state in _RUNNING:
        codes = {_word(item, "code") for item in [*host["failures"], *host["warnings"]]}
        yield _Sample("drift", {}, "drifted" in (state, *codes))
        yield _Sample("restart_pending", {}, "pending" in (state, *codes))


def _endpoints(entries: Any) -> Iterator[_Sample]:
    # That an image is missing at an endpoint says nothing about the endpoint.
    themselves = [entry for entry in entries if not entry.get("image")]
    for registry, found in registries.assess(themselves).items():
        yield _Sample("registry_up", {"registry": registry}, found.level != "error")
    for entry in themselves:
        host = _host(_word(entry, "endpoint"))
        if not host:
            continue
        labels = {"registry": _word(entry, "registry"), "endpoint": host, "kind": _word(entry, "kind")}
        works = registries.works(entry)
        yield _Sample("endpoint_up", labels, works)
        total = (entry.get("times") or {}).get("total")
        if works and total is not None:
            yield _Sample("endpoint_response_seconds", labels, float(total) / 1000)
        ends = (entry.get("certificate") or {}).get("not_after")
        yield from _moment("endpoint_certificate_expiry_timestamp_seconds", {"endpoint": host}, ends)
    images = {entry["image"] for entry in entries if entry.get("image")}
    if images:
        yield _Sample("images_checked", {}, len(images))
        yield _Sample("images_missing", {}, len(registries.missing_images(entries)))


def _host(endpoint: str) -> str:
    """The host and port of an endpoint alone; "" if it has none."""
    try:
        return urlsplit(endpoint).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _moment(name: str, labels: dict[str, str], said: Any) -> Iterator[_Sample]:
    """A time as the documents have it, nothing if it is none."""
    try:
        yield _Sample(name, labels, calendar.timegm(time.strptime(str(said or ""), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return


def _word(item: Mapping[str, Any], key: str) -> str:
    return str(item.get(key) or "")
