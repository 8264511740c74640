# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a server did not answer: a cause, in the same words as the diagnosis of containerd's log, and what was seen.

The causes of operating-system and TLS errors are those that the diagnosis gives to Go's wording of the same error, so
that probe and diagnosis never call one fault by two names.
"""

from __future__ import annotations

import errno
import http.client
import ssl

_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EPERM, errno.EACCES)
_BROKEN = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN, errno.ENOTCONN)

# OpenSSL's names of the alerts that a server sends; 1.1 and 3.x prefix them differently. A missing certificate is
# answered "handshake failure" before TLS 1.3 (OpenSSL) or "bad certificate" (Go).
_ALERTS = (
    ("CERTIFICATE_REQUIRED", "client_cert_required"),
    ("ALERT_HANDSHAKE_FAILURE", "client_cert_required"),
    ("ALERT_BAD_CERTIFICATE", "client_cert_required"),
    ("ALERT_UNKNOWN_CA", "client_cert_rejected"),
    ("ALERT_CERTIFICATE_EXPIRED", "client_cert_rejected"),
    ("ALERT_CERTIFICATE_REVOKED", "client_cert_rejected"),
    ("ALERT_CERTIFICATE_UNKNOWN", "client_cert_rejected"),
    ("ALERT_UNSUPPORTED_CERTIFICATE", "client_cert_rejected"),
    ("ALERT_ACCESS_DENIED", "client_cert_rejected"),
    ("ALERT_DECRYPT_ERROR", "client_cert_rejected"),
    ("UNRECOGNIZED_NAME", "tls_name_mismatch"),
)
# OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, _CERT_NOT_YET_VALID, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH,
# _PERMITTED_VIOLATION and _EXCLUDED_VIOLATION; every other is about who has signed it.
EXPIRED, NOT_YET_VALID, NAME_CONSTRAINTS = 10, 9, (47, 48)
_VERIFICATION = {
    EXPIRED: "tls_expired",
    NOT_YET_VALID: "tls_not_yet_valid",
    **dict.fromkeys((62, 64, *NAME_CONSTRAINTS), "tls_name_mismatch"),
}
_SHOWN_CERTIFICATE = ("client_cert_required", "ALERT_BAD_CERTIFICATE")


class Failure(Exception):
    """There is no answer, or none that can be used.

    :ivar cause: one of the causes of ``_pulls.advice.ADVICE``.
    :ivar detail: what was seen. Names and addresses in it may be the other side's: it is shown through
        :mod:`visible` only.
    :ivar status: the HTTP status if there was one.
    :ivar token: it happened on the way to a token, not at the registry itself.
    :ivar at_proxy: it happened at the proxy, and nothing is known of the registry.
    :ivar fix: what to do, if the server has said more than its status; "" usually.
    :ivar at_handshake: there was no TLS, right certificate or not, so that nothing was asked.
    """

    def __init__(self, cause: str, detail: str, status: int | None = None, token: bool = False) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail
        self.status = status
        self.token = token
        self.at_proxy = False
        self.fix = ""
        self.at_handshake = False


class TooLarge(Failure):
    """An answer is larger than it may be; ``detail`` says which part and how large it may be."""

    def __init__(self, detail: str) -> None:
        super().__init__("not_http", detail)


class Unverified(Failure):
    """A server's certificate does not verify; ``code`` is OpenSSL's number for why."""

    def __init__(self, code: int, doing: str) -> None:
        super().__init__(_VERIFICATION.get(code, "tls_unknown_authority"), f"{doing}: its certificate does not verify")
        self.code = code


def connection_failure(error: OSError, where: str) -> Failure:
    """The failure that an error of a socket stands for. `where` is what was being done, such as ``connect to x``."""
    if isinstance(error, ConnectionRefusedError):
        return Failure("connection_refused", f"{where}: connection refused")
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT or type(error).__name__ == "timeout":
        return Failure("timeout", f"{where}: timed out")
    if error.errno in _NO_ROUTE:
        return Failure("no_route", f"{where}: {error.strerror}")
    if error.errno in _BROKEN:
        return Failure("connection_reset", f"{where}: {error.strerror}")
    return Failure("unknown", f"{where}: {error.strerror or type(error).__name__}")


def tls_failure(error: ssl.SSLError, first_bytes: bytes, where: str, certificate_sent: bool) -> Failure:
    """The failure that an error of TLS stands for, other than a certificate that does not verify.

    :param first_bytes: what the server sent first: it tells plain HTTP from anything else that is no TLS.
    :param certificate_sent: whether a client certificate is configured.
    """
    reason = str(error.reason or "")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or reason == "UNEXPECTED_EOF_WHILE_READING":
        return Failure("connection_reset", f"{where}: the connection was closed")
    if first_bytes[:5] == b"HTTP/":
        return Failure("http_server_https_client", f"{where}: the answer is plain HTTP")
    if first_bytes and first_bytes[0] not in (20, 21, 22, 23):
        return Failure("not_tls", f"{where}: the answer does not look like TLS")
    for name, cause in _ALERTS:
        if reason.endswith(name):
            if certificate_sent and (cause, name) == _SHOWN_CERTIFICATE:
                cause = "client_cert_rejected"
            return Failure(cause, f"{where}: the server's alert says {_spoken(reason)}")
    if reason.endswith(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL")):
        return Failure("not_tls", f"{where}: the answer does not look like TLS")
    if reason.endswith(("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")):
        return Failure("unknown", f"{where}: the server speaks no TLS of version 1.2 or later, which containerd needs")
    return Failure("unknown", f"{where}: {_spoken(reason) or type(error).__name__}")


def _spoken(reason: str) -> str:
    words = reason.lower().split("_")
    if "alert" in words:
        words = words[words.index("alert") + 1 :]
    return '"' + " ".join(words) + '"' if words != [""] else ""


def http_failure(error: http.client.HTTPException, where: str) -> Failure:
    """The failure that an answer stands for which is no HTTP, or ends early."""
    if isinstance(error, (http.client.RemoteDisconnected, http.client.IncompleteRead)):
        return Failure("connection_reset", f"{where}: the connection was closed")
    return Failure("not_http", f"{where}: the answer is not HTTP")


def status_text(status: int) -> str:
    """``404 Not Found``: the standard's own words, never the server's."""
    return f"{status} {http.client.responses.get(status, '')}".strip()
