# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry writes into a line costs time in proportion to its length, in the redactor and in all that reads logs.

The limits are some fifty times what the slowest of these takes on a busy machine with two cores, and a hundredth of what
one quadratic expression takes.
"""

from __future__ import annotations

import itertools
import time

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.causes import classify
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.events import read_event
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import MAX_LINE, PullReader
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible

LIMIT = 2.0

PIECES = [
    "x-token-", "x-", "X-A-secret", "password", "password_", "token", "token:", "token_a=", "secret ", "api_key-", "a.b-",
    'auth":"', "auth=", 'auth: \\"', "Authorization: ", "authorization=", "Bearer ", "basic a", "cookie", "set-cookie:",
    "://", "https://a:b", "@", "a@", "a:b@", "?a", "?a=", "&a;b", ";", "&", "eyJ", "eyJa.", "-eyJ", "ghp_", "K10", "AKIA",
    "1//0", "hvs.", "8Q~", "aaa8Q~", "+ACR", "\\", '\\"', '"', "'", "=", ":", ",", ",a", "}", " ", "\t", "-", ".", "a", "A1",
    "-----BEGIN PRIVATE KEY-----", "-----END ", "-----BEGIN A", "dockerconfigjson", "dockercfg:[", "dockercfg:{", "{",
    "invalid decoded auth: ", "msg=", "time=\"2026-01-01", "status", "status: ", "status 4: 40", "lookup ", "lookup a on ",
    'PullImage "', "failed to decode ", "hosts.toml", "failed to pull and unpack image \"", "request to http://a",
    "certificate is valid for", "content at ", "invalid type ", "repository ", "server message: ", "unexpected media type text/",
    "pulling from host ", "tls: failed to find ", "image \"", "dial tcp: ", "cancel pulling image ", "invalid character ",
    "sha256:", "@sha256:", "/", "//", "/manifests/", "%2f", "user:", "robot$", "[", "](", "<", ">", "\u202e", "\x1b[2K",
]  # fmt: skip


def lines(pieces):
    for piece in pieces:
        yield piece * (MAX_LINE // len(piece))
        yield "a" + piece * (MAX_LINE // len(piece)) + "!"
    for one, two in itertools.product(pieces, repeat=2):
        half = MAX_LINE // 2
        yield one * (half // len(one)) + two * (half // len(two))


def slowest(call, texts):
    took = {}
    for text in texts:
        began = time.perf_counter()
        call(text)
        took[text[:40] + "..." + text[-20:]] = time.perf_counter() - began
    return sorted(((seconds, text) for text, seconds in took.items()), reverse=True)[:5]
