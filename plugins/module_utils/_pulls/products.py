# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal means at a product that is known by the user's name, the host's name or the status.

Products use one status for several faults: Harbor answers 401 for an expired robot and for a missing project, ECR
answers 403 for a password that is too old. The general advice for the cause would then lead the wrong way.

Sources: goharbor/harbor (``src/server/middleware``: ``security/robot.go``, ``v2auth/auth.go``, ``vulnerable``,
``contenttrust``), quay/quay (``endpoints/v2/v2auth.py``), and the products' documentation of deploy tokens (GitLab),
of ``GetAuthorizationToken`` (ECR) and of remote repositories (Artifact Registry).
"""

from __future__ import annotations

import re
from typing import NamedTuple, Pattern


class Hint(NamedTuple):
    """A sentence for the message, and a fix in place of the cause's own. Placeholders as in :mod:`advice`."""

    message: str
    fix: str


class _Rule(NamedTuple):
    """When a hint is given: everything that is set has to fit."""

    causes: tuple[str, ...]
    hint: Hint
    host: Pattern[str] | None = None
    user: Pattern[str] | None = None
    status: int = 0


_ECR = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?")
_GOOGLE = re.compile(r"[a-z0-9-]{1,40}-docker\.pkg\.dev")
_DEPLOY_TOKEN = re.compile(r"gitlab\+deploy-token-\d{1,20}")
_HARBOR_ROBOT = re.compile(r"robot\$.{1,255}", re.DOTALL)
_QUAY_ROBOT = re.compile(r"[a-z0-9_.-]{1,255}\+[a-z0-9_.-]{1,255}")

_RULES = (
    _Rule(
        ("forbidden",),
        Hint(
            "A policy of its project holds the image back (412): it has vulnerabilities, was not scanned or is not"
            " signed.",
            "Scan, sign or replace {image}, or change the policy of its project at {host}; {configs}.auth is not the"
            " reason.",
        ),
        status=412,
    ),
    _Rule(
        ("unauthorized", "forbidden"),
        Hint(
            "ECR's passwords live for 12 hours and belong to one region and account.",
            "Let the kubelet fetch the password (k3s_registries_credential_providers) for pods whose images are named"
            " after {host}, and give the machine's role the right to pull {repository}.",
        ),
        host=_ECR,
    ),
    _Rule(
        ("token_refused", "forbidden"),
        Hint(
            "Google answers the same if there is no such repository.",
            "Check that the repository exists, and that the service account of {configs}.auth has the role Artifact"
            " Registry Reader on it.",
        ),
        host=_GOOGLE,
    ),
    _Rule(
        ("token_refused",),
        Hint(
            "The deploy token has expired, was revoked, or its secret is misspelt.",
            "Compare {configs}.auth with the deploy token, or make a new one with read_registry (for a group's"
            " dependency proxy with write_registry too), and set {configs}.auth to it.",
        ),
        user=_DEPLOY_TOKEN,
    ),
    _Rule(
        ("forbidden",),
        Hint(
            "The deploy token is of another project or group, or lacks a scope.",
            "Make a deploy token with read_registry in the group or project of {repository}, and set {configs}.auth to"
            " it.",
        ),
        user=_DEPLOY_TOKEN,
    ),
    _Rule(
        ("unauthorized",),
        Hint(
            "Harbor answers the same for a robot that has expired, was disabled or may not pull this, and for a project"
            " that does not exist.",
            "Check in Harbor that the project exists, and that the robot is active, has not expired and may pull from"
            " it; then set {configs}.auth to its present secret.",
        ),
        user=_HARBOR_ROBOT,
    ),
    _Rule(
        ("unauthorized",),
        Hint(
            "Quay answers the same for a repository that does not exist.",
            "Check that the repository or the proxy organization exists, and give the robot of {configs}.auth the right"
            " to read it.",
        ),
        user=_QUAY_ROBOT,
    ),
)


def hint_for(cause: str, status: int, host: str, user: str) -> Hint | None:
    """What is known about a refusal, None usually.

    :param status: the HTTP status, 0 if there was none.
    :param host: of the endpoint, with its port.
    :param user: whose credentials are configured for it, "" if none are.
    """
    for rule in _RULES:
        if cause not in rule.causes or (rule.status and rule.status != status):
            continue
        if rule.host is not None and not rule.host.fullmatch(host):
            continue
        if rule.user is not None and not rule.user.fullmatch(user):
            continue
        return rule.hint
    return None
