# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the redactor masks by place and by form, what it leaves, and which known secrets it looks for."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    MASK,
    Redactor,
    known_secrets,
    redact,
    without_credentials,
)
from hypothesis import assume, example, given
from hypothesis import strategies as st

CANARY = "CANARY7f3a91c4"
ENCODED = base64.b64encode(b"robot:" + CANARY.encode()).decode()
PULL_SECRET = json.dumps({"auths": {"r.example.com": {"username": "robot", "password": CANARY, "auth": ENCODED}}})
HEX = "0123456789abcdef" * 4

BY_PLACE = [
    f"Get https://robot:{CANARY}@r.example.com/v2/: EOF",
    f"Get https://{CANARY}@r.example.com/v2/: EOF",
    f"Get https://robot:pa@{CANARY}/x@r.example.com/v2/: EOF",
    f"Get https://robot:{CANARY}/@r.example.com/v2/: EOF",
    f"Get https://robot:{CANARY}?a#b@r.example.com/v2/: EOF",
    f"Get https://robot:{CANARY}@r.example.com/x?account=me@example.com: EOF",
    f"lookup admin:{CANARY}@r.example.com: no such host",
    f"//admin:{CANARY}://@r.example.com is no host",
    f"lookup admin@corp:{CANARY}@r.example.com: no such host",
    f"certs.d/https:/admin:{CANARY}@r.example.com/hosts.toml is not there",
    f"proxyconnect to http_proxy=http://u:{CANARY}@proxy:3128/ failed",
    f"https://s3.example.com/b?X-Amz-Algorithm=AWS4&X-Amz-Credential={CANARY}%2F2026&X-Amz-Signature={CANARY}",
    f"https://blob.example.com/b?se=2026&sig={CANARY}%3D&sp=r",
    f"https://storage.example.com/b?Expires=1&Signature={CANARY}&Key-Pair-Id={CANARY}",
    f"https://r.example.com/v2/?token={CANARY}",
    f"https://r.example.com/v2/?a=b;token={CANARY}",
    f"Authorization: Basic {ENCODED}",
    f"Authorization: {CANARY}",
    f"authorization=Basic {ENCODED}",
    f"Proxy-Authorization: Bearer {CANARY}",
    f'{{"Authorization":["Bearer {CANARY}"]}}',
    f"Set-Cookie: session={CANARY}; Path=/",
    f"response.header.set-cookie=session={CANARY}",
    f"cookie: a=b; session={CANARY}",
    f"X-Vault-Token: {CANARY}",
    f"x-amz-security-token={CANARY}",
    f"PRIVATE-TOKEN: {CANARY}",
    f"invalid decoded auth: {CANARY} and\n{CANARY}",
    f"password={CANARY} user=x",
    f"password: {CANARY}",
    f"    password: a phrase with {CANARY}",
    f"+  password: '{CANARY}'",
    f"passwd = {CANARY}",
    f"identity_token: {CANARY}",
    f"DOCKER_PASSWORD={CANARY}",
    f"--registry-password={CANARY}",
    f"aws_secret_access_key = {CANARY}",
    f"AccountKey={CANARY};EndpointSuffix=core",
    f"password=first,{CANARY}",
    f"auth = \"{CANARY}\"",
    f"{{Username:robot Password:{CANARY} Auth:{CANARY} IdentityToken:{CANARY} RegistryToken:}}",
    f"&AuthConfig{{Username:robot,Password:{CANARY},Auth:,}}",
    f'AuthConfig{{Username:"robot", Password:"{CANARY}"}}',
    f'level=debug msg="pull secret" data="{json.dumps(PULL_SECRET)[1:-1]}"',
    "klog secret=" + json.dumps(json.dumps(PULL_SECRET)),
    f".dockerconfigjson: {base64.b64encode(PULL_SECRET.encode()).decode()}",
    "Data:map[.dockerconfigjson:[67 65 78 65 82 89] other:[1]]",
    f"docker config: {PULL_SECRET}",
    f'{{"password":"{CANARY} with \\"quotes\\" {CANARY}"}}',
    f"{{'token': '{CANARY}'}}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\\n{CANARY}\\n-----END PRIVATE KEY-----\\n",
    f"-----BEGIN EC PRIVATE KEY-----\n{CANARY}",
    f"{CANARY}\n-----END OPENSSH PRIVATE KEY-----",
]  # fmt: skip


@pytest.mark.parametrize("text", BY_PLACE)
def test_by_place(text):
    # YAML's own lines count from their beginning, the others anywhere.
    within = text if text[0] in " +" or "\n" in text else "time=x msg=y " + text
    for shown in (redact(text), redact(within), *Redactor().lines([text])):
        assert CANARY not in shown
        assert ENCODED not in shown
        assert "67 65 78" not in shown
        assert MASK in shown


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "ghp_" + "a1B2" * 9, "github_pat_11A_" + "b" * 40,
        "gho_" + "a1B2" * 9, "glpat-" + "x" * 20, "gldt-" + "x" * 20, "dckr_pat_" + "x" * 27, "dckr_oat_" + "x" * 27,
        "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "ya29.a0AfH6SNabcdef", "AIza" + "x" * 35, "GOCSPX-" + "x" * 28,
        "abc8Q~" + "x" * 34, "A" * 42 + "+ACRabcdef", "hvs.CAESIJabcdefgh", "AKCp8" + "x" * 60, "npm_" + "x" * 36,
        "xoxb-123456789012-abcdef", "dop_v1_" + "a" * 64, "K10" + HEX + "::server:s3cret",
    ],
)  # fmt: skip
def test_by_form_wherever_it_stands(token):
    for text in (token, "it said " + token + ".", "x=\\n" + token, "(" + token + ")", '"' + token + '"'):
        assert token not in redact(text)
        assert token[:-4] not in redact(text)


KEPT = [
    "failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden",
    "pull access denied, repository does not exist or may require authorization: server message:"
    " insufficient_scope: authorization failed",
    "https://quay.io/v2/team/app/manifests/1?ns=docker.io",
    "https://t.example.com/token?scope=repository%3Ateam%2Fapp%3Apull&service=lab",
    'failed to resolve reference "registry.example.com:5000/x:1@sha256:' + HEX + '"',
    "https://r.example.com/v2/x/manifests/app@sha256:" + HEX,
    "token_refused: docker.io/library/app:1.2 is not available from any endpoint: the token server of r.example.com "
    "refuses a token.",
    "ghcr.io/team/auth:1.2 and quay.io/org/vault-secrets:v3 and token:latest cannot be pulled",
    "m.example.com: it answers with Basic authentication.",
    'configs."r.example.com".auth.token: K3s does not read auth.token',
    'configs."r.example.com:5000".auth.password: there is no username',
    "no basic auth credentials",
    "Add mirrors: and configs: at the top level.",
    "2026-11-25T14:02:00Z node-1 ready; sha256 " + HEX,
    "CN=registry.example.com,O=Example GmbH,emailAddress=admin@example.com",
    "mirrors:\n  docker.io:\n    endpoint:\n      - https://r.example.com:5000\n    rewrite:\n      ^a/(.*): b/$1",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://admin:pw@h.example.com/v2", "https://********@h.example.com/v2"),
        ("admin:pw@h.example.com", "********@h.example.com"),
        ("admin@h.example.com:5000", "********@h.example.com:5000"),
        ("https://admin:p/w@x@h/v2?token=abc&ns=docker.io", "https://********@h/v2?token=********&ns=docker.io"),
        ("http://h:5000/v2", "http://h:5000/v2"),
        ("https://h/#frag", "https://h/#********"),
        ("docker.io", "docker.io"),
        ("rancher/pause:3.6@sha256:" + HEX, "rancher/pause:3.6@sha256:" + HEX),
        ("*", "*"),
    ],
)
def test_a_value_that_is_a_url_or_a_host(value, shown):
    assert without_credentials(value) == shown


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        # Of one letter, as a hostile token server would hand out: not looked for, or nothing could be read any more.
        ("a", "a registry at example.com", "a registry at example.com"),
        ("pw", "https://u:pw@h/ says pw", "https://********@h/ says pw"),
        ("test", "the latest test failed: test", "the latest ******** failed: ********"),
        ("test", 'error="\\ntest"', 'error="\\n********"'),
        ("s3cret-Pa55", "xs3cret-Pa55x", "x********x"),
        ("s3cr t&", "it echoes " + quote("s3cr t&"), "it echoes s3cr%20t%26"),
        ("****", "a mask ********", "a mask ********"),
        ("", "nothing", "nothing"),
    ],
)
def test_known_secrets_and_their_length(secret, text, shown):
    assert redact(text, [secret]) == shown


@given(st.text(min_size=8, max_size=30), st.text(max_size=20), st.text(max_size=20))
@example('quo"te\\back', "", "")
def test_known_secrets_never_stay_in_any_form(secret, before, after):
    assume(secret not in MASK)
    known = known_secrets({"configs": {"h": {"auth": {"username": "robot", "password": secret}}}})
    pair = base64.b64encode(b"robot:" + secret.encode("utf-8", "replace")).decode()
    for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], pair):
        text = redact(f"{before} {form} {after}", known)
        assert form in MASK or form not in text.replace(before, "").replace(after, "")


PASSWORD = "pa&ss/w<o>rd+7f3a91c4"
AROUND = json.dumps({"configs": {"h": {"auth": {"password": PASSWORD}}}})


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        PASSWORD.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
        PASSWORD.replace("/", "\\/"),
        quote(PASSWORD, safe=""),
        quote(PASSWORD, safe="$&+,;="),
        quote(quote(PASSWORD, safe=""), safe=""),
        *(base64.b64encode(b"x" * shift + AROUND.encode()).decode() for shift in range(3)),
        *(base64.urlsafe_b64encode(b"x" * shift + AROUND.encode()).decode() for shift in range(3)),
    ],
)
def test_a_known_secret_within_what_others_make_of_it(form):
    known = known_secrets({"configs": {"h": {"auth": {"username": "robot", "password": PASSWORD}}}})
    for text in (f"it says {form} here", *(f"{form[:at]}\n{form[at:]}" for at in range(1, len(form)))):
        shown = redact(text, known)
        assert "rd+7f3a" not in shown
        assert "7f3a91c4" not in shown
        if not form.startswith("pa"):
            for start in range(3):
                encoded = base64.b64encode(b"x" * start + PASSWORD.encode()).decode()[4:-4]
                assert encoded not in shown.replace("\n", "")


def test_lines_that_hold_no_secret_stay_apart():
    assert redact("CANARY7f\n3a91c4\nand more\n\nCANARY7f3a91c4 more", [CANARY]) == (
        "********\n\nand more\n\n******** more"
    )


def test_the_parts_of_a_url_are_known():
    known = known_secrets(
        {"mirrors": {f"https://a:{CANARY}@m": {"endpoint": [f"admin:1234/{CANARY}@h", f"https://h/?token={CANARY}-2"]}}}
    )
    shown = redact(f"{CANARY} and {CANARY}-2 and the host admin:1234", known)
    assert shown == "******** and ******** and the host ********"


def test_a_secret_is_not_cut_in_half():
    for length in range(16_300, 16_420):
        assert CANARY[:10] not in redact("x" * length + " password=" + CANARY * 3)
        assert CANARY[:10] not in redact("x" * length + " " + CANARY * 3, [CANARY * 3])
