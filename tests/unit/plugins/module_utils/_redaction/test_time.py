# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry writes into a line costs time in proportion to its length, for the redactor and all that reads logs.

The limits are ten times what the slowest of these takes, and a fraction of what one quadratic expression takes.
"""

from __future__ import annotations

import random
import time

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import quoted
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.causes import classify
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.events import read_event
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import MAX_LINE, PullReader
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    LONGEST,
    redact,
    visible,
    visible_block,
    without_credentials,
)

from tests.conftest import NIGHTLY
from tests.unit.plugins.module_utils._pulls.containerd_log import failed, line, started

LIMIT = 2.0

PIECES = [
    "x-token-", "x-", "X-A-secret", "password", "password_", "token", "token:", "token_a=", "secret ", "api_key-",
    "a.b-", 'auth":"', "auth=", 'auth: \\"', "Authorization: ", "authorization=", "Bearer ", "basic a", "cookie",
    "set-cookie:", "://", "https://a:b", "@", "a@", "a:b@", "?a", "?a=", "&a;b", ";", "&", "eyJ", "eyJa.", "-eyJ",
    "ghp_", "K10", "AKIA", "1//0", "hvs.", "8Q~", "aaa8Q~", "+ACR", "\\", '\\"', '"', "'", "=", ":", ",", ",a", "}",
    " ", "\t", "-", ".", "a", "A1", "-----BEGIN PRIVATE KEY-----", "-----END ", "-----BEGIN A", "dockerconfigjson",
    "dockercfg:[", "dockercfg:{", "{", "invalid decoded auth: ", "msg=", 'time="2026-01-01', "status", "status: ",
    "status 4: 40", "lookup ", "lookup a on ", 'PullImage "', "failed to decode ", "hosts.toml",
    'failed to pull and unpack image "', "request to http://a", "certificate is valid for", "content at ",
    "invalid type ", "repository ", "server message: ", "unexpected media type text/", "pulling from host ",
    "tls: failed to find ", 'image "', "dial tcp: ", "cancel pulling image ", "invalid character ", "sha256:",
    "@sha256:", "/", "//", "/manifests/", "%2f", "user:", "robot$", "[", "](", "<", ">", "\u202e", "\x1b[2K",
]  # fmt: skip


def filled(piece):
    return piece * (MAX_LINE // len(piece))


def adversarial():
    """Lines of one piece, of one before a character that lets an expression fail at the end, and of two halves."""
    chosen = random.Random(15)
    for piece in PIECES:
        yield filled(piece)
        yield "a" + filled(piece) + "!"
        yield 'time="2026-11-25T02:00:00Z" level=info ' + filled(piece)
    for _number in range(60):
        one, two = chosen.sample(PIECES, 2)
        half = filled(one)[: MAX_LINE // 2] + filled(two)[: MAX_LINE // 2]
        yield half
        yield filled(one + two)


# A quarter has every piece, each in another of its places.
LINES = list(adversarial())[:: 1 if NIGHTLY else 4]


def slowest(call, texts):
    """The seconds that the slowest of some texts took, with that text's ends."""
    took = []
    for text in texts:
        began = time.process_time()
        call(text)
        took.append((time.process_time() - began, text[:40] + " ... " + text[-20:]))
    return max(took)


@pytest.mark.parametrize(
    "call",
    [
        redact, lambda text: redact(text, ["aaaa", "s3cret-Pa55"]), visible, visible_block, classify, read_event,
        without_credentials, quoted,
    ],
    ids=["redact", "known", "visible", "block", "classify", "event", "url", "quoted"],
)  # fmt: skip
def test_a_line_of_any_content(call):
    seconds, text = slowest(call, LINES)
    assert seconds < LIMIT, text


def diagnosed(text):
    """A log in which a registry had its say in every place where it has one."""
    image = "quay.io/team/app:1"
    reader = PullReader({"mirrors": {"quay.io": {"endpoint": ["https://m.example.com"]}}})
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    reader.read([
        started(image),
        line("trying next host", error=text, host="m.example.com"),
        'time="2026-11-25T02:00:01Z" level=error msg="trying next host" error="%s" host=m.example.com' % escaped,
        failed(image, 'failed to resolve reference "%s": %s' % (image, text)),
        'E1125 02:00:02.000000 1 log.go:32] "PullImage from image service failed" err="rpc error: code = Unknown desc ='
        ' failed to pull and unpack image \\"%s\\": %s" image="%s"' % (image, text, image),
        text, "PullImage " + text,
    ])  # fmt: skip
    return reader.diagnoses()


def test_a_log_that_a_registry_has_written():
    seconds, text = slowest(diagnosed, LINES[::3])
    assert seconds < 4 * LIMIT, text


def test_a_line_of_the_review():
    """8.6 KB that held diagnose_pulls for 249 s."""
    seconds, _text = slowest(diagnosed, ["x-" + "token-" * 1433, "x-token" * 1228, "password" * 1075 + "="])
    assert seconds < LIMIT


def test_time_grows_with_the_length():
    """Ten times as many lines take ten times as long; what is beyond a line's length takes none at all."""
    text = "x-token-" * 2048
    assert slowest(redact, ["\n".join([text] * 40)])[0] < 10 * LIMIT
    assert slowest(redact, [text * 400])[0] < LIMIT
    shown = redact("a " * 10**6)
    assert len(shown) < LONGEST + 100
    assert shown.endswith("more characters)")


def test_private_keys_without_an_end():
    text = "-----BEGIN PRIVATE KEY-----\n" * 40_000
    assert slowest(redact, [text])[0] < LIMIT
