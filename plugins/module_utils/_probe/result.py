# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe's result as users get it: cause, what was seen and what to do, without secrets."""

from __future__ import annotations

import time
from typing import Any, Iterable, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.sent import secrets_of_headers
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.advice import ADVICE, filled
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.node_config import NodeConfig
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.products import hint_for
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    MASK,
    known_secrets,
    redact,
    visible,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys

from .certificate import Certificate, utc_text
from .connections import PHASES
from .node_hosts import NodeHosts
from .targets import Target

_LONGEST_DETAIL = 500
_HELD_BACK = "The probe has not sent it, so it cannot say whether pulls work."
_NOTHING_TO_SHARE = (
    "Nothing as long as a later endpoint has it: the embedded registry shares what some node has pulled already."
)
_NO_NAME = (
    "Nothing as long as a later endpoint has the image. K3s issues the certificates of agents without ::1, so these "
    "nodes cannot get images from other nodes. There is nothing to correct in k3s_registries."
)


class Probed(NamedTuple):
    """What a probe saw: ``cause`` is ``ok`` or why not, ``detail`` says more, ``secrets`` must not be shown.

    :ivar sent: whether credentials were sent.
    :ivar proxy: the host and port of the proxy that was used, "" without.
    :ivar at_proxy: whether it was the proxy that failed.
    :ivar held_back: to whom containerd would give credentials that are needed to go on; "" usually.
    :ivar findings: to whom it would give them although it could go on without.
    :ivar fix: what to do, if the server has said more than its status; "" usually.
    :ivar digest: of the manifest, if its endpoint names it; "" otherwise.
    """

    cause: str
    detail: str
    status: int | None = None
    auth: str = "none"
    times: dict[str, float | None] = dict.fromkeys(PHASES)
    certificate: Certificate | None = None
    protocol: str = ""
    secrets: tuple[str, ...] = ()
    sent: bool = False
    proxy: str = ""
    at_proxy: bool = False
    held_back: str = ""
    findings: tuple[str, ...] = ()
    digest: str = ""
    fix: str = ""


class Describer:
    """Makes results for the endpoints of one node."""

    def __init__(self, node: NodeHosts) -> None:
        self._node = node
        configs = {
            key: {"auth": {**table, "identity_token": table.get("identitytoken", "")}}
            for key, table in node.auth.items()
        }
        self._config = NodeConfig({"mirrors": {}, "configs": configs})
        self._secrets = [*known_secrets({"configs": configs}), *secrets_of_headers(node.headers())]

    def result(self, target: Target, probed: Probed) -> dict[str, Any]:
        """The dict that the module returns for a target."""
        host = target.host
        endpoint = host.url if host is not None else ""
        secrets = self._secrets
        # Before anything is cut: half a secret would not be found any more. Tokens are masked here only: a server
        # chooses its own, and could make an endpoint's name unreadable.
        sent = sorted({*probed.secrets, *secrets}, key=len, reverse=True)
        probed = probed._replace(detail=_without(probed.detail, sent)[:_LONGEST_DETAIL])
        message, fix = self._words(target, probed)
        message = " ".join([message, *probed.findings])
        if probed.findings and not fix:
            fix = _exposure_fix(host.host if host is not None else "")
        return {
            "image": visible(target.image.text) if target.image is not None else "",
            "registry": visible(target.registry),
            "kind": target.kind,
            "endpoint": visible(redact(endpoint, secrets)),
            "url": visible(redact(target.url, secrets)),
            "cause": probed.cause,
            "message": visible(redact(message, secrets)),
            "fix": visible(redact(fix, secrets)),
            "findings": [visible(redact(text, secrets)) for text in (probed.held_back, *probed.findings) if text],
            "status": probed.status,
            "times": dict(probed.times),
            "auth": probed.auth,
            "certificate": _certificate(probed, secrets),
        }

    def _words(self, target: Target, probed: Probed) -> tuple[str, str]:
        host = target.host.host if target.host is not None else ""
        detail = probed.detail
        if probed.cause == "ok":
            return f"{host}: {detail}.", ""
        if probed.held_back:
            return f"{probed.held_back} {_HELD_BACK} ({detail})", _exposure_fix(host)
        if probed.at_proxy:
            return _proxy_words(host, probed, detail)
        if target.kind == "embedded" and probed.cause == "not_found":
            return f"No node of the cluster has {_image(target)} to share. ({detail})", _NOTHING_TO_SHARE
        if target.kind == "embedded" and probed.cause == "tls_name_mismatch":
            return f"The embedded registry's certificate is not for {host}. ({detail})", _NO_NAME
        values = self._values(target, host, probed)
        advice = ADVICE[probed.cause]
        message, fix = filled(advice.message, values), filled(advice.fix, values)
        more, instead = self._explained(target, host, probed)
        instead = filled(probed.fix, values) or instead
        more += target.note
        if probed.proxy:
            more += f" The request went through the proxy {probed.proxy}, see HTTPS_PROXY and NO_PROXY of the service."
        return f"{message}{more} ({detail})", instead or fix

    def _values(self, target: Target, host: str, probed: Probed) -> dict[str, str]:
        key = self._key(host)
        mirror = f'mirrors."{target.registry}"'
        file = probed.detail.partition(": ")[0]
        setting = "ca_file" if probed.cause.startswith("ca_") else "cert_file (or key_file)"
        return {
            "host": host or "the registry",
            "configs": f'configs."{key}"',
            "endpoints": mirror + ".endpoint",
            "mirror": mirror,
            "image": _image(target),
            "repository": target.repository or "its repositories",
            "file": f" ({file})" if file.startswith("/") else "",
            "setting": f'configs."{key}".tls.{setting}',
        }

    def _key(self, host: str) -> str:
        keys = credential_keys(host)
        return next((key for key in keys if key in self._node.auth), keys[0])

    def _explained(self, target: Target, host: str, probed: Probed) -> tuple[str, str]:
        """What the node's settings add: a sentence for the message, and a better fix if there is one."""
        tls = target.host.tls if target.host is not None else {}
        if probed.cause == "tls_unknown_authority" and tls.get("ca_files"):
            files = ", ".join(tls["ca_files"])
            return f" The configured CA ({files}) is not the one that signed it.", ""
        if probed.cause == "client_cert_required":
            return " A client certificate is configured, so it was not taken." * bool(tls.get("client_pairs")), ""
        if probed.cause not in ("unauthorized", "forbidden", "token_refused"):
            return "", ""
        hint = hint_for(probed.cause, probed.status or 0, host, self._config.user(host))
        values = self._values(target, host, probed)
        known = (" " + filled(hint.message, values), filled(hint.fix, values)) if hint is not None else ("", "")
        if probed.sent:
            return known
        if not self._node.auth_readable:
            return " The credentials in config.toml are not as K3s writes them (a template?) and were not used.", ""
        misplaced = self._config.misplaced_auth(host, target.registry)
        if misplaced is not None:
            return (
                f' There are credentials under configs."{misplaced}", which are not for {host}: keys are compared byte'
                " for byte, port and case included.",
                f'Move the credentials from configs."{misplaced}".auth to configs."{host}".auth and restart K3s.',
            )
        return known if hint is not None else (f" No credentials are configured for {host}.", "")


def _image(target: Target) -> str:
    return target.image.text if target.image is not None else f"images of {target.registry}"


def _exposure_fix(host: str) -> str:
    return (
        f"See that {host} leads to nobody but itself and a token server with TLS: correct its realm or redirect, or the"
        " endpoint if that is not the registry it should be. Change a password that containerd has sent there already."
    )


def _proxy_words(host: str, probed: Probed, detail: str) -> tuple[str, str]:
    name = host.rpartition(":")[0] or host
    return (
        f"The proxy {probed.proxy}, through which the service asks {host}, does not let it through. ({detail})",
        f"Make the proxy work for {host}, or add {name} to NO_PROXY in the environment of the K3s service (beside its"
        " HTTPS_PROXY) and restart it.",
    )


def _certificate(probed: Probed, secrets: Iterable[str]) -> dict[str, Any] | None:
    found = probed.certificate
    if found is None:
        return None
    return {
        "subject": visible(redact(found.subject, secrets)),
        "issuer": visible(redact(found.issuer, secrets)),
        "not_after": utc_text(found.not_after),
        "days_left": found.days_left(time.time()),
        "protocol": probed.protocol,
    }


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
