# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the text of an error to its cause.

The wordings are those of containerd 1.6, 1.7 and 2.x (``core/remotes/docker``, ``internal/cri``, in 1.x ``remotes`` and
``pkg/cri``) and of Go's ``net``, ``net/http``, ``crypto/tls`` and ``crypto/x509``, which containerd wraps unchanged.
Rules are tried in order, the first that fits decides: an error wraps others, so what names the place (a file, the
token server, the content) comes before what names the failure, and words that only end a sentence come last.

A registry writes part of these texts, so every repetition has an end: an expression that scans the rest of the line
from each place of it would hold a diagnosis for minutes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .image_names import mask_urls, parse_request

# Files on the node: no endpoint was asked, so none is to blame.
FILE_CAUSES = frozenset(
    ("ca_unreadable", "ca_invalid", "client_cert_unreadable", "client_key_mismatch", "hosts_toml_invalid")
)
# The order of containerd 2.x, which 1.x has not: an answer by HTTP says more than a connection that failed.
ANSWER_CAUSES = frozenset(
    ("unauthorized", "forbidden", "not_found", "rate_limited", "server_error", "blob_missing", "not_a_registry")
)


class Finding(NamedTuple):
    """What an error text says: its cause, the host it names ('' if none), the HTTP status (0 if none)."""

    cause: str
    host: str
    status: int
    token: bool
    proxy: bool


def _rules(*pairs: tuple[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((cause, re.compile(pattern, re.IGNORECASE)) for cause, pattern in pairs)


_FILES = _rules(
    ("ca_unreadable", r"unable to read CA cert|failed to load CA file|system cert pool|unable to initialize cert pool"),
    ("ca_invalid", r"unable to load CA cert"),
    ("client_key_mismatch", r"private key (?:type )?does not match public key"),
    (
        "client_cert_unreadable",
        r"unable to read (?:CERT|KEY) file|failed to load X509 key pair|failed to load cert file"
        r"|no corresponding (?:key|cert) file|tls: failed to (?:find|parse) [^:]{0,200}(?:PEM|private key)"
        r"|tls: found a certificate rather than a key",
    ),
    (
        "hosts_toml_invalid",
        r"hosts\.toml|invalid .host. tree|failed to parse TOML|toml: |no (?:resolve|pull) hosts|unable to parse server"
        r"|unknown capability|invalid (?:type|pair) .{0,200} for |(?:parse|get) registry endpoint|parse endpoint url",
    ),
)

_TOKEN = re.compile(
    r"failed to authorize|failed to fetch (?:anonymous|oauth) token|authorization server|token response"
    r"|token auth challenge",
    re.IGNORECASE,
)
_TOKEN_UNUSABLE = re.compile(
    r"did not include a token|unable to decode token response|token auth challenge", re.IGNORECASE
)

_CREDENTIALS = _rules(
    (
        "unauthorized",
        r"no basic auth credentials|invalid decoded auth|illegal base64 data|missing username or secret|invalid_token"
        r"|failed to find supported auth scheme|parse server address|authentication required",
    ),
    ("forbidden", r"insufficient_scope|access to the resource is denied"),
)

_CONTENT = _rules(
    (
        "digest_mismatch",
        r"unexpected commit (?:digest|size)|failed size validation|wrong diff id|diffIDs don't match|digest mismatch"
        r"|unexpected digest",
    ),
    ("platform_missing", r"no match for platform|no matching manifest for"),
    (
        "manifest_unsupported",
        r"no longer supported since containerd|schema ?1\b|manifest\.v1\+|media-type: expected"
        r"|rejecting \d{1,20} byte manifest|unsupported (?:manifest )?media ?type|unsupported manifest|unknown manifest"
        r"|no processor for media-type|mismatched image rootfs and manifest layers",
    ),
    (
        "not_a_registry",
        r"unexpected media type (?:text/\S{0,100}"
        r"|application/(?:json|xml|xhtml|octet-stream|javascript|problem)\S{0,100})?(?: for|;|:|$)"
        r"|in header not a valid digest|invalid character .{0,100} looking for|stopped after \d{1,9} redirects",
    ),
    ("manifest_unsupported", r"unexpected media type "),
    ("blob_missing", r"could not fetch content|content (?:at|digest) .{0,500}not found"),
)

_RATE = re.compile(r"toomanyrequests|too many requests|pull rate limit", re.IGNORECASE)
_STATUS = re.compile(r"\bstatus\b[^\n]{0,500}?:\s(\d{3})(?!\d)|^(\d{3})(?: [A-Z]|\s{0,9}$)")
_STATUS_CAUSES = {
    401: "unauthorized",
    403: "forbidden",
    407: "unauthorized",
    408: "timeout",
    410: "not_found",
    412: "forbidden",
    429: "rate_limited",
    451: "forbidden",
}
_PROXY_STATUS = re.compile(
    r"(?:\||\"\"): (Proxy Authentication Required|Forbidden|Service Unavailable|Bad Gateway|Gateway Time-?out"
    r"|Internal Server Error|Too Many Requests)$",
    re.IGNORECASE,
)
_PROXY_CAUSES = {
    "proxy authentication required": "unauthorized",
    "forbidden": "forbidden",
    "too many requests": "rate_limited",
}

_CONNECTION = _rules(
    ("http_server_https_client", r"server gave HTTP response to HTTPS client"),
    (
        "dns_failure",
        r"dial (?:tcp|udp)\d?: lookup |lookup \S{1,300}(?: on \S{1,300})?: |no such host|server misbehaving"
        r"|name resolution|name or service not known|no answer from DNS server|no suitable address found",
    ),
    (
        "not_tls",
        r"first record does not look like a TLS handshake|oversized record received|unsupported SSLv2"
        r"|received record with version|tls: record overflow",
    ),
    ("tls_no_san", r"legacy Common Name field|doesn't contain any IP SANs|doesn't have a SAN extension"),
    ("tls_not_yet_valid", r"certificate has expired or is not yet valid: current time \S{1,60} is before"),
    ("tls_expired", r"certificate has expired"),
    (
        "tls_name_mismatch",
        r"certificate is (?:not )?valid for|authorized to sign for this name|issuer has name constraints"
        r"|unrecognized name|server's identity changed",
    ),
    (
        "tls_unknown_authority",
        r"signed by unknown authority|certificate is not trusted|failed to verify certificate|no valid chains built"
        r"|x509: ",
    ),
    # OpenSSL answers a missing certificate with "handshake failure" before TLS 1.3, Go's server with "bad certificate".
    ("client_cert_required", r"tls: certificate required|tls: handshake failure|tls: bad certificate"),
    (
        "client_cert_rejected",
        r"remote error: tls: (?:unknown certificate|expired certificate|revoked certificate|unsupported certificate"
        r"|access denied|error decrypting message|certificate unobtainable)",
    ),
    (
        "not_http",
        r"malformed HTTP|malformed MIME header|http2: failed reading the frame|http2: frame too large"
        r"|invalid header field|unsupported protocol scheme|received HTTP/0\.9",
    ),
    (
        "no_route",
        r"no route to host|network is unreachable|host is down|network is down|operation not permitted"
        r"|connect: (?:permission denied|cannot assign requested address)",
    ),
    ("connection_refused", r"connection refused"),
    (
        "timeout",
        r"i/o timeout|handshake timeout|deadline exceeded|DeadlineExceeded|Client\.Timeout|timeout awaiting|timed out"
        r"|context canceled|no progress",
    ),
    (
        "connection_reset",
        r"connection reset|\bEOF\b|broken pipe|server closed|GOAWAY|stream error|connection lost"
        r"|use of closed (?:network )?connection|connection broken|short read|connection abort|failed to copy after",
    ),
)

_ENDINGS = _rules(
    ("forbidden", r"server message: .{0,2000}denied|\bdenied: "),
    ("unauthorized", r"pull access denied|authorization failed|\bunauthorized\b"),
    (
        "not_found",
        r"manifest unknown|name unknown|repository \S{1,300} not found|StatusNotFound|not found\s{0,9}$"
        r"|code = NotFound",
    ),
)

_QUOTED = re.compile(r"\"[^\"]{0,16384}\"")
_IMAGE = re.compile(r"(?:image|reference) \"([^\"]{1,1000})\"")
_MOST_IMAGES = 8
# A registry's own message, which follows, may name further URLs.
_ANSWERED_URL = re.compile(r"(?:request to|status code) (https?://\S{1,8192}): \d{3}")
_HOST_STATUS = re.compile(r"pulling from host (\S{1,300}) failed with")


def classify(text: str) -> Finding:
    """The cause that an error text names; ``unknown`` if no rule fits. `text` is unescaped. Never raises."""
    masked = text.replace("\n", " ")
    for image in _IMAGE.findall(text)[:_MOST_IMAGES]:
        # 2.x ends with the bare reference, and a reference may be made of any words.
        masked = masked.replace(image + ": not found", ": not found")
    masked = _QUOTED.sub('""', mask_urls(masked))
    answered = _ANSWERED_URL.search(text)
    request = parse_request(answered.group(1) if answered else text)
    named = _HOST_STATUS.search(text)
    host = named.group(1) if named else request.host if request else ""
    status = _status(masked)
    token = bool(_TOKEN.search(masked))
    cause = _cause(masked, status, token, request.url if request else "")
    return Finding(cause, host, status, token, "proxyconnect " in masked or bool(_PROXY_STATUS.search(masked)))


def _cause(masked: str, status: int, token: bool, url: str) -> str:
    cause = _first(_FILES, masked)
    if cause:
        return cause
    if token:
        return _token_cause(masked, status)
    cause = _first(_CONTENT, masked)
    if cause:
        return cause
    if _RATE.search(masked):
        return "rate_limited"
    if status:
        return status_cause(status, url)
    cause = _first(_CREDENTIALS, masked)
    if cause:
        return cause
    proxy = _PROXY_STATUS.search(masked)
    if proxy:
        return _PROXY_CAUSES.get(proxy.group(1).lower(), "server_error")
    return _first(_CONNECTION, masked) or _first(_ENDINGS, masked) or "unknown"


def _first(rules: tuple[tuple[str, re.Pattern[str]], ...], masked: str) -> str | None:
    for cause, pattern in rules:
        if pattern.search(masked):
            return cause
    return None


def _status(masked: str) -> int:
    found = list(_STATUS.finditer(masked))
    return int(found[-1].group(1) or found[-1].group(2)) if found else 0


def _token_cause(masked: str, status: int) -> str:
    """What failed on the way to a token: the credentials themselves, the token server's answer, or its connection."""
    cause = _first(_CREDENTIALS, masked)
    if cause:
        return cause
    if _TOKEN_UNUSABLE.search(masked):
        return "token_server_unavailable"
    if status == 429 or _RATE.search(masked):
        return "rate_limited"
    if status:
        return "token_refused" if 400 <= status < 500 and status not in (404, 408) else "token_server_unavailable"
    cause = _first(_CONNECTION, masked)
    if cause and (cause.startswith("tls_") or cause.startswith("client_cert_")):
        return cause
    return "token_server_unavailable"


def status_cause(status: int, url: str) -> str:
    """The cause of an HTTP status that a registry answered with."""
    if status == 404:
        return "blob_missing" if "/blobs/" in url else "not_found"
    if status == 400 and url.startswith("http://"):
        # What a TLS port (Go's, nginx') answers to a request in plain HTTP.
        return "not_http"
    if status in (301, 302, 303, 307, 308, 405, 406, 415):
        return "not_a_registry"
    if status >= 500:
        return "server_error"
    return _STATUS_CAUSES.get(status, "unknown")
