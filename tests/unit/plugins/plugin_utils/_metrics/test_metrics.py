# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which metrics a node has, and what they say; of what is not known, nothing."""

from __future__ import annotations

import calendar
import re
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import STATES
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics.metrics import HELP, PREFIX
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import judge
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.verified import not_examined, verified_host

from tests.monitoring.samples import NOW, host, read, text


def at(year: int, month: int, day: int) -> int:
    return calendar.timegm((year, month, day, 0, 0, 0))


def of(metric: str, **more: Any) -> dict[Any, float]:
    """Sorted values of labels to value."""
    found = read(text(host(**more))).get(PREFIX + metric, {})
    return {tuple(value for _key, value in labels): number for labels, number in found.items()}


def test_everything_that_is_known_of_a_node() -> None:
    assert of("last_run_timestamp_seconds") == {(): int(NOW)}
    assert of("verify_passed") == {(): 0}
    assert of("verify_passed", passes=True) == {(): 1}
    assert of("findings") == {("unauthorized", "failure"): 1, ("certificate_expiring", "warning"): 2}
    assert of("node_info") == {("k3s", "v1.34.3+k3s1", "agent"): 1}
    assert of("certificate_expiry_timestamp_seconds") == {("ca", "/etc/ca.crt", "a.example.com"): at(2030, 1, 1)}
    assert of("credential_expiry_timestamp_seconds") == {("a.example.com", "true"): at(2027, 1, 31)}
    assert of("registry_up") == {("docker.io",): 1}
    assert of("endpoint_up") == {
        ("a.example.com:5000", "mirror", "docker.io"): 1, ("b.example.com", "mirror", "docker.io"): 0,
    }  # fmt: skip
    assert of("endpoint_response_seconds") == {("a.example.com:5000", "mirror", "docker.io"): 0.0125}
    assert of("endpoint_certificate_expiry_timestamp_seconds") == {("a.example.com:5000",): at(2029, 1, 1)}
    assert (of("images_checked"), of("images_missing")) == ({(): 2}, {(): 1})
    assert of("canary_pull_success") == {("docker.io/pause:3.6",): 1, ("docker.io/z:1",): 0}
    assert of("canary_pull_seconds") == {("docker.io/pause:3.6",): 0.75}
    assert of("credential_provider_up") == {("ecr",): 1, ("gcr",): 0}


def test_every_metric_is_written_of_a_node_of_which_everything_is_known() -> None:
    assert list(read(text(host()))) == [PREFIX + name for name in HELP]


@pytest.mark.parametrize(
    ("state", "drift", "pending"),
    [("loaded", 0, 0), ("pending", 0, 1), ("drifted", 1, 0), ("foreign", 0, 0)],
)
def test_drift_and_restarts_that_are_pending(state: str, drift: int, pending: int) -> None:
    info = {"state": state}
    assert (of("drift", info=info), of("restart_pending", info=info)) == ({(): drift}, {(): pending})
    assert of("state", info=info) == {(one,): one == state for one in ("loaded", *STATES)}


def test_files_that_were_edited_and_wait_for_a_restart_are_both() -> None:
    both = [{"code": code, "message": "", "fix": "", "endpoint": ""} for code in ("drifted", "pending")]
    wanted = {"info": {"state": "drifted"}, "failures": both}
    assert (of("drift", **wanted), of("restart_pending", **wanted)) == ({(): 1}, {(): 1})


@pytest.mark.parametrize("state", ["stopped", "not_set_up", "not_installed", "unreadable"])
def test_without_a_k3s_that_has_loaded_something_nothing_is_said_about_it(state: str) -> None:
    assert (of("drift", info={"state": state}), of("restart_pending", info={"state": state})) == ({}, {})
    assert of("state", info={"state": state})[(state,)] == 1


def test_a_node_that_could_not_be_examined_has_nothing_but_that() -> None:
    found = read(text(not_examined("edge-1", "sudo: not found")))
    assert set(found) == {PREFIX + name for name in ("last_run_timestamp_seconds", "verify_passed", "findings")}
    assert found[PREFIX + "verify_passed"] == {(): 0}
    assert found[PREFIX + "findings"] == {(("code", "module_failed"), ("severity", "failure")): 1}


def test_a_registry_is_down_if_none_of_its_endpoints_works() -> None:
    down = [{**entry, "cause": "timeout"} for entry in host()["endpoints"]]
    assert of("registry_up", endpoints=down) == {("docker.io",): 0}
    unreadable = {"registry": "quay.io", "image": "", "endpoint": "", "kind": "", "cause": "hosts_toml_invalid"}
    assert of("registry_up", endpoints=[*host()["endpoints"], unreadable]) == {("docker.io",): 1, ("quay.io",): 0}
    assert ("", "", "quay.io") not in of("endpoint_up", endpoints=[unreadable])


def test_of_two_endpoints_on_one_host_the_one_that_does_not_work_counts() -> None:
    first = host()["endpoints"][0]
    second = {**first, "endpoint": "https://a.example.com:5000/v2/other", "cause": "forbidden"}
    for entries in ([first, second], [second, first]):
        assert of("endpoint_up", endpoints=entries) == {("a.example.com:5000", "mirror", "docker.io"): 0}


@pytest.mark.parametrize(
    ("endpoint", "label"),
    [
        ("https://robot:CANARY@r.example.com:5000/v2?token=CANARY", "r.example.com:5000"),
        ("https://CANARY@[fd00::1]:5000/v2", "[fd00::1]:5000"),
        ("http://r.example.com", "r.example.com"),
        ("http://[", None),
        ("no address", None),
    ],
)
def test_of_an_endpoint_only_the_host_is_a_label(endpoint: str, label: str | None) -> None:
    entry = {**host()["endpoints"][0], "endpoint": endpoint}
    assert [labels[0] for labels in of("endpoint_up", endpoints=[entry])] == ([label] if label else [])
    assert "CANARY" not in text(host(endpoints=[entry]))


def test_it_says_what_verify_says_of_the_node() -> None:
    """From the answers of the node's modules to the file."""
    info = {"info": {"state": "pending", "release": "v1.34.3+k3s1", "problems": []}}
    judged = judge("n", info, {"endpoints": host()["endpoints"][:1]}, {"pulls": host()["canaries"]}, True)
    document = verified_host({"info": info, "probe": {"endpoints": host()["endpoints"][:1]}}, judged)
    found = read(text(document))
    codes = {dict(labels)["code"] for labels in found[PREFIX + "findings"]}
    assert codes == {failure["code"] for failure in document["failures"]} >= {"pending"}
    assert found[PREFIX + "restart_pending"] == {(): 1}


@pytest.mark.parametrize("name", HELP)
def test_names_are_as_prometheus_wants_them(name: str) -> None:
    """https://prometheus.io/docs/practices/naming/: base units, and no suffix that is reserved for counters."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_created", "_ms", "_milliseconds", "_days"))
    assert HELP[name].endswith(".")
