# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same trouble of many nodes is said once: findings, failing pulls, certificates, configurations."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import (
    certificates,
    configurations,
    findings,
    pulls,
    summary,
)

from .hosts import document, endpoint, host, info

PROBLEM = {"code": "proxy", "level": "warning", "message": "lacks it", "fix": "add it"}
DIFFERENCE = {"file": "/x/hosts.toml", "kind": "differs", "diff": "-a\n+b\n"}


def titles(**hosts: Any) -> list[tuple[str, list[str]]]:
    return [(item.title, item.nodes) for item in findings.findings(document(**hosts))]


def test_a_fleet_without_trouble_has_no_findings() -> None:
    assert titles(a=host(endpoints=[endpoint(), endpoint("timeout", "default")])) == []


def test_the_same_problem_of_many_nodes_is_one_finding() -> None:
    troubled = host(info=info(problems=[PROBLEM]))
    assert titles(**{"n-10": troubled, "n-9": troubled}) == [("A proxy is in front of a mirror", ["n-9", "n-10"])]


def test_errors_come_before_warnings_and_many_nodes_before_few() -> None:
    bad = host(info=info(problems=[{**PROBLEM, "level": "error", "code": "broken"}]))
    found = titles(a=host(info=info(state="pending")), b=host(info=info(state="pending")), c=bad,
                   d=host(info=info(problems=[PROBLEM])))  # fmt: skip
    assert [title for title, _nodes in found] == ["Broken", "Restart pending", "A proxy is in front of a mirror"]


def test_drift_is_shown_once_per_difference() -> None:
    same = host(info=info(state="drifted", differences=[DIFFERENCE]))
    other = host(info=info(state="drifted", differences=[{**DIFFERENCE, "kind": "missing", "diff": ""}]))
    (found,) = findings.findings(document(a=same, b=other, c=same))
    assert [(variant.detail, variant.nodes) for variant in found.variants] == [
        ("/x/hosts.toml differs\n-a\n+b\n", ["a", "c"]),
        ("/x/hosts.toml is missing", ["b"]),
    ]


def test_a_state_and_the_problem_that_says_the_same_are_one_finding() -> None:
    told = {"code": "pending", "level": "warning", "message": "its own words", "fix": "its own fix"}
    (found,) = findings.findings(document(a=host(info=info(state="pending", problems=[told]))))
    assert (found.variants[0].text, *found.fixes) == ("its own words", "its own fix")


def test_every_problem_of_the_state_is_said_and_the_difference_once() -> None:
    told = [{"code": "drifted", "level": "warning", "message": text, "fix": "same"} for text in ("one", "two")]
    (found,) = findings.findings(document(a=host(info=info(state="drifted", problems=told, differences=[DIFFERENCE]))))
    assert [(variant.text, bool(variant.detail)) for variant in found.variants] == [("one", False), ("two", True)]


def test_one_trouble_with_two_remedies_is_one_finding_that_tells_both() -> None:
    told = [{"code": "drifted", "level": "warning", "message": "m", "fix": fix} for fix in ("one", "two")]
    (found,) = findings.findings(document(a=host(info=info(problems=told))))
    assert found.fixes == ["one", "two"]
    assert [variant.fix for variant in found.variants] == ["one", "two"]


def test_problems_have_the_headline_of_their_state_of_their_rule_or_of_their_own() -> None:
    problems = [
        {"code": code, "level": "warning", "message": "m", "fix": "f"} for code in ("drifted", "K3R101", "new_word")
    ]
    found = [title for title, _nodes in titles(a=host(info=info(state="foreign", problems=problems)))]
    assert CATALOGUE["K3R101"].title in found
    assert {"Drifted", "New word", "registries.yaml is not ours"} < set(found)


def test_what_a_problem_says_of_a_certificate_is_said_once() -> None:
    problem = {"code": "certificate_expiring", "level": "warning", "message": "m", "fix": "f"}
    one = host(info=info(certificates=[certificate(12)], problems=[problem]))
    assert titles(a=one) == [("CA certificate of r:5000 expires in 12 days", ["a"])]


def test_a_hosts_toml_that_cannot_be_read_has_no_endpoint() -> None:
    broken = endpoint("hosts_toml_invalid", endpoint="", url="")
    assert titles(a=host(endpoints=[broken])) == [("hosts.toml invalid for docker.io", ["a"])]


def test_unreachable_nodes_are_one_finding_whatever_their_names() -> None:
    (found,) = findings.findings(
        document(a1=host(unreachable="connect to a1: no route"), a2=host(unreachable="connect to a2: no route"))
    )
    assert [variant.nodes for variant in found.variants] == [["a1", "a2"]]


def test_a_failing_fallback_is_said_after_its_mirror() -> None:
    failing = host(endpoints=[endpoint("unauthorized"), endpoint("timeout", "default")])
    assert [title for title, _nodes in titles(a=failing)] == [
        "Unauthorized at mirror.example.com",
        "Timeout at default.example.com",
    ]


def test_a_certificate_about_to_end_is_a_finding_with_all_its_nodes() -> None:
    shown = {"subject": "CN=r", "issuer": "CN=ca", "not_after": "x", "days_left": 9}
    one = host(endpoints=[endpoint(certificate=shown)])
    two = host(info=info(certificates=[certificate(-3, kind="client")]))
    assert titles(a=one, b=one, c=two) == [
        ("Client certificate of r:5000 expired 3 days ago", ["c"]),
        ("Server certificate of mirror.example.com expires in 9 days", ["a", "b"]),
    ]


def test_a_certificate_for_each_node_is_one_finding_for_all() -> None:
    hosts = {
        f"n{days}": host(info=info(certificates=[certificate(days, f"f{days}", kind="client")])) for days in (0, 5)
    }
    assert titles(**hosts) == [("2 client certificates of r:5000 expire today or later", ["n0", "n5"])]


def pull(image: str, cause: str = "not_found", fix: str = "push it") -> dict[str, Any]:
    return {"image": image, "cause": cause, "endpoint": "m:5000", "message": "gone", "fix": fix, "evidence": ["line"]}


def test_failing_pulls_are_grouped_by_cause_most_nodes_first() -> None:
    fleet = document(
        a=host(pulls=[pull("x"), pull("y"), pull("z", "unauthorized")]),
        b=host(pulls=[pull("y", fix="push that too")]),
    )
    first, second = pulls.failing_pulls(fleet)
    assert (first.label, first.endpoint, first.nodes) == ("image missing", "m:5000", ["a", "b"])
    assert first.by_image == [("y", ["a", "b"]), ("x", ["a"])]
    assert first.fixes == ["push it", "push that too"]
    assert (first.evidence, first.evidence_node) == (["line"], "a")
    assert second.cause == "unauthorized"


def certificate(days: int | None, fingerprint: str = "aa", **parts: Any) -> dict[str, Any]:
    return {
        "registry": "r:5000", "kind": "ca", "path": "/ca.crt", "subject": "CN=ca", "issuer": "CN=ca",
        "fingerprint_sha256": fingerprint, "not_after": "2027-01-01T00:00:00Z", "days_left": days,
        "key_matches": None, "error": "", **parts,
    }  # fmt: skip


def test_a_certificate_of_many_nodes_is_one_and_the_first_to_end_comes_first() -> None:
    both = info(certificates=[certificate(900), certificate(12, "bb", kind="client")])
    shown = endpoint(certificate={"subject": "CN=r", "issuer": "CN=ca", "not_after": "x", "days_left": 80})
    found = certificates.certificates(document(a=host(info=both, endpoints=[shown]), b=host(info=both)))
    assert [(item.kind, item.days_left, item.level, item.nodes) for item in found] == [
        ("client", 12, "warning", ["a", "b"]),
        ("server", 80, "ok", ["a"]),
        ("ca", 900, "ok", ["a", "b"]),
    ]
    assert [item.left for item in found] == ["12 days", "80 days", "900 days"]


def test_certificates_that_cannot_be_used_come_before_all() -> None:
    listed = [
        certificate(5, "ok"),
        certificate(None, "", path="/gone.crt", error="No such file"),
        certificate(99, "cc", kind="client", key_matches=False),
    ]
    found = certificates.certificates(document(a=host(info=info(certificates=listed))))
    assert [(item.left, item.level) for item in found] == [
        ("unreadable", "error"), ("99 days", "error"), ("5 days", "warning"),
    ]  # fmt: skip
    assert "belongs to another" in found[1].problem


def test_the_timeline_begins_today_and_never_leaves_its_axis() -> None:
    places = [certificates.position(days) for days in (-400, 0, 1, 30, 365, 3650, 99999)]
    assert places == sorted(places)
    assert (places[0], places[1], places[-2], places[-1]) == (0, 0, 100, 100)


def configured(**parts: Any) -> dict[str, Any]:
    return host(info=info(registries={"exists": True, "managed": True, "config": None, "error": "", **parts}))


def test_equal_configurations_are_one_whatever_the_order_of_arrival() -> None:
    config = {"mirrors": {"docker.io": {"endpoint": ["https://m.example.com"]}}, "configs": {}}
    fleet = document(
        a=configured(config={}), b=configured(config=config), c=configured(config=config, managed=False),
        d=configured(config=config), e=configured(exists=False), f=configured(error="bad YAML in line 3"),
        g=host(unreachable="gone", info=None), h=configured(config={"mirrors": "another shape"}),
    )  # fmt: skip
    found = configurations.configurations(fleet)
    assert found[0].nodes == ["b", "d"]
    assert found[0].text == 'mirrors:\n  docker.io:\n    endpoint:\n      - "https://m.example.com"\n' or (
        "https://m.example.com" in found[0].text
    )
    assert [item.title for item in found[1:]] == [
        "Managed by k3sfleet.registries", "Not managed by k3sfleet.registries", "No registries.yaml", "Cannot be read",
        "Managed by k3sfleet.registries",
    ]  # fmt: skip


def test_settings_and_proxies_that_lack_a_registry() -> None:
    setting = {"source": "config.yaml", "key": "embedded-registry", "value": True}
    proxies = [
        {"source": "unit", "variable": "HTTPS_PROXY", "registries": ["r.example.com"]},
        {"source": "unit", "variable": "HTTP_PROXY", "registries": []},
    ]
    fleet = document(a=host(info=info(settings=[setting], proxies=proxies)), b=host(info=info(settings=[setting])))
    assert [(item.key, item.value, item.nodes) for item in configurations.settings(fleet)] == [
        ("HTTPS_PROXY", "NO_PROXY lacks r.example.com", ["a"]),
        ("embedded-registry", "True", ["a", "b"]),
    ]


def test_the_summary_counts() -> None:
    ends = [{"registry": "harbor", "level": "warning"}, {"registry": "quay.io", "level": "ok"}]
    fleet = document(
        a=host(info=info(state="pending", release="v1.34.3+k3s1", certificates=[certificate(3)], credentials=ends)),
        b=host(pulls=[pull("x")]),
        c=host(info=info(release="v1.34.3+k3s1", credentials=ends)),
    )
    assert summary.summary(fleet) == {
        "headline": "2 of 3 nodes need attention",
        "level": "error",
        "nodes": 3,
        "attention": 2,
        "conditions": {"failing": 1, "pending": 1, "ok": 1},
        "findings": 2,
        "failing_pulls": 1,
        "expiring_certificates": 1,
        "expiring_credentials": 1,
    }
    assert configurations.releases(fleet) == [("v1.34.3+k3s1", 2)]
