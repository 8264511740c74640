# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials: what containerd makes of `auth`. No value of a secret appears in any finding."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.lifetime import lifetime
from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.stated import KEY
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD

from .catalogue import ERROR, WARNING, Findings, checks, declare
from .naming import listed, path, quoted
from .schema import AUTH
from .subject import Subject

_PARSE_AUTH = "containerd internal/cri/server/images/image_pull.go ParseAuth"

WILDCARD_AUTH = declare(
    "K3R220",
    ERROR,
    "Credentials for all registries",
    'containerd looks credentials up by host: those under configs."*" are never used.',
    "https://github.com/k3s-io/k3s/issues/11352, https://github.com/k3s-io/k3s/issues/12326",
    "Write them under the host[:port] of each endpoint.",
)
AUTH_NOT_BASIC = declare(
    "K3R221",
    ERROR,
    "auth.auth is not base64 of user:password",
    "containerd decodes it and splits it at the colon; anything else, such as an access token, fails every pull with "
    "invalid decoded auth.",
    "https://github.com/k3s-io/k3s/issues/12438; " + _PARSE_AUTH,
    "Use username and password; an access token is a password, with the user name that the registry documents.",
)
PASSWORD_WITHOUT_USER = declare(
    "K3R222",
    ERROR,
    "Password without user name",
    "Without a user name the password is ignored, and the pull is anonymous.",
    _PARSE_AUTH,
    "Give username as well; for an access token the one that the registry documents.",
)
USER_WITHOUT_PASSWORD = declare(
    "K3R223",
    ERROR,
    "User name without password",
    "The user name alone decides: it is sent with an empty password, and auth or identity_token beside it is ignored.",
    _PARSE_AUTH,
    "Give password as well (is the variable that holds it empty?), or remove username.",
)
SEVERAL_CREDENTIALS = declare(
    "K3R224",
    WARNING,
    "More than one kind of credentials",
    "Only one is used: username and password before identity_token before auth.",
    _PARSE_AUTH,
    "Leave only one.",
)
NO_CREDENTIALS = declare(
    "K3R225",
    WARNING,
    "Empty auth",
    "K3s writes an empty table of credentials, and the pull is anonymous.",
    _PARSE_AUTH,
    "Give credentials (is the variable that holds them empty?), or remove auth.",
)
AUTH_OVER_HTTP = declare(
    "K3R226",
    WARNING,
    "Credentials over http",
    "The password travels unencrypted with every pull.",
    "RFC 7617 section 4",
    "Use https, if need be with a CA of your own.",
)
BLANKS_AROUND = declare(
    "K3R227",
    WARNING,
    "Blank or line break at the edge of a credential",
    "It is sent as part of the credential; a line break from a file or a YAML block (|) is the usual cause.",
    _PARSE_AUTH,
    "Remove it: | trim in a template, |- for a YAML block.",
)
COLON_IN_USER = declare(
    "K3R228",
    ERROR,
    "Colon in the user name",
    "Basic authentication separates user and password at the first colon: the registry sees another user.",
    "RFC 7617 section 2",
    "Use a user name without a colon.",
)
EXPIRES = declare(
    "K3R229",
    WARNING,
    "Credentials that expire",
    "K3s reads registries.yaml when it starts: once the credentials have ended, every pull is refused until somebody "
    "writes new ones and restarts K3s. Known are the users of ECR, Google, ACR, GitLab's and GitHub's jobs, IBM, "
    "Alibaba, Oracle, Yandex and OpenShift, tokens that say themselves when they end (a JWT's exp), and what "
    "k3s_registries says with auth.expires; the last two if that is past or within 30 days.",
    "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_AuthorizationData.html; "
    "https://github.com/k3s-io/k3s/issues/1427, https://github.com/k3s-io/k3s/issues/10553; RFC 7519 section 4.1.4",
    "Use credentials that last, or let the kubelet fetch them with a credential provider.",
)


def _auths(subject: Subject) -> Iterator[tuple[str, dict[str, str]]]:
    for host, settings in subject.configs.items():
        if settings["auth"] is not None:
            yield host, settings["auth"]


@checks(WILDCARD_AUTH)
def credentials_for_all(subject: Subject) -> Findings:
    if subject.configs.get(WILDCARD, {}).get("auth") is not None:
        hosts = listed([quoted(host) for host in list(subject.endpoint_hosts)[:3]])
        fix = f"Write them under the endpoint's host: {hosts}." if hosts else ""
        yield WILDCARD_AUTH.finding(path("configs", WILDCARD, "auth"), 'credentials under "*" are never used', fix)


@checks(AUTH_NOT_BASIC)
def auth_that_is_not_basic(subject: Subject) -> Findings:
    for host, auth in _auths(subject):
        value = auth["auth"]
        if not value:
            continue
        problem = _problem_of_auth(value)
        if problem:
            yield AUTH_NOT_BASIC.finding(path("configs", host, "auth", "auth"), problem)


def _problem_of_auth(value: str) -> str:
    """What is wrong with `auth.auth`, without quoting any of it. Go's decoder skips line breaks and wants padding."""
    if value.split(" ")[0].lower() in ("basic", "bearer"):
        return f"begins with {value.split(' ')[0].capitalize()}: only the base64 text belongs here"
    try:
        decoded = base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        if ":" in value:
            return "is clear text; base64 of it is wanted"
        return "is not base64"
    if b":" not in decoded:
        return "is base64 of something without a colon, so of no user:password"
    return ""


@checks(PASSWORD_WITHOUT_USER)
def passwords_without_user(subject: Subject) -> Findings:
    for host, auth in _auths(subject):
        if auth["password"] and not auth["username"]:
            yield PASSWORD_WITHOUT_USER.finding(
                path("configs", host, "auth", "password"), "there is no username: the password is ignored"
            )


@checks(USER_WITHOUT_PASSWORD)
def users_without_password(subject: Subject) -> Findings:
    for host, auth in _auths(subject):
        if auth["username"] and not auth["password"]:
            others = [key for key in ("identity_token", "auth") if auth[key]]
            message = "the password is empty or missing"
            if others:
                message += f", and {listed(others, 'and')} is ignored"
            yield USER_WITHOUT_PASSWORD.finding(path("configs", host, "auth", "username"), message)


@checks(SEVERAL_CREDENTIALS)
def several_credentials(subject: Subject) -> Findings:
    for host, auth in _auths(subject):
        given = [name for name in ("password", "identity_token", "auth") if auth[name]]
        if auth["username"] and auth["password"] and len(given) > 1:
            ignored = given[1:]
        elif not auth["username"] and auth["identity_token"] and auth["auth"]:
            ignored = ["auth"]
        else:
            continue
        verb = "is" if len(ignored) == 1 else "are"
        yield SEVERAL_CREDENTIALS.finding(path("configs", host, "auth"), f"{listed(ignored, 'and')} {verb} ignored")


@checks(NO_CREDENTIALS)
def empty_credentials(subject: Subject) -> Findings:
    for host, auth in _auths(subject):
        if not any(auth.values()) and host != WILDCARD:
            yield NO_CREDENTIALS.finding(path("configs", host, "auth"), "holds no credentials: the pulls are anonymous")


@checks(AUTH_OVER_HTTP)
def credentials_over_http(subject: Subject) -> Findings:
    for host in subject.configs:
        if not subject.has_auth(host):
            continue
        plain = subject.plain_url(host)
        if plain:
            yield AUTH_OVER_HTTP.finding(
                path("configs", host, "auth"), f"the credentials are sent unencrypted to {quoted(plain)}"
            )


@checks(BLANKS_AROUND)
def blanks_around_credentials(subject: Subject) -> Findings:
    for host, auth in _auths(subject):
        for key in AUTH:
            if auth[key] != auth[key].strip():
                yield BLANKS_AROUND.finding(
                    path("configs", host, "auth", key), f"{key} begins or ends with a blank or line break"
                )


@checks(COLON_IN_USER)
def colons_in_users(subject: Subject) -> Findings:
    for host, auth in _auths(subject):
        if ":" in auth["username"]:
            yield COLON_IN_USER.finding(path("configs", host, "auth", "username"), "the user name holds a colon")


@checks(EXPIRES)
def credentials_that_expire(subject: Subject) -> Findings:
    now = time.time()
    for host, auth in _auths(subject):
        life = lifetime(auth, subject.shipped.get(host, {}).get(KEY, ""))
        if life is not None and life.is_near(now):
            yield EXPIRES.finding(path("configs", host, "auth"), life.sentence(now), life.kind.instead)
