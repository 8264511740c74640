# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token server as docker-registry wants one: signed tokens that say what a user may do."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from tests.registry_faults.servers import Reply, Request, json_reply

if TYPE_CHECKING:
    from tests.fleet.certificates import Issued

ISSUER, SERVICE = "faults", "registry"


class TokenServer:
    """Knows users by name, each with the repositories' scopes that it may have.

    :param signer: its certificate goes along with each token, so that the registry needs to know its CA only.
    :param users: name to password and whether it may pull.
    """

    def __init__(self, signer: Issued, users: dict[str, tuple[str, bool]]) -> None:
        self._signer = signer
        self._users = users

    def __call__(self, request: Request) -> Reply:
        """Answers GET with Basic credentials and POST with a form, as containerd asks."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        user, password = form.get("username", ""), form.get("password", "")
        given = request.headers.get("authorization", "")
        if given.startswith("Basic "):
            user, _colon, password = base64.b64decode(given[len("Basic ") :]).decode().partition(":")
        known, may_pull = self._users.get(user, ("", False))
        if not known or password != known:
            return json_reply({"errors": [{"code": "UNAUTHORIZED"}]}, 401)
        wanted = " ".join([*request.query.get("scope", []), form.get("scope", "")]).split()
        token = self._token(user, wanted if may_pull else [])
        return json_reply({"token": token, "access_token": token, "expires_in": 300})

    def _token(self, user: str, scopes: list[str]) -> str:
        now = int(time.time())
        access = []
        for scope in dict.fromkeys(scopes):
            kind, name, actions = scope.split(":", 2)
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        claims = {
            "iss": ISSUER, "sub": user, "aud": SERVICE, "iat": now, "nbf": now - 60, "exp": now + 300, "jti": str(now),
            "access": access,
        }  # fmt: skip
        der = self._signer.certificate.public_bytes(Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        signed = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._signer.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
