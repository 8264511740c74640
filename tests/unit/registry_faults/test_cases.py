# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the fault run and the page that is made from it. The run needs a fleet: `make registry-faults`."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.fleet.certificates import authority, issue
from tests.registry_faults import page
from tests.registry_faults.__main__ import judge, leaks
from tests.registry_faults.cases import CASES, FAULTS, ROBOT, Case, registries
from tests.registry_faults.servers import Request
from tests.registry_faults.tokens import TokenServer

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.advice import ADVICE
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml


def test_every_cause_is_produced_but_those_that_need_more_than_a_registry() -> None:
    made = {case.cause for case in FAULTS}
    assert set(ADVICE) - made == {"manifest_unsupported", "unknown"}


def test_no_two_cases_share_settings() -> None:
    """Settings are looked up by host and port, so each case has its own."""
    hosts = [case.mirror_host for case in CASES]
    assert len(set(hosts)) == len(hosts)
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(hosts_toml(normalise(registries("10.0.0.250")))) >= len(CASES)


def test_the_page_has_every_fault_as_the_run_saw_it() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "out of date: run `make docs`"
    rows = page.PAGE.read_text(encoding="utf-8").partition(page.BEGIN)[2].partition(page.END)[0].splitlines()
    assert [row.split("|")[1].strip() for row in rows if row.startswith("| ")][1:] == [case.what for case in FAULTS]
    assert set(json.loads(page.SEEN.read_text(encoding="utf-8"))) == {case.name for case in FAULTS}
    assert all("{" not in row and "faults.test" not in row for row in rows)


CASE = Case("x", "what", "timeout", 5000)
SEEN = {"image": CASE.full_image, "kind": "mirror", "cause": "timeout"}
VERDICT = {
    "image": CASE.full_image,
    "cause": "timeout",
    "endpoint": CASE.mirror_host,
    "fix": "x",
    "evidence": [],
    "message": "m (it)",
}


@pytest.mark.parametrize(
    ("probe", "verdict", "pulled", "wrong"),
    [
        ({}, {}, False, 0),
        ({"cause": "unknown"}, {}, False, 1),
        ({"kind": "default"}, {}, False, 1),
        ({}, {"cause": "dns_failure"}, False, 2),
        ({}, {"endpoint": "x.example.com"}, False, 1),
        ({}, {"fix": ""}, False, 1),
        ({}, {"image": "another"}, False, 2),
        ({}, {}, True, 1),
    ],
)
def test_the_judge_would_see_it(probe: dict[str, Any], verdict: dict[str, Any], pulled: bool, wrong: int) -> None:
    pulls = {"with": [{**VERDICT, **verdict}], "without": [{**VERDICT, **verdict}]}
    assert len(judge(CASE, [{**SEEN, **probe}], pulls, pulled, "").problems) == wrong


def test_a_leak_would_be_seen() -> None:
    assert leaks({"a": [ROBOT["password"]]})
    assert not leaks({"a": ["********"]})


def test_a_token_is_signed_and_says_what_may_be_done() -> None:
    ca = authority("CA")
    signer = issue(ca, "signer")
    server = TokenServer(signer, {"robot": ("right", True), "reader": ("right", False)})
    basic = {"authorization": "Basic " + base64.b64encode(b"robot:right").decode()}
    query = {"scope": ["repository:team/app:pull,push"]}
    reply = server(Request("GET", "/token", query, basic, b""))
    header, claims, signature = json.loads(reply.body)["token"].split(".")
    assert _json(claims)["access"] == [{"type": "repository", "name": "team/app", "actions": ["pull", "push"]}]
    certificate = x509.load_der_x509_certificate(base64.b64decode(_json(header)["x5c"][0]))
    raw = base64.urlsafe_b64decode(signature + "==")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    certificate.public_key().verify(der, f"{header}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))  # type: ignore[call-arg,union-attr]
    form = b"username=reader&password=right&scope=repository%3Ateam%2Fapp%3Apull"
    reader = server(Request("POST", "/token", {}, {}, form))
    assert _json(json.loads(reader.body)["access_token"].split(".")[1])["access"] == []
    assert server(Request("POST", "/token", {}, {}, form.replace(b"right", b"wrong"))).status == 401
    assert server(Request("GET", "/token", query, {}, b"")).status == 401


def _json(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=="))
