# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import Attempt

MIRROR = "https://m.example.com"
DIGEST = "sha256:" + "0" * 64


def attempts(image: str, mirrors: Any = None, configs: Any = None, **options: Any) -> list[Attempt]:
    return resolve_image(image, normalise({"mirrors": mirrors, "configs": configs}), **options)


def urls(image: str, mirrors: Any = None, configs: Any = None, **options: Any) -> list[str]:
    return [attempt["url"] for attempt in attempts(image, mirrors, configs, **options)]


def test_an_attempt_says_everything_about_the_request() -> None:
    mirrors = {"docker.io": {"endpoint": [MIRROR + ":5000"], "rewrite": {"^library/(.*)": "hub/$1"}}}
    configs = {"m.example.com:5000": {"auth": {"username": "u", "password": "p"}, "tls": {"ca_file": "/ca"}}}
    assert attempts("nginx", mirrors, configs) == [
        {
            "kind": "mirror",
            "endpoint": "https://m.example.com:5000/v2",
            "url": "https://m.example.com:5000/v2/hub/nginx/manifests/latest?ns=docker.io",
            "repository": "hub/nginx",
            "reference": "latest",
            "auth": True,
            "tls": {"ca_file": "/ca"},
        },
        {
            "kind": "default",
            "endpoint": "https://registry-1.docker.io/v2",
            "url": "https://registry-1.docker.io/v2/library/nginx/manifests/latest",
            "repository": "library/nginx",
            "reference": "latest",
            "auth": False,
            "tls": {},
        },
    ]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("quay.io/a/b:1", ["https://quay.io/v2/a/b/manifests/1"]),
        ("quay.io/a:1@" + DIGEST, ["https://quay.io/v2/a/manifests/" + DIGEST]),
        ("localhost:5000/x", ["http://localhost:5000/v2/x/manifests/latest"]),
        ("localhost/x", ["https://localhost/v2/x/manifests/latest"]),
    ],
)
def test_without_a_configuration_only_the_registry_is_asked(image: str, expected: list[str]) -> None:
    assert urls(image) == expected


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (MIRROR, "https://m.example.com/v2/a/manifests/latest?ns=quay.io"),
        (MIRROR + "/v2/", "https://m.example.com/v2/a/manifests/latest?ns=quay.io"),
        (MIRROR + "/project", "https://m.example.com/project/a/manifests/latest?ns=quay.io"),
        (MIRROR + "/v2/project", "https://m.example.com/v2/project/a/manifests/latest?ns=quay.io"),
        (MIRROR + "/a b/../c", "https://m.example.com/c/a/manifests/latest?ns=quay.io"),
        ("https://u:p@m.example.com?x=1#y", "https://m.example.com/v2/a/manifests/latest?ns=quay.io"),
        ("https://quay.io:443", "https://quay.io:443/v2/a/manifests/latest?ns=quay.io"),
        ("http://10.0.0.1:5000", "http://10.0.0.1:5000/v2/a/manifests/latest?ns=quay.io"),
        ("oci://m.example.com", "https://oci/m.example.com/v2/a/manifests/latest?ns=quay.io"),
    ],
)
def test_the_url_is_built_as_containerd_builds_it(endpoint: str, url: str) -> None:
    assert urls("quay.io/a", {"quay.io": {"endpoint": [endpoint]}})[0] == url


def test_the_namespace_is_encoded_and_absent_for_the_registrys_own_host() -> None:
    mirrors = {"r.example.com:5000": {"endpoint": ["r.example.com:5000/x", "http://r.example.com:5000", MIRROR]}}
    assert urls("r.example.com:5000/a", mirrors, default_endpoint=False) == [
        "https://r.example.com:5000/x/a/manifests/latest",
        "http://r.example.com:5000/v2/a/manifests/latest",
        "https://m.example.com/v2/a/manifests/latest?ns=r.example.com%3A5000",
    ]


def test_the_wildcard_serves_only_registries_without_a_file_of_their_own() -> None:
    mirrors = {"*": {"endpoint": [MIRROR]}, "docker.io": {"endpoint": ["https://hub.example.com"]}, "quay.io": None}
    assert [url.split("/")[2] for url in urls("nginx", mirrors)] == ["hub.example.com", "registry-1.docker.io"]
    assert [url.split("/")[2] for url in urls("quay.io/a", mirrors)] == ["m.example.com", "quay.io"]
    assert [url.split("/")[2] for url in urls("ghcr.io/a", mirrors, default_endpoint=False)] == ["m.example.com"]


def test_a_wildcard_configs_entry_reaches_the_registry_itself() -> None:
    (attempt,) = attempts("ghcr.io/a", None, {"*": {"auth": {"username": "u"}, "tls": {"insecure_skip_verify": True}}})
    assert (attempt["kind"], attempt["auth"]) == ("default", False)
    assert attempt["tls"] == {"insecure_skip_verify": True}


def test_a_directory_with_underscores_comes_first() -> None:
    mirrors = {"r.example.com_5000_": {"endpoint": [MIRROR]}, "r.example.com:5000": {"endpoint": ["https://other"]}}
    assert urls("r.example.com:5000/a", mirrors)[0].startswith(MIRROR)


def test_the_embedded_mirror_is_named_and_never_rewritten() -> None:
    mirrors = {"quay.io": {"endpoint": [MIRROR], "rewrite": {"^": "p/"}}}
    found = attempts("quay.io/a", mirrors, embedded_mirror="127.0.0.1:6443")
    assert [(attempt["kind"], attempt["repository"]) for attempt in found] == [
        ("embedded", "a"),
        ("mirror", "p/a"),
        ("default", "a"),
    ]
    assert found[0]["tls"]["cert_file"] == "client-cert"


@pytest.mark.parametrize(
    ("configs", "applies"),
    [
        ({"registry-1.docker.io": {"auth": {"username": "u"}}}, True),
        ({"docker.io": {"auth": {"identity_token": "t"}}}, True),
        ({"index.docker.io": {"auth": {"auth": "dTpw"}}}, True),
        ({"docker.io": {"auth": {"password": "only"}}}, False),
        ({"registry-1.docker.io": {"auth": {}}, "docker.io": {"auth": {"username": "u"}}}, False),
        ({"registry-1.docker.io:443": {"auth": {"username": "u"}}}, False),
    ],
)
def test_docker_hubs_credentials(configs: Any, applies: bool) -> None:
    assert attempts("nginx", None, configs)[0]["auth"] is applies


def test_overlapping_rewrites_are_said_to_have_no_order() -> None:
    mirrors = {"quay.io": {"endpoint": [MIRROR], "rewrite": {"^a": "b", "a$": "c"}}}
    mirror, default = attempts("quay.io/a", mirrors)
    assert mirror["rewrite_ambiguous"]
    assert mirror["repository_alternatives"] == ["b", "c"]
    assert "rewrite_ambiguous" not in default


def test_a_rewrite_that_breaks_the_file_loses_the_mirror() -> None:
    for pattern in (r"^foo\.bar/", '"', "a\nb"):
        (attempt,) = attempts("quay.io/a", {"quay.io": {"endpoint": [MIRROR], "rewrite": {pattern: "x"}}})
        assert attempt["kind"] == "default"
        assert "TOML" in attempt["hosts_toml_error"]


def test_a_doubled_backslash_is_one_to_containerd() -> None:
    mirrors = {"quay.io": {"endpoint": [MIRROR], "rewrite": {r"^a\\.b/": "x/"}}}
    assert attempts("quay.io/a.b/c", mirrors)[0]["repository"] == "x/c"
    assert attempts("quay.io/aab/c", mirrors)[0]["repository"] == "aab/c"


def test_a_pattern_that_cannot_be_used_is_named() -> None:
    mirrors = {"quay.io": {"endpoint": [MIRROR], "rewrite": {"(": "x"}}}
    assert list(attempts("quay.io/a", mirrors)[0]["rewrites_skipped"]) == ["("]


def test_http_with_tls_settings_is_tried_over_https_first() -> None:
    mirrors = {"quay.io": {"endpoint": ["http://m.example.com:5000", "http://n.example.com:80"]}}
    tls = {"tls": {"insecure_skip_verify": True}}
    found = attempts("quay.io/a", mirrors, {"m.example.com:5000": tls, "n.example.com:80": tls})
    assert [attempt.get("https_first", False) for attempt in found] == [True, False, False]


def test_an_endpoint_without_a_host_asks_nothing() -> None:
    found = attempts("quay.io/a", {"quay.io": {"endpoint": ["", MIRROR]}})
    assert found[0]["request_error"] == "no Host in request URL"
    last = attempts("quay.io/a", {"quay.io": {"endpoint": [MIRROR, ""]}}, default_endpoint=False)
    assert last[-1]["url"] == "https://quay.io/v2/a/manifests/latest"


def test_paths_that_go_quotes_in_its_own_way_break_the_file() -> None:
    configs = {"m.example.com": {"tls": {"ca_file": "/ca\x01"}}}
    (attempt,) = attempts("quay.io/a", {"quay.io": {"endpoint": [MIRROR]}}, configs)
    assert "ca_file" in attempt["hosts_toml_error"]


def test_a_registry_on_this_machine_is_not_verified_unless_its_port_says_http() -> None:
    assert attempts("localhost:5000/x")[0]["tls"] == {"insecure_skip_verify": True}
    assert attempts("localhost:80/x")[0]["tls"] == {}
    assert urls("localhost:80/x") == ["http://localhost:80/v2/x/manifests/latest"]
