# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each alert fires for what it is about and not a moment before, by Prometheus' own rule tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.monitoring.promtool import RULES, alerts, promtool

DAY = 86400
NODE = {"job": "node", "instance": "edge-1"}
UP = 'up{job="node", instance="edge-1"}'


class Case(NamedTuple):
    """Time begins at 0 and goes on in steps of an hour, ``at`` is in hours.

    ``series``: the metric, with further labels, to its values in Prometheus' notation, of one node.
    ``summary``: of the alert that fires then; None if none does. ``labels``: those in addition to the node's.
    """

    alert: str
    at: int
    series: dict[str, str]
    summary: str | None
    labels: dict[str, str]
    of_the_node: bool = True


def series(metric: str, **labels: str) -> str:
    given = {**NODE, **labels}
    return "k3s_registries_%s{%s}" % (metric, ", ".join('%s="%s"' % pair for pair in given.items()))


def case(alert: str, at: int, given: dict[str, str], summary: str | None = None, **labels: str) -> Any:
    made = Case("K3sRegistries" + alert, at, given, summary, labels, not alert.startswith("EndpointCertificate"))
    return pytest.param(made, id="%s, %s" % (alert, "fires" if summary else "is quiet"))


LAST = series("last_run_timestamp_seconds")
MIRROR = {"registry": "docker.io", "endpoint": "r:5000", "kind": "mirror"}
DEFAULT = {"registry": "docker.io", "endpoint": "registry-1.docker.io", "kind": "default"}
UNAUTHORIZED = {"code": "unauthorized", "severity": "failure"}
CA = {"registry": "r:5000", "kind": "ca", "path": "/etc/ca.crt"}
LOGIN = {"registry": "r:5000", "stated": "false"}
NOTED = {"registry": "r:5000", "stated": "true"}
#: The end of something, a month after the beginning.
MONTH = str(30 * DAY)
ENDS = "certificate_expiry_timestamp_seconds"
CREDENTIAL = "credential_expiry_timestamp_seconds"
REGISTRY_UP = series("registry_up", registry="docker.io")
CASES = [
    case("VerifyOverdue", 48, {LAST: "0x100"}),
    case("VerifyOverdue", 50, {LAST: "0x100"}, "edge-1: the registries were last verified 2d 2h 0m 0s ago"),
    # Each hour a new one.
    case("VerifyOverdue", 50, {LAST: "0+3600x100"}),
    case("MetricsGone", 6, {LAST: "0x3 stale", UP: "1x100"}, "edge-1: the metrics of the registries have disappeared"),
    case("MetricsGone", 6, {LAST: "0x3 stale", UP: "0x100"}),
    case("MetricsGone", 6, {LAST: "0x100", UP: "1x100"}),
    case("MetricsGone", 40, {LAST: "0x3 stale", UP: "1x100"}),
    case("RegistryDown", 1, {REGISTRY_UP: "0x9"},
         "edge-1: no endpoint of the registry docker.io works", registry="docker.io"),
    case("RegistryDown", 1, {REGISTRY_UP: "1x9"}),
    case("EndpointDown", 1, {series("endpoint_up", **MIRROR): "0x9", REGISTRY_UP: "1x9"},
         "edge-1: r:5000 does not work for docker.io, another endpoint does", **MIRROR),
    case("EndpointDown", 1, {series("endpoint_up", **MIRROR): "0x9", REGISTRY_UP: "0x9"}),
    case("EndpointDown", 1, {series("endpoint_up", **DEFAULT): "0x9", REGISTRY_UP: "1x9"}),
    case("CanaryFails", 1, {series("canary_pull_success", image="pause:3.6"): "0x9"},
         "edge-1: pause:3.6 cannot be pulled", image="pause:3.6"),
    case("CanaryFails", 1, {series("canary_pull_success", image="pause:3.6"): "1x9"}),
    case("ImagesMissing", 1, {series("images_missing"): "3x9"}, "edge-1: images that no endpoint has: 3"),
    case("ImagesMissing", 1, {series("images_missing"): "0x9"}),
    case("CredentialProviderDown", 1, {series("credential_provider_up", provider="ecr"): "0x9"},
         "edge-1: the credential provider ecr has no credentials that work", provider="ecr"),
    case("CredentialProviderDown", 1, {series("credential_provider_up", provider="ecr"): "1x9"}),
    case("Unreadable", 1, {series("state", state="unreadable"): "1x9"}, "edge-1: K3s cannot read registries.yaml",
         state="unreadable"),
    case("Unreadable", 1, {series("state", state="unreadable"): "0x9", series("state", state="loaded"): "1x9"}),
    case("Drift", 1, {series("drift"): "1x9"}, "edge-1: somebody has edited the configuration of the registries"),
    case("Drift", 1, {series("drift"): "0x9"}),
    case("NotApplied", 1, {series("findings", code="not_applied", severity="failure"): "1x9"},
         "edge-1: the node does not have what k3s_registries says", code="not_applied", severity="warning"),
    case("NotApplied", 1, {series("findings", **UNAUTHORIZED): "1x9"}),
    case("RestartPending", 24, {series("restart_pending"): "1x99"},
         "edge-1: the configuration of the registries waits for a restart of K3s"),
    case("RestartPending", 23, {series("restart_pending"): "1x99"}),
    case("RestartPending", 24, {series("restart_pending"): "1x20 0x99"}),
    case("CertificateExpiring", 17 * 24, {series(ENDS, **CA): MONTH + "x999"},
         "edge-1: /etc/ca.crt expires in 13d 0h 0m 0s", **CA),
    case("CertificateExpiring", 16 * 24, {series(ENDS, **CA): MONTH + "x999"}),
    case("CertificateExpiring", 30 * 24, {series(ENDS, **CA): MONTH + "x999"}),
    case("CertificateExpired", 30 * 24, {series(ENDS, **CA): MONTH + "x999"}, "edge-1: /etc/ca.crt has expired", **CA),
    case("CertificateExpired", 30 * 24 - 1, {series(ENDS, **CA): MONTH + "x999"}),
    case("EndpointCertificateExpiring", 29 * 24, {series("endpoint_" + ENDS, endpoint="r:5000"): MONTH + "x999"},
         "r:5000: the certificate of the registry expires in 1d 0h 0m 0s", endpoint="r:5000"),
    case("EndpointCertificateExpiring", 16 * 24, {series("endpoint_" + ENDS, endpoint="r:5000"): MONTH + "x999"}),
    case("EndpointCertificateExpiring", 31 * 24, {series("endpoint_" + ENDS, endpoint="r:5000"): MONTH + "x999"}),
    case("EndpointCertificateExpired", 30 * 24, {series("endpoint_" + ENDS, endpoint="r:5000"): MONTH + "x999"},
         "r:5000: the certificate of the registry has expired", endpoint="r:5000"),
    case("EndpointCertificateExpired", 30 * 24 - 1, {series("endpoint_" + ENDS, endpoint="r:5000"): MONTH + "x999"}),
    case("CredentialExpiring", 17 * 24, {series(CREDENTIAL, **NOTED): MONTH + "x999"},
         "edge-1: the credentials for r:5000 end in 13d 0h 0m 0s", **NOTED),
    case("CredentialExpiring", 16 * 24, {series(CREDENTIAL, **NOTED): MONTH + "x999"}),
    case("CredentialExpiring", 30 * 24, {series(CREDENTIAL, **NOTED): MONTH + "x999"}),
    case("CredentialExpired", 30 * 24, {series(CREDENTIAL, **LOGIN): MONTH + "x999"},
         "edge-1: the credentials for r:5000 have ended", **LOGIN),
    case("CredentialExpired", 29 * 24, {series(CREDENTIAL, **LOGIN): MONTH + "x999"}),
    case("CredentialExpired", 30 * 24, {series(CREDENTIAL, **NOTED): MONTH + "x999"}),
    case("CredentialOverdue", 30 * 24, {series(CREDENTIAL, **NOTED): MONTH + "x999"},
         "edge-1: the credentials for r:5000 are past the day that auth.expires states", **NOTED),
    case("CredentialOverdue", 30 * 24, {series(CREDENTIAL, **LOGIN): MONTH + "x999"}),
    case("NodeFails", 1, {series("verify_passed"): "0x9"}, "edge-1: the node has not passed verify"),
    case("NodeFails", 1, {series("verify_passed"): "1x9"}),
]  # fmt: skip


def test_prometheus_takes_the_alerts() -> None:
    assert "SUCCESS: %d rules found" % len(alerts()) in promtool("check", "rules", str(RULES))


def test_every_alert_fires_once_and_is_quiet_once() -> None:
    for name in alerts():
        tried = {param.values[0].summary is not None for param in CASES if param.values[0].alert == name}
        assert tried == {True, False}, name


@pytest.mark.parametrize("tried", CASES)
def test_alert(tmp_path: Path, tried: Case) -> None:
    rule = alerts()[tried.alert]
    expected = []
    if tried.summary is not None:
        labels = {**(NODE if tried.of_the_node else {}), **tried.labels, **rule["labels"]}
        description = rule["annotations"]["description"]
        for label, value in labels.items():
            description = description.replace("{{ $labels.%s }}" % label, value)
        expected = [{"exp_labels": labels, "exp_annotations": {"summary": tried.summary, "description": description}}]
    test = {
        "interval": "1h",
        "input_series": [{"series": name, "values": values} for name, values in tried.series.items()],
        "alert_rule_test": [
            {"eval_time": "%dh" % tried.at, "alertname": tried.alert, "exp_alerts": expected},
        ],
    }
    # This alert alone: Prometheus evaluates every rule of a file at every step.
    rules = {"groups": [{"name": "k3s-registries", "rules": [rule]}]}
    whole = {"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": [test]}
    for name, content in (("rules.yml", rules), ("test.yml", whole)):
        (tmp_path / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    promtool("test", "rules", str(tmp_path / "test.yml"))
