# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One property over all places that output text: a secret that goes into any channel comes out of none.

Channels are somebody else's registries.yaml (passwords in URLs, with and without a scheme, in names and endpoints, in
query strings, as keys under auth), K3s' own settings and files on a node, containerd's and the kubelet's log lines,
error messages of modules. Outputs are what info, lint, decoder, diagnosis, verdict, table, report, metrics and diffs
make of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.filter.diagnose_pulls import diagnose_pulls
from ansible_collections.k3sfleet.registries.plugins.filter.lint_registries import lint_registries
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics import exposition, metrics
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare import describe
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import page
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import build, diagnosed
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.summary import summary
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import failing
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import judge, row_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.table import table
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.verified import verification, verified_host
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.unit.plugins.module_utils._pulls.containerd_log import failed, line, started
from tests.unit.plugins.plugin_utils._info.node import Node

CANARY = "CANARY7f3a91c4"

around = st.text(alphabet="aZ0@/:?#&=%.+~!$*,;-_", max_size=4)
passwords = st.builds(lambda before, after: before + CANARY + after, around, around)
users = st.sampled_from(["admin", "robot$ci", "a.b", "me@corp"])
schemes = st.sampled_from(["https://", "http://", "//", ""])
hosts = st.sampled_from(["r.example.com", "r.example.com:5000", "10.0.0.1:5000", "[fd00::1]:5000", "docker.io"])


@st.composite
def addresses(draw: Any) -> str:
    """A URL or host with a secret in it, as people paste it."""
    scheme, user, host, password = draw(schemes), draw(users), draw(hosts), draw(passwords)
    return draw(
        st.sampled_from(
            [
                f"{scheme}{user}:{password}@{host}",
                f"{scheme}{user}:{password}@{host}/v2/project",
                f"{scheme}{password}@{host}",
                f"{scheme}{host}/v2?token={CANARY}",
                f"{scheme}{host}/?x=1&sig={CANARY}&ns=docker.io",
            ]
        )
    )


@st.composite
def registries(draw: Any) -> dict[str, Any]:
    """A registries.yaml of somebody else's."""
    password = draw(passwords)
    auth: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"username": "robot", "password": password},
                {"identity_token": password, "token": password},
                {"username": "robot", "password:" + password: None},
                {"username": "robot", password: None},
                {"username": ["robot"], "password": {password: password}},
                {"auth": password},
                {"passwort": password},
            ]
        )
    )
    mirrors = draw(st.dictionaries(st.one_of(hosts, addresses()), st.lists(addresses(), max_size=3), max_size=3))
    return {
        "mirrors": {name: {"endpoint": listed} for name, listed in mirrors.items()},
        "configs": {draw(st.one_of(hosts, addresses())): {"auth": auth, "tls": {"ca_file": "ca.crt"}}},
    }


LOG_TEXTS = [
    "failed to do request: Head %(url)s: EOF",
    'failed to do request: Head "%(url)s": EOF',
    "unexpected status from GET request to https://cdn.example.com/x?X-Amz-Signature=%(secret)s: 403 Forbidden",
    "bad header Authorization: Bearer %(secret)s",
    'request.header.authorization="Basic %(secret)s"',
    "invalid decoded auth: %(secret)s",
    "response.header.set-cookie=session=%(secret)s",
    '{"auths":{"r.example.com":{"username":"robot","password":"%(secret)s","auth":"%(secret)s"}}}',
    "auth: {Username:robot Password:%(secret)s Auth:%(secret)s IdentityToken:%(secret)s}",
    "password: %(secret)s",
    "token ghp_%(secret)s",
    "-----BEGIN PRIVATE KEY-----\\n%(secret)s\\n-----END PRIVATE KEY-----",
    "strange %(known)s echo",
]
KNOWN = "known-" + CANARY


def printed(*outputs: Any) -> str:
    return "\n".join(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in outputs)


def shown(results: dict[str, Any], with_page: bool = False) -> str:
    """Everything that is written or printed about a host with these results of modules."""
    info, probe, diagnosis = (results.get(name, {}) for name in ("info", "probe", "diagnosis"))
    document = build(["n"], {"n": info}, {"n": probe}, {"n": diagnosis}, {}, "2026-11-25T14:02:00Z")
    found = judge("n", info, probe, results.get("canary", {}), True, results.get("applied"))
    judged = row_of(found)
    verified = verification(["n"], {"n": verified_host(results, found)}, {}, "2026-11-25T14:02:00Z")
    diagnosis_of_all = diagnosed(["n"], {"n": info}, {"n": diagnosis}, {}, "2026-11-25T14:02:00Z")
    lines = failing.lines(failing.examined({"n": diagnosis}, {"n": info}))
    html = page.html(document, "Report") if with_page else ""
    prom = exposition.text(metrics.families(verified["hosts"]["n"], 0))
    return printed(document, verified, diagnosis_of_all, html, summary(document), judged, table([judged]), lines, prom)


def decoded(text: str, strict: bool) -> str:
    """What the decoder makes of a text: the configuration without its secrets, or the reason why there is none."""
    try:
        config = decode(text, strict=strict)
    except DecodeError as error:
        return error.message + error.path
    return printed(dict(describe.without_secrets(config)), describe.description(config, [], {}))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node(tmp_path, monkeypatch)
    node.start()
    return node


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(registries(), addresses())
def test_somebody_elses_registries_yaml(node: Node, config: dict[str, Any], address: str) -> None:
    text = json.dumps(config)
    node.write(text, age=100)
    node.write("system-default-registry: %s\n" % json.dumps(address), node.paths.config_dir + "/config.yaml")
    info = node.info()
    assert CANARY not in printed(info)
    assert CANARY not in shown({"info": {"info": info}}, with_page=True)
    assert CANARY not in printed(lint_registries(config), lint_registries(text))
    for strict in (False, True):
        assert CANARY not in decoded(text, strict)


@settings(max_examples=examples(60), deadline=None)
@given(st.sampled_from(LOG_TEXTS), addresses())
def test_log_lines(text: str, address: str) -> None:
    url = address if "://" in address else "https://admin:" + CANARY + "@r.example.com/v2/"
    said = text % {"url": url.replace('"', ""), "secret": CANARY, "known": KNOWN}
    image = "quay.io/team/app:1"
    log = [
        started(image),
        line("trying next host", error=said, host="m.example.com"),
        failed(image, 'failed to resolve reference "%s": %s' % (image, said)),
    ]
    auth = {"username": "robot", "password": KNOWN}
    pulls = diagnose_pulls("\n".join(log), {"configs": {"m.example.com": {"auth": auth}}})
    assert len(pulls) == 1
    assert CANARY not in printed(pulls)
    redactor = Redactor.of_tables([{"username": "robot", "password": KNOWN}])
    assert CANARY not in printed(redactor.lines([said, *log]), redactor.text(said))
    # A node that masks nothing: what it sends is masked once more, by place and form.
    if KNOWN not in said:
        pull = {"image": image, "cause": "unknown", "endpoint": url, "message": said, "fix": said, "evidence": log}
        failure = {"failed": True, "msg": "it failed:\n" + said}
        assert CANARY not in shown({"diagnosis": {"pulls": [pull]}, "canary": {"pulls": [dict(pull, ok=False)]}})
        assert CANARY not in shown({"info": failure, "probe": failure, "diagnosis": failure, "applied": failure})
        endpoint = {"registry": "quay.io", "endpoint": url, "cause": "unknown", "message": said, "fix": said}
        facts = {"state": "loaded", "problems": [{"code": "x", "level": "error", "message": said, "fix": said}]}
        provider = {"name": "ecr", "cause": "provider_failed", "message": said, "fix": said, "findings": [said]}
        probe = {"endpoints": [endpoint], "providers": [provider]}
        assert CANARY not in shown({"info": {"info": facts}, "probe": probe}, with_page=True)
        answer = {"msg": said, "log": log, "diagnosis": {"message": said}, "reasons": [said]}
        assert CANARY not in printed(answer_of(answer))
