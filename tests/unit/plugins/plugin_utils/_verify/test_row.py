# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who passes a verification, who does not, and what the table says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import verdict
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.table import table

CANARY = "c4n4ry-Pa55"


def info(state: str = "loaded", *problems: tuple[str, str]) -> dict[str, Any]:
    listed = [{"code": code, "level": level, "message": "what it is", "fix": "Do it."} for code, level in problems]
    return {"changed": False, "info": {"state": state, "release": "v1.34.3+k3s1", "problems": listed}}


def endpoint(host: str, cause: str = "ok", kind: str = "mirror", registry: str = "docker.io") -> dict[str, Any]:
    return {
        "image": "", "registry": registry, "kind": kind, "endpoint": "https://%s/v2" % host, "url": "", "cause": cause,
        "message": "" if cause == "ok" else "seen", "fix": "" if cause == "ok" else "Mend it.", "status": None,
        "times": {"total": 12.4}, "auth": "none", "certificate": None,
    }  # fmt: skip


def judged(
    facts: dict[str, Any], endpoints: list[dict[str, Any]] | None = None, pulls: Any = None, managed: bool = True
) -> dict[str, Any]:
    probe = {} if endpoints is None else {"endpoints": endpoints}
    return verdict("node-1", facts, probe, {} if pulls is None else {"pulls": pulls}, managed)


def test_a_good_node() -> None:
    pulled = [{"image": "a", "ok": True, "seconds": 0.4}, {"image": "b", "ok": True, "seconds": 0.3}]
    found = judged(info(), [endpoint("m")], pulled)
    assert (found["ok"], found["failures"], found["warnings"]) == (True, [], [])
    assert (found["cells"], found["canary"]) == ({"m": "ok 12 ms"}, "ok 0.7 s")


def test_what_containerd_gives_away_is_a_warning_where_pulls_work() -> None:
    finding = "containerd will send the password of m to https://m:9000, to which a redirect leads."
    found = judged(info(), [{**endpoint("m"), "findings": [finding], "fix": "Correct the redirect."}])
    assert (found["ok"], found["cells"]) == (True, {"m": "ok 12 ms"})
    assert found["warnings"] == ["at m: %s Correct the redirect." % finding]
    assert judged(info(), [{**endpoint("m"), "findings": None}])["warnings"] == []


@pytest.mark.parametrize(
    ("facts", "managed", "ok"),
    [
        (info("pending", ("pending", "warning")), True, False),
        (info("pending"), True, False),
        (info("drifted", ("drifted", "warning")), True, False),
        (info("unreadable", ("unreadable", "error")), True, False),
        (info("foreign", ("foreign", "warning")), True, False),
        (info("foreign", ("foreign", "warning")), False, True),
        (info("foreign", ("foreign", "warning"), ("pending", "warning")), False, False),
        (info("loaded", ("certificate_expiring", "warning")), True, True),
        (info("loaded", ("certificate_expired", "error")), True, False),
        (info("stopped"), True, True),
        (info("not_installed"), True, False),
        (info("not_installed"), False, False),
        ({"unreachable": True, "msg": "no route"}, True, False),
        ({"failed": True, "msg": "needs become"}, True, False),
    ],
)
def test_what_makes_a_node_fail(facts: dict[str, Any], managed: bool, ok: bool) -> None:
    found = judged(facts, managed=managed)
    assert found["ok"] is ok
    assert bool(found["failures"]) is not ok


def test_a_node_without_k3s_passes_only_where_that_is_allowed() -> None:
    [failure] = judged(info("not_installed"))["failures"]
    assert failure.startswith("not_installed: K3s is not installed here, so nothing was verified.")
    for variable in ("k3s_registries_distribution", "k3s_registries_service", "k3s_registries_verify_not_installed"):
        assert variable in failure
    allowed = verdict("n", info("not_installed"), {}, {}, True, {}, "allow")
    assert (allowed["ok"], allowed["failures"]) == (True, [])
    unreadable = verdict("n", {"failed": True, "msg": "no"}, {}, {}, True, {}, "allow")
    assert unreadable["ok"] is False


@pytest.mark.parametrize(
    ("endpoints", "ok", "warned"),
    [
        ([endpoint("m"), endpoint("hub", "dns_failure", "default")], True, False),
        ([endpoint("m", "timeout"), endpoint("n")], True, True),
        ([endpoint("m", "timeout"), endpoint("hub", "dns_failure", "default")], False, False),
        ([endpoint("m"), endpoint("q", "tls_expired", registry="quay.io")], False, False),
    ],
)
def test_a_registry_fails_with_all_of_its_endpoints(endpoints: list[dict[str, Any]], ok: bool, warned: bool) -> None:
    found = judged(info(), endpoints)
    assert found["ok"] is ok
    assert bool(found["warnings"]) is warned


def test_a_fallback_that_fails_stands_in_brackets() -> None:
    found = judged(info(), [endpoint("m"), endpoint("hub", "dns_failure", "default")])
    assert found["cells"] == {"m": "ok 12 ms", "hub": "(name unknown)"}


def test_an_image_that_cannot_be_pulled() -> None:
    pulled = [
        {"image": "a", "ok": False, "cause": "not_found", "message": "m has no a.", "fix": "Push a.", "seconds": 1}
    ]
    found = judged(info(), [endpoint("m")], pulled)
    assert (found["ok"], found["canary"]) == (False, "image missing")
    assert found["failures"] == ["not_found: a cannot be pulled: m has no a. Push a."]


def test_a_node_that_has_not_what_the_inventory_says() -> None:
    applied = {"changed": False, "files": [{"path": "/etc/r.yaml", "action": "update"}]}
    found = verdict("n", info(), {}, {}, True, applied)
    assert (found["ok"], found["state"]) == (False, "not applied")
    (failure,) = found["failures"]
    assert failure.startswith("not_applied: the node does not have what k3s_registries says: /etc/r.yaml (update).")
    assert verdict("n", info(), {}, {}, True, {"changed": False, "files": []})["ok"] is True
    assert verdict("n", info(), {}, {}, True, {"failed": True, "msg": "refused"})["ok"] is False


def test_modules_that_failed() -> None:
    found = verdict("n", info(), {"failed": True, "msg": "one"}, {"failed": True, "msg": "two"}, True)
    assert found["failures"] == ["k3s_registry_probe failed: one.", "k3s_canary_pull failed: two."]


def test_skipped_modules_are_no_failure() -> None:
    assert verdict("n", info("stopped"), {"skipped": True}, {"skipped": True}, True)["ok"] is True


def test_a_secret_that_a_result_holds_goes_no_further() -> None:
    facts = {"failed": True, "msg": "https://u:%s@r/v2 said no" % CANARY}
    assert CANARY not in json.dumps(judged(facts))


def test_the_table_has_a_row_for_each_node_and_says_each_reason_once() -> None:
    bad = info("drifted", ("drifted", "warning"))
    found = [verdict("edge-%d" % number, bad if number > 2 else info(), {}, {}, True) for number in (10, 2, 3, 1)]
    lines = table(found)
    assert [line.split()[0] for line in lines[2:6]] == ["edge-1", "edge-2", "edge-3", "edge-10"]
    assert lines[3].split()[1:4] == ["ok", "loaded", "v1.34.3+k3s1"]
    assert "FAILED edge-3, edge-10" in lines
    assert sum("drifted: what it is. Do it." in line for line in lines) == 1
    assert lines[-1] == "2 of 4 nodes failed: edge-3, edge-10"


def test_nodes_of_which_nothing_was_asked_are_not_hidden_among_those_that_pass() -> None:
    states = {"edge-1": "loaded", "edge-2": "stopped", "edge-3": "not_installed"}
    found = [verdict(host, info(state), {}, {}, True, {}, "allow") for host, state in states.items()]
    assert table(found)[-1] == (
        "all 3 nodes pass, but K3s is not running on 2 of them, so nothing was asked there: edge-2, edge-3"
    )
    assert table(found[:1])[-1] == "the node passes"


def test_a_table_with_many_endpoints_has_numbers_for_them() -> None:
    hosts = ["registry-%d.a-rather-long-name.example.com:5000" % number for number in range(6)]
    lines = table([judged(info(), [endpoint(host) for host in hosts])])
    assert max(len(line) for line in lines) <= 150
    assert "[6] registry-5.a-rather-long-name.example.com:5000" in lines
    assert lines[-1] == "the node passes"


def test_a_table_of_nobody() -> None:
    assert table([])[-1] == "all 0 nodes pass"


def test_an_image_that_no_attempt_finds_fails_however_well_its_registry_answers() -> None:
    def attempt(image: str, host: str, cause: str, kind: str = "mirror") -> dict[str, Any]:
        return dict(endpoint(host, cause, kind), image=image)

    found = judged(info(), [
        endpoint("m"), attempt("a:1", "m", "ok"),
        attempt("b:1", "m", "not_found"), attempt("b:1", "hub", "ok", "default"),
        attempt("c:1", "m", "platform_missing"), attempt("c:1", "hub", "dns_failure", "default"),
    ])  # fmt: skip
    assert not found["ok"]
    assert [text for text in found["failures"] if "is not available from" in text] == [
        "platform_missing: c:1 is not available from any endpoint: seen. Mend it."
    ]


def test_a_restart_that_is_wanted_on_a_node_that_has_loaded_all_is_a_failure() -> None:
    applied = {"restart": True, "files": [], "reasons": ["certs.d/docker.io/hosts.toml is not there"]}
    found = verdict("node", info("loaded"), {}, {}, managed=True, applied=applied)
    assert not found["ok"]
    assert "disagreement" in found["failures"][0]
    assert "certs.d/docker.io/hosts.toml is not there" in found["failures"][0]


def test_a_contradiction_is_told_once() -> None:
    applied = {"failed": True, "msg": "again", "contradictions": [{"what": "role"}]}
    found = verdict("node", info("loaded", ("contradiction", "error")), {}, {}, managed=True, applied=applied)
    assert [sentence.partition(":")[0] for sentence in found["failures"]] == ["contradiction"]


def test_a_credential_provider_that_fails_fails_its_node() -> None:
    answered = {"name": "ecr", "image": "a", "cause": "ok", "message": "", "fix": "", "seconds": 0.1, "findings": []}
    probe: dict[str, Any] = {"endpoints": [endpoint("m")], "providers": [answered]}
    assert verdict("node-1", info(), probe, {}, True)["ok"]
    probe["providers"] = [{**answered, "cause": "provider_failed", "message": "it ended with status 1", "fix": "Look."}]
    found = verdict("node-1", info(), probe, {}, True)
    assert (found["ok"], found["failures"]) == (
        False, ["provider_failed: credential provider ecr: it ended with status 1. Look."]
    )  # fmt: skip
    probe["providers"] = [{"name": ["x"]}]
    assert "an answer that it never gives" in verdict("node-1", info(), probe, {}, True)["failures"][0]
