# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis of one failed pull, as users get it."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor

from .advice import ADVICE, filled
from .attempts import Pull
from .blame import Verdict, judge
from .explanation import explain
from .image_names import DOCKER_HUB_HOSTS
from .node_config import NodeConfig

_MAX_EVIDENCE_LINES = 12
_MAX_EVIDENCE_LENGTH = 4096
_MAX_REASON_LENGTH = 400

_FILE = re.compile(r'(?:CA cert|CERT file|CA file|cert file|key file) "([^"]*)"')
# What wraps the reason: the image, the reference, the request.
_WRAPPING = re.compile(
    r'^(?:rpc error: code = \w+ desc = |failed to get sandbox image "[^"]*": |failed to start sandbox "[^"]*": '
    r'|failed to pull (?:and unpack )?image "[^"]*": |failed to resolve (?:reference|image)(?: "[^"]*")?: '
    r"|failed to copy: |httpReade?r?Seeker: |failed open: |failed to do request: |status: )+"
)


def diagnose(pull: Pull, config: NodeConfig) -> dict[str, Any]:
    """``{image, cause, endpoint, message, fix, evidence}`` of a failed pull, without secrets.

    ``endpoint`` is None if a file of the node is the cause or the log does not decide. ``evidence`` are the lines
    of the log that led to it, oldest first.
    """
    redactor = Redactor(config.secrets)
    verdict = judge(pull, config)
    values = _values(pull, verdict, config)
    advice = ADVICE[verdict.cause]
    message = filled(advice.message, values)
    fix = filled(advice.fix, values)
    explanation = explain(pull, verdict, config)
    if explanation:
        message += " " + explanation.message
        fix = explanation.fix or fix
    if verdict.finding.proxy:
        message += " The request went through a proxy, see HTTPS_PROXY and NO_PROXY of the K3s service."
    # Redacted before it is cut: half a secret is one still, but is no longer recognised.
    reason = redactor.text(_WRAPPING.sub("", verdict.error))[:_MAX_REASON_LENGTH]
    if reason:
        message += " (" + reason + ")"
    return {
        "image": redactor.text(pull.image.full),
        "cause": verdict.cause,
        "endpoint": redactor.text(verdict.endpoint) if verdict.endpoint is not None else None,
        "message": redactor.text(message),
        "fix": redactor.text(fix),
        "evidence": [line[:_MAX_EVIDENCE_LENGTH] for line in redactor.lines(_evidence(pull))],
    }


def _values(pull: Pull, verdict: Verdict, config: NodeConfig) -> dict[str, str]:
    registry = pull.image.registry
    host = verdict.endpoint
    configs = f'configs."{config.settings(host)[0]}"' if host else _configs_of_registry(pull, config)
    mirror = f'mirrors."{config.mirror_key(registry) or registry}"'
    file = _FILE.search(verdict.error)
    setting = config.file_setting(file.group(1)) if file else None
    if "is a directory" in verdict.error:
        setting = config.half_pair() or setting
    if verdict.cause.startswith("ca_"):
        setting = setting or configs + ".tls.ca_file"
    else:
        setting = setting or configs + ".tls.cert_file (or key_file)"
    if setting.startswith("configs.") and ".tls." in setting:
        configs = setting.split(".tls.", 1)[0] if not host else configs
    return {
        "host": host or "the registry",
        "configs": configs,
        "endpoints": mirror + ".endpoint",
        "mirror": mirror,
        "image": pull.image.full,
        "repository": pull.image.repository,
        "file": " (" + file.group(1) + ")" if file else "",
        "setting": setting,
    }


def _configs_of_registry(pull: Pull, config: NodeConfig) -> str:
    """The entry of ``configs`` for a file of the node, whose endpoint the log does not name."""
    registry = pull.image.registry
    for endpoint in config.endpoints(registry):
        if config.settings(endpoint.host)[1]:
            return f'configs."{config.settings(endpoint.host)[0]}"'
    if config.known and not config.endpoints(registry):
        return f'configs."{registry}"'
    if registry in DOCKER_HUB_HOSTS:
        return 'configs."<host of the endpoint>"'
    return f'configs."<host of the endpoint, or {registry}>"'


def _evidence(pull: Pull) -> list[str]:
    events = [pull.undecoded] if pull.undecoded else []
    events.extend(attempt.event for attempt in pull.attempts)
    events = events[: _MAX_EVIDENCE_LINES - 2]
    events.extend(event for event in (pull.cancelled, pull.outcome) if event)
    return [event.line for event in events]
