# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE, declare
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import path, quoted
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples


def test_paths():
    assert path("configs", "registry.example.com:5000", "auth", "token") == (
        'configs."registry.example.com:5000".auth.token'
    )
    assert path("mirrors", "docker.io", "endpoint", 1) == 'mirrors."docker.io".endpoint[1]'
    assert path("mirrors", "https://user:pa/ss@host") == 'mirrors."https://********@host"'


def test_token_names_its_replacements():
    (finding,) = (f for f in lint({"configs": {"a.b": {"auth": {"token": "s3cret"}}}}) if f["code"] == "K3R106")
    assert finding["path"] == 'configs."a.b".auth.token'
    assert all(word in finding["fix"] for word in ("auth", "identity_token", "username", "password"))


@pytest.mark.parametrize(
    ("config", "fix"),
    [
        ({"mirrors": {"docker.io": {"endpoints": []}}}, "Did you mean endpoint?"),
        ({"mirrors": {"docker.io": {"rewirte": {}}}}, "Did you mean rewrite?"),
        ({"Mirrors": {}}, "Did you mean mirrors?"),
        ({"configs": {"a.b": {"username": "u"}}}, "Write it under auth:"),
        ({"configs": {"a.b": {"ca_file": "/a"}}}, "Write it under tls:"),
        ({"configs": {"a.b": {"tls": {"insecureSkipVerify": True}}}}, "Did you mean insecure_skip_verify?"),
        ({"mirrors": {"docker.io": {"auth": {}}}}, 'belongs to configs."<endpoint host[:port]>"'),
        ({"docker.io": {}}, "stand under mirrors:"),
        ({"k3s_registries": {}}, "without that line"),
    ],
)
def test_unknown_keys_say_what_was_meant(config, fix):
    (finding,) = lint(config)
    assert finding["code"] == "K3R101"
    assert fix in finding["fix"]


def test_secrets_never_appear():
    secret = "s3cr3t-canary"
    config = {
        "mirrors": {
            f"https://u:{secret}@a.b": None,
            "docker.io": {"endpoint": [f"https://u:{secret}@a.b/x", f"https://u:{secret}@a b", f"u:{secret}@[::", 1]},
        },
        "configs": {
            f"u:{secret}@a.b": {"auth": {"username": 1, "password": secret + "\n"}},
            "a.b": {"auth": secret},
            "c.d": {"auth": {"auth": secret, "token": secret, "identity_token": [secret], f"robot:{secret}": None}},
            "e.f": {"auth": {"password": secret}},
        },
    }
    findings = lint(config, NodeFacts("v1.28.1+k3s1"))
    assert len(findings) > 10
    assert secret not in json.dumps(findings)


def test_errors_come_first():
    levels = [f["level"] for f in lint({"mirrors": {"docker.io": {"endpoint": ["https://a/p", "oci://a"]}}})]
    assert levels == sorted(levels)
    assert set(levels) == {"error", "warning"}


def test_shipping_keys_belong_to_the_variable_only():
    config = {"configs": {"a.b": {"tls": {"cert_src": "c.crt", "key_content": "k", "ca_src": "ca.crt"}}}}
    assert lint(config, shipping_keys=True) == []
    assert {f["code"] for f in lint(config)} == {"K3R110"}


def test_proxy_variables_of_containerd_come_first():
    config = {"mirrors": {"docker.io": {"endpoint": ["https://a.b"]}}}
    environment = {"HTTPS_PROXY": "http://u:s3cret@proxy", "CONTAINERD_NO_PROXY": "a.b"}
    assert lint(config, NodeFacts(environment=environment)) == []
    (finding,) = lint(config, NodeFacts(environment={"HTTPS_PROXY": "http://u:s3cret@proxy"}))
    assert "s3cret" not in json.dumps(finding)


def test_mirrors_without_endpoints_may_belong_to_an_embedded_registry_that_nobody_has_told_of():
    bare = {"mirrors": {"docker.io": None}}
    assert [finding["code"] for finding in lint(bare)] == ["K3R273"]
    assert lint(bare, NodeFacts(embedded_unknown=True)) == []
    assert lint(bare, NodeFacts(embedded_mirror="127.0.0.1:6443")) == []


def test_catalogue_is_complete():
    for rule in CATALOGUE.values():
        assert all((rule.title, rule.why, rule.source, rule.fix))
        assert re.match(r"K3R[1-4]\d\d\Z", rule.code)
    with pytest.raises(ValueError, match="twice"):
        declare("K3R101", "error", "", "", "", "")


def test_quoted_is_one_short_line():
    assert quoted("a\nb" + "x" * 500).count("\n") == 0
    assert len(quoted("x" * 500)) < 130


WORDS = st.sampled_from(
    [
        "mirrors",
        "configs",
        "endpoint",
        "rewrite",
        "auth",
        "tls",
        "username",
        "password",
        "token",
        "ca_file",
        "cert_file",
    ]
    + ["ca_src", "insecure_skip_verify", "docker.io", "*", "https://a", "a.b:5000", "http://[::1]:5", "^(.*)$", "$1x"]
    + ["\\", '"', "{{ x }}", "localhost:5000", "[fd00::1]", "", "https:/x", "%zz", "host:port", "\ud800"]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), WORDS, st.dates(), st.binary())
KEYS = st.one_of(WORDS, st.text(), st.integers(), st.none())
TREES = st.recursive(
    SCALARS, lambda c: st.one_of(st.lists(c, max_size=3), st.dictionaries(KEYS, c, max_size=4)), max_leaves=25
)
TEXTS = st.one_of(WORDS, st.text())
MIRRORS = st.dictionaries(
    TEXTS,
    st.fixed_dictionaries({"endpoint": st.lists(TEXTS, max_size=3), "rewrite": st.dictionaries(TEXTS, TEXTS)}),
    max_size=3,
)
CONFIGS = st.one_of(TREES, st.fixed_dictionaries({"mirrors": st.one_of(TREES, MIRRORS), "configs": TREES}))


@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(CONFIGS, st.sampled_from(["", "v1.28.1+k3s1", "v1.31.6+rke2r1", "x"]), st.booleans(), st.booleans())
def test_never_raises_and_misses_nothing_that_is_refused(config, version, default_endpoint, shipping_keys):
    findings = lint(config, NodeFacts(version, default_endpoint, "127.0.0.1:6443", ["x", "\ud800"]), shipping_keys)
    for finding in findings:
        assert set(finding) == {"code", "level", "path", "message", "fix"}
        assert finding["level"] == CATALOGUE[finding["code"]].level
        json.dumps(finding, ensure_ascii=False).encode()
    if not any(finding["level"] == "error" for finding in findings):
        normalise(config)
