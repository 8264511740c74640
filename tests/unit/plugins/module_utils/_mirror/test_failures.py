# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import cause_of, of_status
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.skopeo import lacking


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("initializing source docker://a/b:1: reading manifest 1 in a/b: manifest unknown", "not_found"),
        ("writing blob: uploading layer chunked: unknown: no space left on device", "target_full"),
        ("pinging container registry r:5000: Get \"https://r:5000/v2/\": x509: certificate signed by unknown authority",
         "tls_unknown_authority"),
        ("remote error: tls: certificate required", "client_cert_required"),
        ("http: server gave HTTP response to HTTPS client", "http_server_https_client"),
        ("too many requests: toomanyrequests: You have reached your pull rate limit", "rate_limited"),
        ("unable to retrieve auth token: invalid username/password: unauthorized", "unauthorized"),
        ("requested access to the resource is denied", "forbidden"),
        ("dial tcp 10.0.0.1:5000: connect: connection refused", "connection_refused"),
        ("dial tcp: lookup r: no such host", "dns_failure"),
        ("something that nobody has seen", "unknown"),
    ],
)  # fmt: skip
def test_what_skopeo_says_has_a_cause(said: str, cause: str) -> None:
    assert cause_of(said) == cause


@pytest.mark.parametrize(
    ("status", "cause", "whole"),
    [(401, "unauthorized", True), (403, "forbidden", False), (405, "read_only", True), (429, "rate_limited", False),
     (503, "server_error", False), (507, "target_full", False)],
)  # fmt: skip
def test_only_what_concerns_all_images_stops_a_side(status: int, cause: str, whole: bool) -> None:
    problem = of_status(status, "r:5000")
    assert (problem.cause, problem.whole) == (cause, whole)
    assert str(problem).startswith("r:5000: ")


def test_a_missing_skopeo_is_said_with_the_remedy() -> None:
    assert "apt-get install skopeo" in lacking("")
    assert lacking("1.2.2") == ""
