# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes verify pass, rule by rule; how it is said is in ``_verify``."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import verify_criteria

from tests.unit.plugins.plugin_utils._report.hosts import endpoint


def facts(state: str = "loaded", *problems: tuple[str, str]) -> dict[str, Any]:
    return {"state": state, "problems": [{"code": code, "level": level} for code, level in problems]}


@pytest.mark.parametrize(
    ("seen", "managed", "failing"),
    [
        (facts(), True, []),
        (facts("loaded", ("proxy", "warning")), True, []),
        (facts("loaded", ("proxy", "error")), True, ["proxy"]),
        (facts("loaded", ("credential_overdue", "warning"), ("credential_expiring", "warning")), True, []),
        (facts("loaded", ("credential_expired", "error")), True, ["credential_expired"]),
        (facts("pending", ("pending", "warning")), True, ["pending"]),
        (facts("drifted"), False, ["drifted"]),
        (facts("foreign", ("foreign", "warning")), True, ["foreign"]),
        (facts("foreign", ("foreign", "warning")), False, []),
        (facts("stopped"), True, []),
        (facts("not_installed"), True, ["not_installed"]),
        (facts("not_set_up", ("not_set_up", "warning")), True, ["not_set_up"]),
    ],
)
def test_what_a_node_has_loaded(seen: dict[str, Any], managed: bool, failing: list[str]) -> None:
    found = verify_criteria.of_info(seen, managed, "fail")
    assert [finding.code for finding in found if finding.fails] == failing


def test_a_node_without_k3s_may_be_allowed() -> None:
    for state in ("not_installed", "not_set_up"):
        assert not [finding for finding in verify_criteria.of_info(facts(state), True, "allow") if finding.fails]


def test_what_the_inventory_says() -> None:
    files = [{"path": "/etc/r.yaml", "action": "update"}]
    assert [item.code for item in verify_criteria.of_inventory(files, {"restart": True}, True)] == ["not_applied"]
    assert [item.code for item in verify_criteria.of_inventory([], {"restart": True}, True)] == ["disagreement"]
    assert not [*verify_criteria.of_inventory([], {"restart": True}, False)]
    assert not [*verify_criteria.of_inventory([], {}, True)]


def test_what_endpoints_answer() -> None:
    entries = [
        endpoint(), endpoint("timeout", "default"),
        endpoint("tls_expired", registry="q"), endpoint("ok", "default", "q"),
        endpoint("dns_failure", registry="x"),
        endpoint("not_found", registry="x", image="a:1"),
    ]  # fmt: skip
    found = [*verify_criteria.of_endpoints(entries)]
    assert [(item.code, item.fails) for item in found] == [
        ("tls_expired", False), ("dns_failure", True), ("not_found", True), ("not_found", True),
    ]  # fmt: skip
    assert found[-1].message == "a:1 is not available from any endpoint: it says not_found"


def test_credentials_that_leave_are_a_warning_where_pulls_work() -> None:
    [found] = verify_criteria.of_endpoints([endpoint(findings=["containerd will send it elsewhere"])])
    assert (found.fails, found.message) == (False, "containerd will send it elsewhere")


def test_what_was_pulled_and_what_could_not_be_asked() -> None:
    pulls = [{"image": "a", "ok": True}, {"image": "b", "ok": False, "cause": "not_found", "message": "No b."}]
    [found] = verify_criteria.of_canaries(pulls)
    assert (found.fails, found.code, found.message) == (True, "not_found", "b cannot be pulled: No b.")
    answers = {"one": {"failed": True}, "two": {"unreachable": True, "msg": "gone"}, "three": {"skipped": True}}
    assert [(item.fails, item.label, item.message) for item in verify_criteria.of_modules(answers)] == [
        (True, "one failed", "no reason given"), (True, "two failed", "gone"),
    ]  # fmt: skip


def provider(cause: str = "ok", **more: Any) -> dict[str, Any]:
    return {"name": "ecr", "cause": cause, "message": "seen", "fix": "Mend it.", "seconds": 0.1, "findings": [], **more}


def test_what_providers_answer() -> None:
    entries = [
        provider(), provider("not_asked"), provider("provider_unknown", name=""), provider("provider_timeout"),
        provider("unauthorized"), provider(seconds=12.4), provider(findings=["and the mirror"]), provider(seconds=None),
    ]  # fmt: skip
    found = [(item.fails, item.code, item.message) for item in verify_criteria.of_providers(entries)]
    assert found == [
        (False, "not_asked", "credential provider ecr: seen"),
        (False, "provider_unknown", "credential providers: seen"),
        (True, "provider_timeout", "credential provider ecr: seen"),
        (True, "unauthorized", "credential provider ecr: seen"),
        (False, "provider_slow", "credential provider ecr took 12 s, and a pod's pull waits for it"),
        (False, "provider_shared", "credential provider ecr: and the mirror"),
    ]
