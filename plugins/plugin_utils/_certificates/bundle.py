# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what a registry's TLS settings are made of: CA bundle, client certificate with its chain, client key.

Pure: text in, findings and facts out. cryptography takes about 100 ms to import, so it is imported only when
there is something to check.
"""

from __future__ import annotations

import datetime
import sys
from typing import Any, Mapping

from ansible.errors import AnsibleError


def check_bundle(
    *,
    ca: str | bytes | None,
    cert: str | bytes | None,
    key: str | bytes | None,
    now: datetime.datetime,
    sources: Mapping[str, str],
    server: str | bytes | None = None,
    host: str = "",
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Checks PEM texts that belong together.

    ca: CA bundle that verifies the registry. None: not given (or a file that is already on the node).
    cert, key: the client's certificate, its chain after it, and its private key. One may be given
        without the other: half of the pair may be on the node.
    now: the time of the check, with a time zone. Warnings begin 30 days before a certificate expires.
    sources: where each of `ca`, `cert`, `key`, `server` comes from, as findings show it:
        `configs."registry.example.com:5000".tls.cert_src (files/client.crt)`. A file in parentheses is named in the
        commands that the advice gives.
    server: the certificate (and chain) that the registry presents, if known.
    host: host of the endpoint, without port, that the server's certificate has to name. A self-signed server
        certificate given as `ca` is compared with it too.

    Returns (findings, facts). Findings have the shape of lint's and codes `K3R3xx`. Facts, one per certificate in
    the order given, hold nothing secret: `source` (`ca`, `cert`, `server`), `position` (from 1), `subject`, `issuer`,
    `sha256`, `not_before` and `not_after` (ISO 8601, UTC), `days_left`, `kind` (`root`, `intermediate`,
    `self-signed`, `leaf`), `key_type`, `names` and `chain_length` (certificates in the same file).
    Raises AnsibleError if the library cryptography is not installed. Nothing in the texts makes it raise, and it
    returns no text of a key.
    """
    if ca is None and cert is None and key is None and server is None:
        return [], []
    from .bundle_checks import Checks
    from .certificate import HAS_CRYPTOGRAPHY

    if not HAS_CRYPTOGRAPHY:
        raise AnsibleError(
            f"certificates and keys cannot be checked: the Python library cryptography is not installed on the"
            f" controller. Install it for {sys.executable}: `pip install cryptography`."
        )
    checks = Checks(now, sources, host)
    checks.run(ca, cert, key, server)
    return checks.report.findings, checks.report.facts
