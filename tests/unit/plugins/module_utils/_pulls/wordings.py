# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors by cause, in the words of containerd's and Go's sources; ``{url}`` is the request, ``{host}`` its host."""

from __future__ import annotations

REQUEST = 'failed to do request: Head "{url}": '
VERIFY = REQUEST + "tls: failed to verify certificate: "
TOKEN = 'Get "https://token.example.com/token?scope=repository%3Ateam%2Fapp%3Apull&service=x": '
DENIED = "pull access denied, repository does not exist or may require authorization: "
SHA = "sha256:" + "ab" * 32

# In place of an answer of a host.
NO_ANSWER = [
    ("tls_unknown_authority", REQUEST + "x509: certificate signed by unknown authority"),
    ("tls_unknown_authority", VERIFY + "x509: certificate signed by unknown authority"),
    (
        "tls_unknown_authority",
        VERIFY
        + 'x509: certificate signed by unknown authority (possibly because of "x509: certificate has expired" while'
        ' trying to verify candidate authority certificate "Lab CA")',
    ),
    ("tls_unknown_authority", VERIFY + "x509: certificate is not authorized to sign other certificates"),
    ("tls_unknown_authority", VERIFY + "x509: no valid chains built"),
    (
        "tls_expired",
        VERIFY + "x509: certificate has expired or is not yet valid: current time 2026-11-24T01:59:51Z is after"
        " 2026-11-14T01:58:51Z",
    ),
    ("tls_expired", REQUEST + "x509: certificate has expired or is not yet valid: "),
    (
        "tls_not_yet_valid",
        REQUEST + "x509: certificate has expired or is not yet valid: current time 2026-11-24T02:59:51+01:00 is before"
        " 2026-11-29T01:58:51Z",
    ),
    ("tls_name_mismatch", VERIFY + "x509: certificate is valid for a.example.com, *.b.example.com, not {host}"),
    ("tls_name_mismatch", VERIFY + "x509: certificate is valid for 10.0.0.1, not 10.0.0.9"),
    ("tls_name_mismatch", VERIFY + "x509: certificate is valid for 112 names, but none matched {host}"),
    ("tls_name_mismatch", VERIFY + "x509: certificate is not valid for any names, but wanted to match {host}"),
    ("tls_no_san", VERIFY + "x509: certificate relies on legacy Common Name field, use SANs instead"),
    ("tls_no_san", VERIFY + "x509: cannot validate certificate for 10.0.0.9 because it doesn't contain any IP SANs"),
    ("http_server_https_client", REQUEST + "http: server gave HTTP response to HTTPS client"),
    ("not_tls", REQUEST + "tls: first record does not look like a TLS handshake"),
    ("not_tls", REQUEST + "tls: oversized record received with length 20527"),
    ("client_cert_required", REQUEST + "remote error: tls: certificate required"),
    ("client_cert_required", REQUEST + "remote error: tls: handshake failure"),
    ("client_cert_required", REQUEST + "remote error: tls: bad certificate"),
    ("client_cert_rejected", REQUEST + "remote error: tls: unknown certificate authority"),
    ("client_cert_rejected", REQUEST + "remote error: tls: unknown certificate"),
    ("client_cert_rejected", REQUEST + "remote error: tls: expired certificate"),
    ("client_cert_rejected", REQUEST + "remote error: tls: revoked certificate"),
    ("client_cert_rejected", REQUEST + "write tcp 10.0.0.1:1->10.0.0.9:5000: remote error: tls: unknown certificate"),
    ("connection_refused", REQUEST + "dial tcp 10.0.0.9:5000: connect: connection refused"),
    ("connection_refused", REQUEST + "dial tcp [fd00::9]:5000: connect: connection refused"),
    ("connection_refused", REQUEST + "proxyconnect tcp: dial tcp 10.0.0.8:3128: connect: connection refused"),
    ("connection_reset", REQUEST + "read tcp 10.0.0.1:60480->10.0.0.9:5000: read: connection reset by peer"),
    ("connection_reset", REQUEST + "EOF"),
    ("connection_reset", REQUEST + "unexpected EOF"),
    ("connection_reset", REQUEST + "net/http: HTTP/1.x transport connection broken: unexpected EOF"),
    ("connection_reset", REQUEST + "write tcp 10.0.0.1:1->10.0.0.9:5000: write: broken pipe"),
    ("connection_reset", REQUEST + "http2: server sent GOAWAY and closed the connection; LastStreamID=1"),
    ("connection_reset", REQUEST + "http: server closed idle connection"),
    ("dns_failure", REQUEST + "dial tcp: lookup registry.example.com: no such host"),
    ("dns_failure", REQUEST + "dial tcp: lookup registry.example.com on 10.0.0.53:53: no such host"),
    ("dns_failure", REQUEST + "dial tcp: lookup registry.example.com on 10.0.0.53:53: server misbehaving"),
    (
        "dns_failure",
        REQUEST
        + "dial tcp: lookup registry.example.com on 10.0.0.53:53: read udp 10.0.0.1:4->10.0.0.53:53: i/o timeout",
    ),
    (
        "dns_failure",
        REQUEST + "dial tcp: lookup registry.example.com on 127.0.0.53:53: read udp 127.0.0.1:4->127.0.0.53:53: read:"
        " connection refused",
    ),
    ("dns_failure", REQUEST + "dial tcp: lookup registry.example.com: Try again"),
    ("dns_failure", REQUEST + "dial tcp: lookup registry.example.com: Temporary failure in name resolution"),
    ("dns_failure", "failed to do request: Head {url}: dial tcp: lookup registry.example.com: no such host"),
    ("timeout", REQUEST + "dial tcp 10.0.0.9:5000: i/o timeout"),
    ("timeout", REQUEST + "net/http: TLS handshake timeout"),
    ("timeout", REQUEST + "net/http: timeout awaiting response headers"),
    ("timeout", REQUEST + "context deadline exceeded"),
    ("timeout", REQUEST + "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
    ("timeout", REQUEST + "dial tcp 10.0.0.9:5000: connect: connection timed out"),
    ("timeout", REQUEST + "context canceled"),
    ("no_route", REQUEST + "dial tcp 10.0.0.9:5000: connect: no route to host"),
    ("no_route", REQUEST + "dial tcp 10.0.0.9:5000: connect: network is unreachable"),
    ("no_route", REQUEST + "dial tcp 10.0.0.9:5000: connect: permission denied"),
    ("no_route", REQUEST + "dial tcp [fd00::9]:5000: connect: cannot assign requested address"),
    ("connection_reset", REQUEST + "tls: use of closed connection"),
    (
        "not_http",
        REQUEST + 'net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH_9.2"',
    ),
    ("not_http", REQUEST + 'malformed HTTP response "\\x15\\x03\\x01\\x00\\x02\\x02"'),
    ("not_http", REQUEST + 'net/http: HTTP/1.x transport connection broken: malformed HTTP status code "hello"'),
    ("unauthorized", DENIED + "authorization failed: no basic auth credentials"),
    ("unauthorized", DENIED + "server message: invalid_token: authorization failed"),
    ("unauthorized", "failed to authorize: failed to handle basic auth because missing username or secret"),
    ("unauthorized", "illegal base64 data at input byte 4"),
    ("forbidden", DENIED + "server message: insufficient_scope: authorization failed"),
    ("token_refused", "failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden"),
    ("token_refused", "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized"),
    (
        "token_refused",
        "failed to authorize: failed to fetch oauth token: unexpected status from POST request to"
        " https://token.example.com/token: 400 Bad Request",
    ),
    (
        "token_server_unavailable",
        "failed to authorize: failed to fetch oauth token: unexpected status from POST request to"
        " https://token.example.com/token: 502 Bad Gateway",
    ),
    (
        "token_server_unavailable",
        "failed to authorize: failed to fetch anonymous token: " + TOKEN + "dial tcp 10.0.0.7:443: i/o timeout",
    ),
    (
        "token_server_unavailable",
        "failed to authorize: failed to fetch anonymous token: "
        + TOKEN
        + "dial tcp: lookup token.example.com: no such host",
    ),
    (
        "token_server_unavailable",
        "failed to authorize: failed to fetch anonymous token: authorization server did not include a token in the"
        " response",
    ),
    (
        "token_server_unavailable",
        "failed to authorize: failed to fetch anonymous token: unable to decode token response: invalid character '<'"
        " looking for beginning of value",
    ),
    (
        "tls_unknown_authority",
        "failed to authorize: failed to fetch anonymous token: "
        + TOKEN
        + "x509: certificate signed by unknown authority",
    ),
    ("not_a_registry", REQUEST + "stopped after 10 redirects"),
    ("unauthorized", REQUEST + "Proxy Authentication Required"),
    ("server_error", REQUEST + "Bad Gateway"),
]

# HTTP answers of a host.
STATUSES = [
    ("unauthorized", "401 Unauthorized"),
    ("forbidden", "403 Forbidden"),
    ("forbidden", "412 Precondition Failed"),
    ("not_found", "404 Not Found"),
    ("rate_limited", "429 Too Many Requests"),
    ("server_error", "500 Internal Server Error"),
    ("server_error", "502 Bad Gateway"),
    ("server_error", "503 Service Unavailable"),
    ("server_error", "504 Gateway Timeout"),
    ("server_error", "507 Insufficient Storage"),
    ("server_error", "599 "),
    ("not_a_registry", "405 Method Not Allowed"),
]

# A file of the node: no host is asked.
FILES = [
    ("ca_unreadable", 'unable to read CA cert "/etc/ca.crt": open /etc/ca.crt: no such file or directory'),
    ("ca_unreadable", 'unable to read CA cert "/etc/ca.crt": open /etc/ca.crt: permission denied'),
    ("ca_unreadable", 'unable to read CA cert "/etc": read /etc: is a directory'),
    ("ca_invalid", 'unable to load CA cert "/etc/ca.crt"'),
    ("client_cert_unreadable", 'unable to read CERT file "/etc/c.crt": open /etc/c.crt: no such file or directory'),
    ("client_cert_unreadable", 'unable to read KEY file "/etc/c.key": open /etc/c.key: no such file or directory'),
    ("client_cert_unreadable", 'unable to read CERT file "/c/certs.d/x": read /c/certs.d/x: is a directory'),
    ("client_cert_unreadable", "failed to load X509 key pair: tls: failed to find any PEM data in certificate input"),
    ("client_cert_unreadable", "failed to load X509 key pair: tls: failed to find any PEM data in key input"),
    ("client_cert_unreadable", "failed to load X509 key pair: tls: failed to parse private key"),
    ("client_cert_unreadable", "failed to load X509 key pair: asn1: syntax error: truncated tag or length"),
    ("client_key_mismatch", "failed to load X509 key pair: tls: private key does not match public key"),
    ("client_key_mismatch", "failed to load X509 key pair: tls: private key type does not match public key type"),
]

_OPEN = "failed to copy: httpReadSeeker: failed open: "
_BLOB = "https://registry.example.com:5000/v2/team/app/blobs/" + SHA

# The image is resolved, its content fails; the host that the text names, None where it names none.
CONTENT = [
    ("platform_missing", "no match for platform in manifest: not found", None),
    ("platform_missing", f"no match for platform in manifest {SHA}: not found", None),
    (
        "manifest_unsupported",
        'not implemented: media type "application/vnd.docker.distribution.manifest.v1+prettyjws" is no longer supported'
        " since containerd v2.0, please rebuild the image",
        None,
    ),
    ("manifest_unsupported", "media-type: schema 1 not supported", None),
    ("manifest_unsupported", "mismatched image rootfs and manifest layers", None),
    (
        "manifest_unsupported",
        f"unexpected media type application/vnd.cncf.helm.config.v1+json for {SHA}: not found",
        None,
    ),
    (
        "digest_mismatch",
        f'failed commit on ref "layer-{SHA}": unexpected commit digest {SHA}, expected {SHA}: failed precondition',
        None,
    ),
    (
        "digest_mismatch",
        f'failed commit on ref "layer-{SHA}": commit failed: unexpected commit size 10, expected 12: failed'
        " precondition",
        None,
    ),
    ("digest_mismatch", f'failed commit on ref "config-{SHA}": "config-{SHA}" failed size validation: 1 != 2', None),
    (
        "not_a_registry",
        f"failed to unpack image on snapshotter overlayfs: unexpected media type text/html for {SHA}: not found",
        None,
    ),
    (
        "not_a_registry",
        f"failed to unpack image on snapshotter overlayfs: unexpected media type text/html; charset=utf-8 for {SHA}",
        None,
    ),
    (
        "not_a_registry",
        f"failed to unpack image on snapshotter native: unexpected media type  for {SHA}: not found",
        None,
    ),
    ("not_a_registry", "invalid character '<' looking for beginning of value", None),
    (
        "blob_missing",
        f"{_OPEN}could not fetch content descriptor {SHA} (application/vnd.oci.image.config.v1+json) from remote: not"
        " found",
        None,
    ),
    ("blob_missing", f"{_OPEN}content at {_BLOB} not found: not found", "registry.example.com:5000"),
    ("blob_missing", f"{_OPEN}unexpected status code {_BLOB}: 404 Not Found", "registry.example.com:5000"),
    ("server_error", f"{_OPEN}unexpected status code {_BLOB}: 500 Internal Server Error", "registry.example.com:5000"),
    (
        "server_error",
        f"{_OPEN}unexpected status from GET request to {_BLOB}: 503 Service Unavailable",
        "registry.example.com:5000",
    ),
    (
        "rate_limited",
        f"{_OPEN}unexpected status code https://registry-1.docker.io/v2/library/nginx/manifests/{SHA}: 429 Too Many"
        " Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit"
        " by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
        "registry-1.docker.io",
    ),
    (
        "connection_reset",
        "failed to copy: httpReaderSeeker: failed open: failed to do request: Get"
        ' "https://cdn.example.com/x/data?verify=1": EOF',
        "cdn.example.com",
    ),
    ("connection_reset", "failed to copy: read tcp 10.0.0.1:1->10.0.0.9:5000: read: connection reset by peer", None),
    ("connection_reset", "short read: expected 578 bytes but got 300: unexpected EOF", None),
    (
        "dns_failure",
        f'{_OPEN}failed to do request: Get "https://cdn.example.com/x": dial tcp: lookup cdn.example.com: no such host',
        "cdn.example.com",
    ),
    (
        "forbidden",
        f"{_OPEN}unexpected status from GET request to https://cdn.example.com/x?sig=1: 403 Forbidden",
        "cdn.example.com",
    ),
    ("timeout", "failed to copy: context deadline exceeded", None),
    ("unknown", "failed to extract layer sha256:aa: write /x: no space left on device: unknown", None),
]
