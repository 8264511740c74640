# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node's configuration adds: why a mirror was not used, where credentials are, which setting names a file."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from containerd_log import GENERATIONS, Answer, failed, started, unfetched, unresolved

MIRROR = "mirror.example.com:5000"
AUTH = {"auth": {"username": "robot", "password": "s3cret-canary"}}
NO_CREDENTIALS = Answer(
    MIRROR,
    error="pull access denied, repository does not exist or may require authorization: authorization failed: no basic"
    " auth credentials",
)


def diagnosis(lines, mirrors=None, configs=None):
    reader = PullReader({"mirrors": mirrors or {}, "configs": configs} if mirrors or configs else {})
    reader.read(lines)
    (found,) = reader.diagnoses()
    return found


def mirrored(*endpoints):
    return {"quay.io": {"endpoint": list(endpoints or (f"https://{MIRROR}",))}}


IMAGE = "quay.io/team/app:1"
DENIED = unresolved(IMAGE, [NO_CREDENTIALS, Answer("quay.io", error='Head "{url}": EOF')], "2.1")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("mirror.example.com", "byte for byte"),
        ("https://mirror.example.com:5000", "byte for byte"),
        ("Mirror.Example.com:5000", "byte for byte"),
        ("mirror.example.com:5001", "byte for byte"),
        ("quay.io", "only to its default endpoint"),
        ("*", "wildcard"),
    ],
)
def test_credentials_under_another_key_are_named(key, why):
    found = diagnosis(DENIED, mirrored(), {key: AUTH})
    assert (found["cause"], found["endpoint"]) == ("unauthorized", MIRROR)
    assert f'configs."{key}"' in found["message"]
    assert why in found["message"]
    assert f'configs."{key}".auth to configs."{MIRROR}".auth' in found["fix"]


def test_a_pull_secret_replaces_the_nodes_credentials():
    found = diagnosis(DENIED, mirrored(), {MIRROR: AUTH})
    assert "imagePullSecret replaces the node's credentials" in found["message"]
    assert f'configs."{MIRROR}".auth' in found["fix"]


def test_wrong_credentials_are_not_blamed_on_a_pull_secret():
    lines = unresolved(IMAGE, [Answer(MIRROR, "401 Unauthorized")], "2.1")
    found = diagnosis(lines, mirrored(), {MIRROR: AUTH})
    assert "replaces the node's credentials for every endpoint" not in found["message"]
    assert f'configs."{MIRROR}".auth' in found["fix"]


def test_no_credentials_anywhere_are_said_to_be_missing():
    assert f'nothing under configs."{MIRROR}".auth' in diagnosis(DENIED, mirrored(), {})["message"]


def test_nothing_is_said_about_credentials_where_configs_are_unknown():
    reader = PullReader({"mirrors": mirrored(), "configs": None})
    reader.read(DENIED)
    assert "configs has no credentials" not in reader.diagnoses()[0]["message"]


TIMEOUT = 'failed to do request: Head "{url}": dial tcp 1.2.3.4:443: i/o timeout'


@pytest.mark.parametrize(
    ("image", "host", "key"),
    [
        ("registry.example.com:5000/a/b:1", "registry.example.com:5000", "registry.example.com"),
        ("registry.example.com/a/b:1", "registry.example.com", "registry.example.com:5000"),
        ("registry.example.com/a/b:1", "registry.example.com", "https://registry.example.com"),
        ("docker.io/library/nginx:1", "registry-1.docker.io", "index.docker.io"),
        ("docker.io/library/nginx:1", "registry-1.docker.io", "registry-1.docker.io"),
    ],
)
def test_a_mirror_under_a_name_that_never_matches_is_named(image, host, key):
    lines = unresolved(image, [Answer(host, error=TIMEOUT)], "2.1")
    found = diagnosis(lines, {key: {"endpoint": [f"https://{MIRROR}"]}})
    assert (found["cause"], found["endpoint"]) == ("timeout", host)
    assert f'mirrors."{key}" does not apply' in found["message"]
    assert f'Rename mirrors."{key}" to mirrors."{image.split("/")[0]}"' in found["fix"]


def test_a_registry_without_a_mirror_is_said_to_have_none():
    lines = unresolved("ghcr.io/a/b:1", [Answer("ghcr.io", error=TIMEOUT)], "2.1")
    assert "No entry in mirrors applies to ghcr.io" in diagnosis(lines, mirrored())["message"]


def test_a_configured_mirror_that_was_not_asked_is_named():
    lines = unresolved(IMAGE, [Answer("quay.io", error=TIMEOUT)], "2.1")
    assert 'None of the endpoints of mirrors."quay.io" was asked' in diagnosis(lines, mirrored())["message"]
    assert 'None of the endpoints of mirrors."*" was asked' in diagnosis(lines, {"*": mirrored()["quay.io"]})["message"]


def test_an_endpoint_that_is_not_configured_is_said_to_be_foreign():
    lines = unresolved(IMAGE, [Answer("old.example.com", error=TIMEOUT), Answer("quay.io", error=TIMEOUT)], "2.1")
    found = diagnosis(lines, mirrored())
    assert found["endpoint"] == "old.example.com"
    assert "old.example.com is not among the endpoints configured for quay.io" in found["message"]


def test_the_content_host_that_a_registry_redirects_to_is_not_foreign():
    error = 'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://cdn.example.net/x": EOF'
    assert "not among the endpoints" not in diagnosis(unfetched(IMAGE, error), mirrored())["message"]


def test_the_endpoint_that_must_have_sent_the_content_is_inferred():
    error = "no match for platform in manifest: not found"
    assert diagnosis(unfetched(IMAGE, error), mirrored())["endpoint"] == MIRROR
    assert diagnosis(unfetched("ghcr.io/a/b:1", error), mirrored())["endpoint"] == "ghcr.io"
    assert diagnosis(unfetched(IMAGE, error))["endpoint"] is None


def test_a_set_ca_is_said_to_be_the_wrong_one():
    unknown = 'failed to do request: Head "{url}": x509: certificate signed by unknown authority'
    lines = unresolved(IMAGE, [Answer(MIRROR, error=unknown)], "1.7")
    found = diagnosis(lines, mirrored(), {MIRROR: {"tls": {"ca_file": "/etc/ca.crt"}}})
    assert "is not the CA" in found["message"]
    assert f'configs."{MIRROR}".tls.ca_file' in found["fix"]
    assert f'Set configs."{MIRROR}".tls.ca_file' in diagnosis(lines)["fix"]


@pytest.mark.parametrize(
    ("error", "tls", "setting"),
    [
        (
            'unable to read CA cert "/e/ca.crt": open /e/ca.crt: no such file or directory',
            {"ca_file": "/e/ca.crt"},
            "ca_file",
        ),
        (
            'unable to read CERT file "/e/c.key": open /e/c.key: x',
            {"cert_file": "/e/c.crt", "key_file": "/e/c.key"},
            "key_file",
        ),
        ('unable to read CA cert "/d/certs.d/quay.io/ca.crt": open /d: x', {"ca_file": "ca.crt"}, "ca_file"),
        (
            'unable to read CERT file "/d/certs.d/x": read /d/certs.d/x: is a directory',
            {"cert_file": "/e/c.crt"},
            "key_file",
        ),
        (
            "failed to load X509 key pair: tls: private key does not match public key",
            {"key_file": "/e/c.key"},
            "key_file",
        ),
    ],
)
def test_the_setting_that_names_a_file_is_named(error, tls, setting):
    lines = [started(IMAGE), failed(IMAGE, f'failed to resolve reference "{IMAGE}": {error}')]
    found = diagnosis(lines, mirrored(), {"other.example.com": AUTH, MIRROR: {"tls": tls}})
    assert found["endpoint"] is None
    assert f'configs."{MIRROR}".tls.{setting}' in found["fix"]


BAD_CERTIFICATE = unresolved(
    IMAGE, [Answer(MIRROR, error='Head "{url}": remote error: tls: bad certificate'), Answer("quay.io", "404")], "1.6"
)
PAIR = {"tls": {"cert_file": "/node.crt", "key_file": "/node.key"}}


def test_bad_certificate_is_a_missing_or_a_refused_one_by_what_the_node_shows():
    """Go's servers use one alert for both."""
    assert diagnosis(BAD_CERTIFICATE, mirrored(), {})["cause"] == "client_cert_required"
    assert diagnosis(BAD_CERTIFICATE, mirrored(), {MIRROR: PAIR})["cause"] == "client_cert_rejected"


def test_whether_a_client_certificate_is_shown_is_read_from_hosts_toml(tmp_path):
    (tmp_path / "quay.io").mkdir()
    other = '[host."https://other.example.com/v2"]\n  client = [["/c", "/k"]]\n'
    hosts = f'server = "https://quay.io/v2"\n{other}[host."https://{MIRROR}/v2"]\n  ca = ["/ca"]\n'
    (tmp_path / "quay.io" / "hosts.toml").write_text(hosts)
    for text, cause in ((hosts, "client_cert_required"), (hosts + '  client = "/c"\n', "client_cert_rejected")):
        (tmp_path / "quay.io" / "hosts.toml").write_text(text)
        reader = PullReader(configured_mirrors(str(tmp_path)))
        reader.read(BAD_CERTIFICATE)
        assert [found["cause"] for found in reader.diagnoses()] == [cause]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_tls_port_asked_in_plain_http_answers_400(generation):
    """1.6 logs neither the mirror's line nor a URL, so only the endpoint's scheme tells, and the fallback's error is
    the only one with words for it."""
    answers = [
        Answer(MIRROR, "400 Bad Request", scheme="http"),
        Answer("quay.io", error='Head "{url}": dial tcp: lookup quay.io: no such host'),
    ]
    lines = unresolved(IMAGE, answers, generation)
    found = diagnosis(lines, mirrored(f"http://{MIRROR}"))
    assert (found["cause"], found["endpoint"]) == ("not_http", MIRROR)
    secure = diagnosis(lines, mirrored(f"https://{MIRROR}"))
    assert secure["endpoint"] == MIRROR
