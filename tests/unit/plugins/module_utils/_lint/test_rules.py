# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule: a configuration that fires it, and a near one that does not."""

from __future__ import annotations

import base64
import datetime
import re
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import certificates as _certificates
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import ignoring as _ignoring
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import lint as _module
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import text as _text
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts

R = "registry.example.com:5000"
GOOD = base64.b64encode(b"robot:s3cret").decode()


def mirror(*endpoints, name="docker.io", **more):
    return {"mirrors": {name: {"endpoint": list(endpoints), **more}}}


def rewrite(pattern, replacement, endpoint=f"https://{R}", name="docker.io"):
    return mirror(endpoint, name=name, rewrite={pattern: replacement})


def host(name=R, endpoint=f"https://{R}", **settings):
    return {**mirror(endpoint), "configs": {name: settings}}


def auth(**values):
    return host(auth=values)


def tls(**values):
    return host(tls=values)


def both(mirrors, configs):
    return {"mirrors": mirrors, "configs": configs}


M = {"endpoint": [f"https://{R}"]}
EMBEDDED = {"embedded_mirror": "127.0.0.1:6443"}
OLD = {"k3s_version": "v1.24.1+k3s1"}

# code: (fires, does not fire, arguments of lint for both)
CASES = {
    "K3R101": ({"mirrros": {}}, {"mirrors": {}}, {}),
    "K3R102": ({"mirrors": {"docker.io": {"endpoint": "https://a"}}}, mirror("https://a"), {}),
    "K3R103": (tls(insecure_skip_verify="true"), tls(insecure_skip_verify=True), {}),
    "K3R104": (auth(username="u", password=83), auth(username="u", password="83"), {}),
    "K3R105": ({"mirrors": {"docker.io": M, "configs": {R: {}}}}, both({"docker.io": M}, {R: {}}), {}),
    "K3R106": (auth(token="x"), auth(identity_token="x"), {}),
    "K3R107": ({"auths": {R: {"auth": GOOD}}}, {"configs": {}}, {}),
    "K3R108": ({"\u00a0mirrors": {}}, {"mirrors": {}}, {}),
    "K3R109": (mirror("https://{{ registry }}"), mirror("https://registry"), {}),
    "K3R120": ({"auths": {}}, {"configs": {}}, {}),
    "K3R110": (tls(ca_src="files/ca.crt"), tls(ca_file="/etc/ca.crt"), {}),
    "K3R115": (
        auth(username="u", password="p", expires="soon"),
        auth(username="u", password="p", expires="2100-01-31"),
        {"shipping_keys": True},
    ),
    "K3R201": (mirror(f"https://{R}", name="https://docker.io"), mirror(f"https://{R}"), {}),
    "K3R202": (mirror(f"https://{R}", name="index.docker.io"), mirror(f"https://{R}"), {}),
    "K3R203": (mirror(f"https://{R}", name="harbor"), mirror(f"https://{R}", name="harbor:5000"), {}),
    "K3R204": (host(f"https://{R}", auth={}), host(auth={}), {}),
    "K3R205": (host("index.docker.io", auth={}), host("registry-1.docker.io", auth={}), {}),
    "K3R206": (host("other.example.com", tls={}), host(tls={}), {}),
    "K3R207": (host("registry.example.com", tls={}), host(tls={}), {}),
    "K3R208": (mirror("https://a.b", name="Docker.io"), mirror("https://a.b"), {}),
    "K3R209": (mirror("https://a.b", name="a.b:port"), mirror("https://a.b", name="a.b:5000"), {}),
    "K3R210": (mirror("https://fd00::1:x"), mirror("https://[fd00::1]:5000"), {}),
    "K3R211": (mirror("https:/a.b"), mirror("https://a.b"), {}),
    "K3R212": (mirror("https://a.b:99999"), mirror("https://a.b:65535"), {}),
    "K3R213": (mirror("https://robot:s3cret@a.b"), mirror("https://a.b"), {}),
    "K3R214": (mirror("localhost:5000"), mirror("http://localhost:5000"), {}),
    "K3R215": (mirror("https://a.b/project"), mirror("https://a.b/v2/project"), {}),
    "K3R216": (mirror("https://a.b/v2/"), mirror("https://a.b/v2"), {}),
    "K3R217": (mirror("https://a.b", "a.b/v2"), mirror("https://a.b", "http://a.b"), {}),
    "K3R218": (mirror("https://hub.docker.com"), mirror("https://registry-1.docker.io"), {}),
    "K3R219": (mirror("https://k8s.gcr.io"), mirror("https://registry.k8s.io", name="k8s.gcr.io"), {}),
    "K3R220": (host("*", auth={"username": "u", "password": "s3cret"}), host("*", tls={}), {}),
    "K3R221": (auth(auth="ghp_token"), auth(auth=GOOD), {}),
    "K3R222": (auth(password="s3cret"), auth(username="u", password="s3cret"), {}),
    "K3R223": (auth(username="u", identity_token="t"), auth(username="u", password="p"), {}),
    "K3R224": (auth(username="u", password="p", auth=GOOD), auth(username="u", password="p"), {}),
    "K3R225": (auth(), auth(auth=GOOD), {}),
    "K3R226": (
        host(endpoint=f"http://{R}", auth={"auth": GOOD}),
        host(endpoint=f"https://{R}", auth={"auth": GOOD}),
        {},
    ),
    "K3R227": (auth(username="u", password="s3cret\n"), auth(username="u", password="s3 cret"), {}),
    "K3R228": (auth(username="a:b", password="p"), auth(username="a", password="b:p"), {}),
    "K3R229": (auth(username="AWS", password="s3cret"), auth(username="aws", password="s3cret"), {}),
    "K3R230": (tls(ca_file="ca.crt"), tls(ca_file="/ca.crt"), {}),
    "K3R231": (tls(cert_file="/c.crt"), tls(cert_file="/c.crt", key_file="/c.key"), {}),
    "K3R232": (tls(ca_src="a", ca_file="/a"), tls(ca_src="a"), {"shipping_keys": True}),
    "K3R233": (
        host(endpoint=f"http://{R}", tls={"ca_file": "/a"}),
        host(endpoint=f"https://{R}", tls={"ca_file": "/a"}),
        {},
    ),
    "K3R234": (tls(insecure_skip_verify=True), tls(insecure_skip_verify=False), {}),
    "K3R235": (
        both({"*": M}, {"*": {"tls": {"ca_file": "/a"}}}),
        both({"docker.io": M}, {"*": {"tls": {"ca_file": "/a"}}}),
        {},
    ),
    "K3R236": (
        both({"docker.io": M}, {"*": {"tls": {"ca_file": "/a"}}}),
        both({}, {"*": {"tls": {"ca_file": "/a"}}}),
        {},
    ),
    "K3R240": (rewrite("(?=a)", "b"), rewrite("^(?:a)", "b"), {}),
    "K3R241": (rewrite(r"^foo\.bar/", "x/"), rewrite("^foo[.]bar/", "x/"), {}),
    "K3R242": (rewrite("^a/(.*)", "$1x"), rewrite("^a/(.*)", "${1}x"), {}),
    "K3R243": (
        mirror("https://a.b", rewrite={"^rancher/(.*)": "a/$1", "(.*)": "b/$1"}),
        mirror("https://a.b", rewrite={"^rancher/(.*)": "a/$1", "^library/(.*)": "b/$1"}),
        {},
    ),
    "K3R244": (mirror(rewrite={"a": "b"}), mirror("https://a.b", rewrite={"a": "b"}), {}),
    "K3R245": (
        rewrite("^a/", "b/", "https://a.b", "a.b"),
        rewrite("^a/", "b/", "https://a.b:443", "a.b"),
        {},
    ),
    "K3R246": (rewrite("^nginx$", "x/nginx"), rewrite("^library/nginx$", "x/nginx"), {}),
    "K3R247": (rewrite("^a/(.*)", "/Project/$1"), rewrite("^a/(.*)", "project/$1"), {}),
    "K3R249": (rewrite("^a/(.*)", f"{R}/a/$1"), rewrite("^a/(.*)", "registry.example.com/a/$1"), {}),
    "K3R250": (
        both({"docker.io": M}, {"docker.io": None}),
        both({"docker.io": M}, {R: None}),
        {"default_endpoint": False},
    ),
    "K3R251": ({"mirrors": {"quay.io": None}}, {"mirrors": {"quay.io": M}}, {"default_endpoint": False}),
    "K3R260": (mirror("https://a.b"), mirror("https://a.b", name="*"), {"images": ["ghcr.io/k3s-io/pause:3.6"]}),
    "K3R262": (
        mirror("https://a.b"),
        mirror("https://c.internal:5000"),
        {"environment": {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".internal,10.0.0.0/8"}},
    ),
    "K3R263": (auth(auth=GOOD), tls(), {"config_template": "/var/lib/rancher/k3s/config-v3.toml.tmpl"}),
    "K3R270": (
        both({"icr.io": M}, {"icr.io": {"auth": {"auth": GOOD}}}),
        both({"icr.io": M}, {R: {"auth": {"auth": GOOD}}}),
        {"default_endpoint": False},
    ),
    "K3R271": (both({"icr.io": M}, {"icr.io": {"auth": {"auth": GOOD}}}), both({"icr.io": M}, {"icr.io": None}), {}),
    "K3R272": (mirror("a.b"), mirror("https://a.b"), {}),
    "K3R273": ({"mirrors": {"quay.io": None}}, {"mirrors": {"quay.io": M}}, {}),
    "K3R275": (mirror("http://a.b"), mirror("http://10.0.0.1:5000", "http://registry.lan", "http://cache:5000"), {}),
    "K3R276": (mirror("https://a.b/v2/v2/c"), mirror("https://a.b/v2/c"), {}),
    "K3R403": (mirror("https://a.b", name="*"), mirror("https://a.b"), OLD),
    "K3R404": (
        both({}, {"docker.io": {"auth": {"auth": GOOD}}}),
        both({}, {"registry-1.docker.io": {"auth": {"auth": GOOD}}}),
        {"k3s_version": "v1.31.4+k3s1"},
    ),
    "K3R407": (
        both({}, {"docker.io": {"auth": {"auth": GOOD}}}),
        both({}, {"registry-1.docker.io": {"auth": {"auth": GOOD}}}),
        {},
    ),
    "K3R411": (mirror("https://a.b", "https://a.b"), mirror("https://a.b"), {"k3s_version": "v1.29.1+k3s1"}),
    "K3R412": (mirror("https://docker.io"), mirror("https://a.b"), {"k3s_version": "v1.29.1+k3s1"}),
    "K3R413": (
        {"configs": {R: {"tls": {"ca_file": "/a"}}}},
        {"mirrors": {R: {"endpoint": ["https://m.example.com"]}}, "configs": {R: {"tls": {"ca_file": "/a"}}}},
        {"k3s_version": "v1.29.3+k3s1"},
    ),
    "K3R414": (
        both(
            {"docker.io": {"endpoint": ["https://a.b", f"https://{R}"], "rewrite": {"^a/": "b/"}}},
            {R: {"auth": {"auth": GOOD}}},
        ),
        both({"docker.io": {"endpoint": ["https://a.b", f"https://{R}"]}}, {R: {"auth": {"auth": GOOD}}}),
        {"k3s_version": "v1.30.1+k3s1"},
    ),
    "K3R415": (mirror("https://a.b", name="*"), mirror("https://a.b"), {"k3s_version": "v1.31.6+k3s1"}),
    "K3R416": (mirror("https://[fd00::1]:5000"), mirror("https://a.b"), {"k3s_version": "v1.30.1+k3s1"}),
    "K3R418": (mirror("a.b"), mirror("https://a.b"), {"k3s_version": "v1.29.1+k3s1"}),
    "K3R419": ({"mirrors": {"*": None}}, {"mirrors": {"docker.io": None}}, {"k3s_version": "v1.34.3+k3s1", **EMBEDDED}),
    "K3R420": (mirror("https://a.b"), mirror(name="localhost:5000"), {"k3s_version": "v1.34.2+k3s1", **EMBEDDED}),
    "K3R421": ({"mirrors": {}}, mirror("https://a.b"), {"k3s_version": "v1.34.3+rke2r1", **EMBEDDED}),
}
# Rules that look at an argument, not at the configuration: (arguments that fire, arguments that do not).
ARGUMENTS = {
    "K3R261": ({"images": ["docker.io/UPPER"]}, {"images": ["lower/case"]}),
    "K3R274": ({"embedded_mirror": "127.0.0.1:6443"}, {}),
    "K3R401": ({**OLD, "default_endpoint": False}, {"k3s_version": "v1.31.4+k3s1", "default_endpoint": False}),
    "K3R402": ({**OLD, "embedded_mirror": "127.0.0.1:6443"}, OLD),
    "K3R405": ({"k3s_version": "newest"}, {"k3s_version": "1.31.4"}),
    "K3R406": ({"k3s_version": "v1.28.1+k3s1"}, {"k3s_version": "v1.28.6+k3s1"}),
    "K3R417": (
        {"k3s_version": "v1.30.1+k3s1", "embedded_mirror": "127.0.0.1:6443"},
        {"k3s_version": "v1.31.4+k3s1", "embedded_mirror": "127.0.0.1:6443"},
    ),
}


def found(config, **arguments):
    shipping_keys = arguments.pop("shipping_keys", False)
    return {finding["code"]: finding for finding in lint(config, NodeFacts(**arguments), shipping_keys)}


@pytest.mark.parametrize("code", CASES)
def test_rule(code):
    fires, quiet, arguments = CASES[code]
    finding = found(fires, **arguments)[code]
    assert finding["level"] == CATALOGUE[code].level
    assert finding["message"]
    assert finding["fix"]
    assert finding["path"]
    assert code not in found(quiet, **arguments)


@pytest.mark.parametrize("code", ARGUMENTS)
def test_rule_about_an_argument(code):
    fires, quiet = ARGUMENTS[code]
    config = mirror("https://a.b") if code != "K3R274" else {"mirrors": {}}
    assert code in found(config, **fires)
    assert code not in found(config, **quiet)


def test_unchecked_pattern_is_a_warning_without_re2(monkeypatch):
    from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import rewrites

    config = rewrite(r"^[[:alpha:]]+/", "x/")
    assert "K3R248" not in found(rewrite("^a/", "x/"))
    monkeypatch.setattr(rewrites, "_engine", lambda: None)
    assert found(config)["K3R248"]["level"] == "warning"
    assert "K3R248" not in found(rewrite("^a/", "x/"))


def test_every_rule_has_a_case_that_fires_it_and_one_that_does_not():
    """A rule added to the catalogue makes this fail until it has both: those in a table have them by its shape."""
    assert None not in (_module, _text, _certificates, _ignoring)  # imported for the rules that they declare
    tests = Path(__file__).resolve().parents[2] / "plugin_utils"
    text_cases = (tests / "_findings/test_text.py").read_text("utf-8")
    texts = set(re.findall(r'^    "(K3R\d{3})": \(', text_cases, re.MULTILINE))
    # Certificates: each is expected somewhere, and none for the good bundle (test_a_good_bundle_has_no_findings).
    bundle = (tests / "_certificates/test_bundle.py").read_text("utf-8")
    assert "def test_a_good_bundle_has_no_findings" in bundle
    certificates = set(re.findall(r"K3R3\d\d", bundle))
    without_re2 = {"K3R248"}  # test_unchecked_pattern_is_a_warning_without_re2
    assert set(CASES) | set(ARGUMENTS) | texts | certificates | without_re2 == set(CATALOGUE)


def test_every_feature_and_problem_of_the_rules_has_a_code():
    from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.releases import KNOWN, LACKING
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules import known_problems, release

    assert set(release.FEATURES) - {"hosts_toml"} == set(LACKING)
    assert {*known_problems._PROBLEMS, "bare_endpoint"} == set(KNOWN)


@pytest.mark.parametrize(
    ("expires", "fires"), [("2020-01-31", True), (datetime.date(2020, 1, 31), True), ("2100-01-31", False)]
)
def test_a_stated_end_is_warned_of(expires, fires):
    found = lint(auth(username="u", password="s3cret", expires=expires), shipping_keys=True)
    assert [item["level"] for item in found if item["code"] == "K3R229"] == ["warning"] * fires
    assert all("s3cret" not in str(item) for item in found)


def test_a_stated_end_does_not_take_the_sources_of_certificates_away():
    config = host(
        auth={"username": "u", "password": "p", "expires": "2100-01-31"}, tls={"ca_src": "a", "ca_file": "/a"}
    )
    assert "K3R232" in {item["code"] for item in lint(config, shipping_keys=True)}


@pytest.mark.parametrize(
    ("settings", "says"), [({"expires": "2100-01-31"}, "auth"), ({"tls": {"expires": "2100-01-31"}}, "auth")]
)
def test_a_stated_end_in_the_wrong_place_is_put_right(settings, says):
    (found,) = (item for item in lint(host(**settings), shipping_keys=True) if item["code"] == "K3R101")
    assert says in found["fix"]
