# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node's own configuration adds to a verdict: why a mirror was not used, where credentials went."""

from __future__ import annotations

from typing import NamedTuple

from .advice import filled
from .attempts import Pull, is_of_content
from .blame import Verdict
from .node_config import NodeConfig
from .products import Hint, hint_for


class Explanation(NamedTuple):
    """A sentence to add to the message, and a fix to put in place of the cause's own (None: keep that)."""

    message: str
    fix: str | None


def explain(pull: Pull, verdict: Verdict, config: NodeConfig) -> Explanation | None:
    """What the configuration explains about a verdict, or None if it explains nothing."""
    host = verdict.endpoint
    if host is None:
        return None
    if not config.known:
        hint = hint_for(verdict.cause, verdict.finding.status, host, "")
        return _of_product(pull, host, config, hint) if hint else None
    if not pull.is_default(host) and not config.is_embedded(host):
        asked = [endpoint.host for endpoint in config.endpoints(pull.image.registry)]
        if host not in asked and verdict.finding.cause == verdict.cause and not is_of_content(verdict.error):
            # Content comes from wherever the registry redirects to: a host of nobody's configuration.
            return _not_configured(pull, host)
    if config.configs_known and verdict.cause in ("unauthorized", "forbidden", "token_refused"):
        explained = _credentials(pull, verdict, host, config)
        if explained:
            return explained
    if config.configs_known and verdict.cause.startswith(("client_cert", "tls_unknown")):
        explained = _certificates(verdict, host, config)
        if explained:
            return explained
    return _unused_mirror(pull, host, config) if pull.is_default(host) else None


def _not_configured(pull: Pull, host: str) -> Explanation:
    return Explanation(
        f"{host} is not among the endpoints configured for {pull.image.registry}: the configuration was changed since,"
        " K3s was not restarted after it, or a hosts.toml was written by hand.",
        None,
    )


def _credentials(pull: Pull, verdict: Verdict, host: str, config: NodeConfig) -> Explanation | None:
    hint = hint_for(verdict.cause, verdict.finding.status, host, config.user(host))
    if config.has_auth(host):
        if "no basic auth credentials" in verdict.error or "anonymous token" in verdict.error:
            key = config.settings(host)[0]
            return Explanation(
                f'configs."{key}" has credentials, but containerd sent none to {host}: a pod\'s imagePullSecret'
                " replaces the node's credentials for every endpoint, or K3s was not restarted since they were added.",
                f"Put credentials for {host} into the pod's imagePullSecret or remove the secret from the pod; if it"
                f' has none, restart K3s so that configs."{key}".auth is loaded.',
            )
        return _of_product(pull, host, config, hint) if hint else None
    misplaced = config.misplaced_auth(host, pull.image.registry)
    if not misplaced:
        if hint:
            return _of_product(pull, host, config, hint)
        return Explanation(f'configs has no credentials for {host}: nothing under configs."{host}".auth.', None)
    if misplaced == "*":
        why = "containerd never uses the credentials of the wildcard"
    elif misplaced == pull.image.registry:
        why = "which is the name of the registry, so containerd sends them only to its default endpoint"
    else:
        why = "which is another name for containerd: keys are compared byte for byte, including port and case"
    return Explanation(
        f'There are credentials under configs."{misplaced}", {why}.',
        f'Move the credentials from configs."{misplaced}".auth to configs."{host}".auth and restart K3s.',
    )


def _of_product(pull: Pull, host: str, config: NodeConfig, hint: Hint) -> Explanation:
    values = {
        "host": host,
        "configs": f'configs."{config.settings(host)[0]}"',
        "image": pull.image.full,
        "repository": pull.image.repository,
    }
    return Explanation(filled(hint.message, values), filled(hint.fix, values))


def _certificates(verdict: Verdict, host: str, config: NodeConfig) -> Explanation | None:
    key = config.settings(host)[0]
    if verdict.cause == "tls_unknown_authority" and config.has_ca(host):
        return Explanation(
            f'configs."{key}".tls.ca_file is set, but is not the CA of the certificate that {host} shows.',
            f'Put the CA certificate that signed {host}\'s certificate into the file of configs."{key}".tls.ca_file.',
        )
    if verdict.cause == "client_cert_required" and config.has_client_certificate(host):
        return Explanation(
            f'configs."{key}".tls names a client certificate, so {host} rejected it.',
            f'Replace the files of configs."{key}".tls.cert_file and key_file with a certificate of the CA that'
            f" {host} trusts for clients.",
        )
    return None


def _unused_mirror(pull: Pull, host: str, config: NodeConfig) -> Explanation | None:
    """The default endpoint is to blame: say why no mirror stood before it."""
    registry = pull.image.registry
    key = config.mirror_key(registry)
    near = config.near_mirror(registry)
    if registry not in config.mirrors and near:
        return Explanation(
            f'mirrors."{near}" does not apply to images of {registry}: the names differ, and containerd compares them'
            " byte for byte, including port and case.",
            f'Rename mirrors."{near}" to mirrors."{registry}" (or add it) and restart K3s.',
        )
    if key is None:
        if not config.mirrors:
            return None
        return Explanation(f"No entry in mirrors applies to {registry}, so only its default endpoint was asked.", None)
    endpoints = [endpoint.host for endpoint in config.endpoints(registry) if not pull.is_default(endpoint.host)]
    tried = {attempt.host for attempt in pull.attempts}
    if endpoints and tried and not tried.intersection(endpoints):
        return Explanation(
            f'None of the endpoints of mirrors."{key}" was asked: K3s was not restarted since they were added, or'
            " containerd does not use the hosts.toml for them.",
            "Restart K3s, then check that the hosts.toml in certs.d is valid and has the endpoints of"
            f' mirrors."{key}".',
        )
    return None
