# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret that a log may hold reaches a result."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact
from containerd_log import Answer, failed, line, started, unfetched, unresolved
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples

CANARY = "CANARY-7f3a91c4"
IMAGE = "quay.io/team/app:1"


def result(lines, config=None):
    reader = PullReader(config)
    reader.read(lines)
    found = reader.diagnoses()
    assert len(found) == 1
    return json.dumps(found)


@pytest.mark.parametrize(
    "error",
    [
        f'failed to do request: Head "https://robot:{CANARY}@m.example.com/v2/team/app/manifests/1?ns=quay.io": EOF',
        f'failed to do request: Head "https://{CANARY}@m.example.com/v2/team/app/manifests/1?ns=quay.io": EOF',
        f'failed to do request: Get "https://cdn.example.com/x?X-Amz-Signature={CANARY}&X-Amz-Date=2026": EOF',
        f'failed to do request: Get "https://cdn.example.com/x?verify=1646-{CANARY}%3D": EOF',
        f'failed to do request: Get "https://cdn.example.com/x?se=2026&sig={CANARY}&sp=r": EOF',
        f"unexpected status from GET request to https://cdn.example.com/x?_token={CANARY}: 403 Forbidden",
        f"unexpected status code https://cdn.example.com/x?token={CANARY}: 403 Forbidden - Server message: no",
        f"bad header Authorization: Bearer {CANARY}",
        f"bad header Authorization: Basic {base64.b64encode(CANARY.encode()).decode()}",
        f'request.header.authorization="Basic {CANARY}"',
        f"authorization={CANARY}",
        f'invalid decoded auth: "{CANARY}"',
        f'{{"password": "{CANARY}", "username": "x"}}',
        f'{{"identitytoken":"{CANARY}"}}',
        f"password={CANARY} user=x",
        f"password: {CANARY}",
        f"response.header.set-cookie=session={CANARY}",
        "jwt eyJhbGciOiJIUzI1NiJ9." + CANARY.replace("-", "") + ".sig",
    ],
)
def test_secrets_by_place_and_shape(error):
    for lines in (unresolved(IMAGE, [Answer("m.example.com", error=error)], "2.1"), unfetched(IMAGE, error)):
        text = result(lines)
        assert CANARY not in text
        assert CANARY.replace("-", "") not in text
        assert base64.b64encode(CANARY.encode()).decode() not in text


def test_what_is_no_secret_stays():
    kept = [
        "failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden",
        "pull access denied, repository does not exist or may require authorization: server message:"
        " insufficient_scope: authorization failed",
        "https://quay.io/v2/team/app/manifests/1?ns=docker.io",
        "https://t.example.com/token?scope=repository%3Ateam%2Fapp%3Apull&service=lab",
        'failed to resolve reference "registry.example.com/x@sha256:aa"',
        "no basic auth credentials",
        "m.example.com: it answers with Basic authentication.",
    ]
    assert [redact(text) for text in kept] == kept


PASSWORDS = ["p&ss/w=rd%", 'quo"te\\back', CANARY, "with space and ünïcode"]


@pytest.mark.parametrize("password", PASSWORDS)
def test_the_nodes_own_credentials_in_any_form(password):
    encoded = base64.b64encode(f"robot:{password}".encode()).decode()
    config = {"configs": {"m.example.com": {"auth": {"username": "robot", "password": password}}}}
    lines = [
        started(IMAGE),
        line("trying next host", error=f"strange {password} echo", host="m.example.com"),
        failed(IMAGE, f'failed to resolve reference "{IMAGE}": strange {encoded} echo'),
    ]
    reader = PullReader(config)
    reader.read(lines)
    (found,) = reader.diagnoses()
    texts = [found["message"], found["fix"], *found["evidence"]]
    for text in texts:
        assert password not in text
        assert encoded not in text
        assert password.replace("\\", "\\\\").replace('"', '\\"') not in text


def test_credentials_given_as_auth_are_known_decoded():
    auth = base64.b64encode(f"robot:{CANARY}".encode()).decode()
    config = {"configs": {"m.example.com": {"auth": {"auth": auth}}}}
    assert CANARY not in result(unfetched(IMAGE, f"strange {CANARY} echo"), config)
    assert auth not in result(unfetched(IMAGE, f"strange {auth} echo"), config)


def test_a_secret_is_not_cut_in_half_before_it_is_masked():
    config = {"configs": {"m.example.com": {"auth": {"username": "robot", "password": CANARY * 3}}}}
    for length in range(340, 420, 3):
        assert CANARY not in result(unfetched(IMAGE, "x" * length + " " + CANARY * 3), config)


@given(st.text(alphabet="ab:/@?&=\"'\\% .-", max_size=60))
@settings(max_examples=examples(150), deadline=None)
def test_userinfo_never_stays(text):
    found = redact(f"https://robot:{CANARY}@h.example.com/v2/ {text}")
    assert CANARY not in found
