# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a credential lives: the one place that knows, for lint, info, verify and the report.

Some users' passwords live for hours (ECR's user AWS), some tokens say themselves when they end (a JWT's exp), and
somebody may have noted when others do (auth.expires). That last is not proven: the registry may go on accepting them.
registries.yaml is read when K3s starts, so that either ends long before anybody looks at the file again.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.in_force import in_force
from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.stated import begin_of

HOUR = 3600
DAY = 24 * HOUR
#: From how long before its end on a credential is worth a word.
NEAR = 30 * DAY
_LONGEST_TOKEN = 16384


class Kind(NamedTuple):
    """Credentials that live for a known time.

    what: their name, as a sentence begins with it. seconds: how long they live, 0 for as long as the job that got them.
    instead: what to use, since this ends.
    """

    what: str
    seconds: int
    instead: str


_ECR = Kind(
    "A password for the user AWS (Amazon ECR)",
    12 * HOUR,
    "Let the kubelet fetch it: ecr-credential-provider (--image-credential-provider-bin-dir and -config), with no "
    "restart. Or write a new one, and restart K3s, before each end.",
)
_GOOGLE = Kind(
    "A Google access token",
    HOUR,
    "Use a service account's key with the user _json_key, or let the kubelet fetch tokens: gcp-credential-provider.",
)
_AZURE = Kind(
    "What az acr login --expose-token gives",
    3 * HOUR,
    "Use a token of the registry's (az acr token create) or a service principal, or let the kubelet fetch tokens: "
    "acr-credential-provider.",
)
_GITLAB_JOB = Kind("The token of a GitLab CI job", 0, "Use a deploy token or a group access token with read_registry.")
_GITHUB_APP = Kind(
    "A token of a GitHub App, GITHUB_TOKEN among them",
    HOUR,
    "Use a personal access token (classic) with read:packages.",
)
_GITHUB_USER = Kind(
    "A user's token of a GitHub App", 8 * HOUR, "Use a personal access token (classic) with read:packages."
)
_IBM = Kind("An IBM Cloud IAM access token", HOUR, "Use an API key with the user iamapikey.")
_ALIBABA = Kind(
    "A login of Alibaba's cr_temp_user", HOUR, "Use the fixed password of the registry's access credential."
)
_ORACLE = Kind("A bearer token of Oracle's registry", HOUR, "Use an auth token of a user.")
_YANDEX = Kind("A Yandex Cloud IAM token", 12 * HOUR, "Use a service account's key with the user json_key.")
_OPENSHIFT = Kind("An OpenShift login token", DAY, "Use the token of a service account.")

#: By the user's name.
_USERS = {
    "AWS": _ECR,
    "oauth2accesstoken": _GOOGLE,
    "_dcgcloud_token": _GOOGLE,
    "00000000-0000-0000-0000-000000000000": _AZURE,
    "gitlab-ci-token": _GITLAB_JOB,
    "x-access-token": _GITHUB_APP,
    "iambearer": _IBM,
    "cr_temp_user": _ALIBABA,
    "iam": _YANDEX,
}
#: By how the password begins.
_PASSWORDS = (
    ("ya29.", _GOOGLE),
    ("ghs_", _GITHUB_APP),
    ("ghu_", _GITHUB_USER),
    ("glcbt-", _GITLAB_JOB),
    ("sha256~", _OPENSHIFT),
)
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]*\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*\Z")


class Lifetime(NamedTuple):
    """How long a credential lives: from when it was made (`kind.seconds`), or to a moment of its own (`ends`).

    stated: the day that somebody has noted, "" if its end is proven.
    """

    kind: Kind
    ends: float = 0.0
    stated: str = ""

    def deadline(self, not_after: float) -> float:
        """When it ends at the latest, if it was made no later than `not_after`; 0 if that cannot be told."""
        if self.ends:
            return self.ends
        return not_after + self.kind.seconds if not_after and self.kind.seconds else 0.0

    def sentence(self, now: float) -> str:
        """How long it lives, in words."""
        if self.ends:
            when = self.stated or stamp(self.ends)
            return f"{self.kind.what} {'ended' if self.ends <= now else 'ends'} on {when}"
        if not self.kind.seconds:
            return f"{self.kind.what} ends with the job"
        hours = self.kind.seconds // HOUR
        return f"{self.kind.what} lives {hours} hour{'' if hours == 1 else 's'}"

    def is_near(self, now: float) -> bool:
        """Whether its end is near enough to be told: it lives for hours, or its own end is near or past."""
        return not self.ends or self.ends <= now + NEAR


_TOKEN = Kind(
    "The token", 0, "Get a new one, and restart K3s; a token without an end, or one that is renewed, is better."
)
_STATED = Kind(
    "The password or token, by auth.expires,",
    0,
    "Renew it at the registry, and write the new one and its end into k3s_registries.",
)


def lifetime(auth: Mapping[str, Any], expires: str = "") -> Lifetime | None:
    """How long the credentials live that containerd takes out of `auth`; None if nothing tells.

    expires: the day that is stated for them, "" for none. What they say themselves counts more.
    """
    used = in_force(auth)
    if used is None or not used.secret:
        return None
    user, password = used
    ends = _end_of_jwt(password)
    if user in _USERS or user.endswith("/BEARER_TOKEN"):
        return Lifetime(_USERS.get(user, _ORACLE), ends)
    for beginning, kind in _PASSWORDS:
        if password.startswith(beginning):
            return Lifetime(kind)
    if ends:
        return Lifetime(_TOKEN, ends)
    return Lifetime(_STATED, begin_of(expires), expires) if expires else None


def stamp(epoch: float) -> str:
    """A moment as people read it: 2026-11-26 12:00 UTC."""
    try:
        return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):
        return "a day beyond all calendars"


def _end_of_jwt(token: str) -> float:
    """When a JWT ends by its own exp (RFC 7519 section 4.1.4), 0 if it is none or has none."""
    match = _JWT.match(token) if len(token) <= _LONGEST_TOKEN else None
    if match is None:
        return 0.0
    payload = match.group(1)
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return 0.0
    end = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(end, bool) or not isinstance(end, (int, float)) or not 0 < end < 1e13:
        return 0.0
    return float(end)
