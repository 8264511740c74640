# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a failed pull's errors is the one to mend.

The final error alone misleads: containerd 1.x reports the first error that is no 404, 2.x the one of the highest class
(an HTTP status before a 404 before a failed connection), so what a fallback to the internet said often hides what the
mirror said. A mirror is there to serve the image, so its failure is the one to mend; a 404 from it most of all, since
no other endpoint had to be asked if it had the image.
"""

from __future__ import annotations

from typing import NamedTuple

from .attempts import Attempt, Pull, is_of_content
from .causes import ANSWER_CAUSES, FILE_CAUSES, Finding, classify
from .image_names import parse_request
from .node_config import NodeConfig
from .own_registry import answered_as_mirror, of_mirrors


class Verdict(NamedTuple):
    """The cause of a failed pull, the endpoint to blame (None: a file of the node, or undecided), the telling error."""

    cause: str
    endpoint: str | None
    error: str
    finding: Finding


def judge(pull: Pull, config: NodeConfig) -> Verdict:
    """The verdict on a pull that has failed."""
    verdict = _judged(pull, config)
    host = verdict.endpoint
    if host is not None and verdict.cause == "client_cert_required" and "bad certificate" in verdict.error:
        # Go's servers say so of a certificate that is missing and of one that they do not trust.
        if config.has_client_certificate(host):
            return verdict._replace(cause="client_cert_rejected")
    return verdict


def _judged(pull: Pull, config: NodeConfig) -> Verdict:
    error = pull.outcome.error if pull.outcome else ""
    final = _with_scheme(classify(error), pull, config)
    if final.cause in FILE_CAUSES:
        return Verdict(final.cause, None, error, final)
    fetched = is_of_content(error)
    host = "" if final.token else final.host
    mirrors = of_mirrors(pull, config, final, fetched)
    if pull.undecoded and not mirrors and not _asked_a_mirror(pull, host, fetched):
        return Verdict("hosts_toml_invalid", None, pull.undecoded.error or pull.undecoded.path, final)
    by_fallback = not fetched or _served_by_default(pull, config, error)
    for attempt in mirrors:
        if attempt.finding.cause == "not_found" and by_fallback and (attempt.sure or not fetched):
            return Verdict("not_found", attempt.host, attempt.error, attempt.finding)
    if not fetched:
        verdict = _mirror_error(pull, mirrors, config, error, final, host)
        if verdict:
            return verdict
    return _final_error(pull, config, error, final, host, fetched)


def _with_scheme(final: Finding, pull: Pull, config: NodeConfig) -> Finding:
    """containerd 1.x names no URL with a status, and 400 is what a TLS port answers to plain HTTP: the scheme of the
    endpoint in the configuration decides."""
    if final.status == 400 and final.cause == "unknown":
        endpoints = config.endpoints(pull.image.registry)
        if any(endpoint.host == final.host and endpoint.scheme == "http" for endpoint in endpoints):
            return final._replace(cause="not_http")
    return final


def _asked_a_mirror(pull: Pull, host: str, fetched: bool) -> bool:
    """Whether any endpoint other than the default was asked, so that some hosts.toml was in use."""
    if any(not pull.is_default(attempt.host) for attempt in pull.attempts):
        return True
    return bool(host) and not fetched and not pull.is_default(host)


def _served_by_default(pull: Pull, config: NodeConfig, error: str) -> bool:
    """Whether the default endpoint, not a further mirror, resolved an image whose content then failed."""
    request = parse_request(error)
    if request and request.namespace:
        return False
    failed = {attempt.host for attempt in pull.attempts}
    return all(endpoint.host in failed for endpoint in config.endpoints(pull.image.registry))


def _mirror_error(
    pull: Pull, mirrors: list[Attempt], config: NodeConfig, error: str, final: Finding, host: str
) -> Verdict | None:
    """The worst error of the mirrors by containerd 2.x's order, or None if no mirror has one."""
    found = [Verdict(attempt.finding.cause, attempt.host, attempt.error, attempt.finding) for attempt in mirrors]
    as_mirror = not pull.is_default(host) or answered_as_mirror(error, pull)
    if host and as_mirror and not config.is_embedded(host):
        # containerd 1.x logs no line for a mirror's HTTP status other than 404: the final error is all there is.
        found.append(Verdict(final.cause, host, error, final))
    found = [verdict for verdict in found if verdict.cause != "unknown"]
    return next((verdict for verdict in found if verdict.cause in ANSWER_CAUSES), found[0] if found else None)


def _final_error(pull: Pull, config: NodeConfig, error: str, final: Finding, host: str, fetched: bool) -> Verdict:
    if not host and not fetched:
        host = _host_of(pull, error, final)
    others = [attempt for attempt in pull.attempts if not attempt.embedded and attempt.finding.cause != "unknown"]
    answered = bool(final.status) and not pull.is_default(host)
    if others and (config.is_embedded(host) or (final.cause == "unknown" and not answered)) and not fetched:
        # The embedded registry only ever lacks an image; an old one answers 500 for that (spegel-org/spegel#217).
        attempt = others[-1]
        return Verdict(attempt.finding.cause, attempt.host, attempt.error, attempt.finding)
    if pull.cancelled and final.cause == "unknown":
        return Verdict("timeout", host or None, pull.cancelled.error, final)
    return Verdict(final.cause, host or _inferred_host(pull, config, fetched), error, final)


def _host_of(pull: Pull, error: str, final: Finding) -> str:
    """The host of the attempt that the final error is about, '' if none is."""
    for attempt in pull.attempts:
        if attempt.error and error.endswith(attempt.error):
            return attempt.host
    for attempt in pull.attempts:
        if attempt.finding.cause == final.cause:
            return attempt.host
    return pull.attempts[0].host if len(pull.attempts) == 1 else ""


def _inferred_host(pull: Pull, config: NodeConfig, fetched: bool) -> str | None:
    """The endpoint that must have answered, if only the configuration can tell.

    The log names hosts that failed to resolve the image. Once it is resolved, the first that did not fail serves it.
    """
    if not config.known:
        return None
    endpoints = [endpoint.host for endpoint in config.endpoints(pull.image.registry)]
    if not endpoints:
        return pull.image.default_host
    if not fetched:
        return None
    failed = {attempt.host for attempt in pull.attempts}
    return next((host for host in endpoints if host not in failed), pull.image.default_host)
