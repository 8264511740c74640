# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small cloud: its instances learn at a metadata service who they are, and get a registry's password for that.

In the manner of Amazon's: a session token first (PUT), keys for it, and for the keys a password that lives for hours.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time

from tests.fleet.logins.server import Reply, Request, Server, json_reply
from tests.fleet.logins.users import Users

USER = "AWS"
ROLE = "node"
_KEYS = "/latest/meta-data/iam/security-credentials/"


class Cloud:
    """:param metadata: the instance metadata service, plain HTTP as the real one.
    :param tokens: gives out passwords.
    :param users: of the registry that takes them.
    :ivar seconds: how long a password is good.
    :ivar down: nobody gets one.
    :ivar handed_out: how many there have been.
    """

    def __init__(self, metadata: Server, tokens: Server, users: Users, seconds: float = 43200.0) -> None:
        self.seconds = seconds
        self.down = False
        self.handed_out = 0
        self.metadata = metadata
        self.tokens = tokens
        self._users = users
        self._sessions: set[str] = set()
        self._keys: set[str] = set()
        metadata.app = self._tell
        tokens.app = self._hand_out

    def _tell(self, request: Request) -> Reply:
        if request.method == "PUT" and request.path == "/latest/api/token":
            session = secrets.token_hex(16)
            self._sessions.add(session)
            return Reply(200, {"Content-Type": "text/plain"}, session.encode())
        if request.headers.get("x-aws-ec2-metadata-token") not in self._sessions:
            return json_reply({}, 401)
        if request.path == _KEYS:
            return Reply(200, {"Content-Type": "text/plain"}, ROLE.encode())
        if request.path == _KEYS + ROLE:
            key = "ASIA" + secrets.token_hex(8).upper()
            self._keys.add(key)
            return json_reply({"Code": "Success", "AccessKeyId": key, "SecretAccessKey": secrets.token_hex(20)})
        return json_reply({}, 404)

    def _hand_out(self, request: Request) -> Reply:
        signed = re.search(r"Credential=([A-Z0-9]+)/", request.headers.get("authorization", ""))
        if self.down:
            return json_reply({"message": "ServiceUnavailable"}, 503)
        if signed is None or signed[1] not in self._keys:
            return json_reply({"__type": "UnrecognizedClientException"}, 400)
        if not request.headers.get("x-amz-target", "").endswith(".GetAuthorizationToken"):
            return json_reply({"__type": "UnknownOperationException"}, 400)
        password = secrets.token_urlsafe(48)
        self._users.grant(USER, password, self.seconds)
        self.handed_out += 1
        token = base64.b64encode(("%s:%s" % (USER, password)).encode()).decode()
        data = {"authorizationToken": token, "expiresAt": time.time() + self.seconds}
        return Reply(
            200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"authorizationData": [data]}).encode()
        )
