# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a copy fails: a cause, whose it is, what was seen, and whether the registry as a whole is to blame.

The causes are those of the collection's pull diagnosis where one fits; ``target_full`` and ``read_only`` are the
mirror's own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure


class Trouble(NamedTuple):
    """What of a :class:`RegistryFailure` travels; its arguments, in order."""

    cause: str
    host: str
    seen: str = ""
    said: str = ""
    advice: str = ""


class RegistryFailure(Exception):
    """A registry, or what stands in for one, did not do what was asked. Its text is the sentence for people.

    :ivar cause: such as ``unauthorized`` or ``rate_limited``.
    :ivar host: whose failure it is: a registry's host, or the path of a layout or a tarball.
    :ivar seen: what we saw, in our own words.
    :ivar said: what the other side said; must hold no secret.
    :ivar advice: what it is and what to do, if it is not what the cause always is.
    :ivar side: ``src`` or ``dest``, the side of the copy that it happened on; "" if it is neither's.
    :ivar whole: nothing else can succeed there either, so that nothing else need be tried.
    :ivar retry_after: seconds that the registry asked for; None if it did not.
    """

    def __init__(
        self, cause: str, host: str, seen: str = "", said: str = "", advice: str = "", side: str = "",
        whole: bool | None = None, retry_after: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(cause, host)
        self.cause = cause
        self.host = host
        self.seen = seen
        self.said = said
        self.advice = advice
        self.side = side
        self.whole = cause in _WHOLE if whole is None else whole
        self.retry_after = retry_after

    def __str__(self) -> str:
        text = "%s: %s" % (self.host, self.advice or ADVICE.get(self.cause, "it failed"))
        if self.seen:
            text += " (%s)" % self.seen
        if self.said:
            text += " (it said: %s)" % self.said
        return text

    @property
    def worth_another_try(self) -> bool:
        """The registry may answer differently in a moment."""
        return self.cause in RETRIED

    @property
    def trouble(self) -> Trouble:
        """What another image is to know of it."""
        return Trouble(self.cause, self.host, self.seen, self.said, self.advice)


RETRIED = frozenset({"rate_limited", "server_error", "connection_reset", "timeout"})

_WHOLE = frozenset({
    "unauthorized", "token_refused", "tls_unknown_authority", "tls_expired", "tls_not_yet_valid", "tls_name_mismatch",
    "client_cert_required", "client_cert_rejected", "http_server_https_client", "not_tls", "connection_refused",
    "dns_failure", "no_route", "read_only",
})  # fmt: skip

ADVICE = {
    "unauthorized": "it does not accept the credentials: check the user's name and password",
    "token_refused": "its token server does not accept the credentials: check the user's name and password",
    "forbidden": "the user may not do this here: check its permissions, and that the project exists",
    "tls_unknown_authority": "its certificate is of an unknown authority: give its CA with tls.ca_src",
    "tls_expired": "its certificate has expired: renew it, or set this machine's clock",
    "tls_not_yet_valid": "its certificate is not valid yet: set this machine's clock",
    "tls_name_mismatch": "its certificate is for another name: use the name that is in it",
    "client_cert_required": "it wants a client certificate: give tls.cert_src and tls.key_src",
    "client_cert_rejected": "it does not accept the client certificate: check tls.cert_src, its issuer and its dates",
    "http_server_https_client": "it speaks http and not https: write its endpoint with http://",
    "not_tls": "it does not speak TLS: check the port, or write its endpoint with http://",
    "connection_refused": "nothing listens there: check the host, the port and that it runs",
    "connection_reset": "it broke the connection off",
    "dns_failure": "its name is not known here: check its spelling and this machine's name server",
    "no_route": "there is no way to it from this machine",
    "timeout": "it did not answer in time",
    "rate_limited": "it asks to go slower (429): give it credentials, or more time with retries",
    "server_error": "it had an error of its own: look into its log",
    "target_full": "it has no space left: give it more, or clean it up",
    "read_only": "it accepts no uploads: it is read-only or a proxy; end its maintenance or choose another",
    "not_found": "it does not have it",
    "blob_missing": "it lacks a part of the image",
    "platform_missing": "the image does not exist for the platform",
    "stopped": "the mirror was stopped",
    "digest_mismatch": "what came is not what the digest promises: the content is damaged, or is another",
    "not_http": "what it answers is not HTTP: check the port",
    "not_a_registry": "it does not answer as a registry does: check the address",
    "manifest_unsupported": "what it has under this name cannot be used",
    "token_server_unavailable": "its token server gives no token",
}

# What registries say of their disks, and skopeo of a tarball; most telling first.
_WORDINGS = (
    ("target_full", r"no space left on device|disk quota exceeded|insufficient storage|\b507\b|quota.{0,40}exceed|"
                    r"will exceed the configured upper limit|"
                    r"'Err': (?:28|122)\b"),
    ("read_only", r"to a proxy project|in read.only mode|currently read-only"),
    ("digest_mismatch", r"digest did not match|does not match expected digest|digest mismatch|mismatched digest"),
    ("not_found", r"not found in"),
)  # fmt: skip
_PATTERNS = tuple((cause, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for cause, pattern in _WORDINGS)


def cause_of(text: str) -> str:
    """The cause that a program's or library's message tells of; ``unknown`` if none is known."""
    for cause, pattern in _PATTERNS:
        if pattern.search(text):
            return cause
    return "unknown"


def of_status(status: int, host: str, detail: str = "", retry_after: float | None = None) -> RegistryFailure:
    """The failure that an HTTP status means."""
    causes = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "read_only", 429: "rate_limited"}
    cause = causes.get(status, "target_full" if status == 507 else "server_error" if status >= 500 else "unknown")
    worded = cause_of(detail) if status >= 500 or status == 403 else ""
    if worded in ("target_full", "read_only"):
        cause = worded
    # A 403 is about one project: another may take uploads.
    whole = False if status == 403 else None
    said = ("HTTP %d %s" % (status, detail)).strip()
    return RegistryFailure(cause, host, said=said, whole=whole, retry_after=retry_after)


def of_failure(error: Failure, host: str) -> RegistryFailure:
    """The failure of a connection or of an answer, as the mirror tells it."""
    return RegistryFailure(error.cause, host, seen=error.detail if error.cause in ("unknown", "not_http") else "")
