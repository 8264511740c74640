# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node of which everything is known, as verify's document has it, and its metrics as Prometheus reads them."""

from __future__ import annotations

import copy
from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics import exposition, metrics
from prometheus_client.parser import text_string_to_metric_families

NOW = 1_795_000_000.25
_TIMES = {"dns": 1.0, "tcp": 2.0, "tls": 5.0, "http": 4.0, "total": 12.5}
_HOST: dict[str, Any] = {
    "passes": False,
    "failures": [{"code": "unauthorized", "message": "m", "fix": "f", "endpoint": "https://b.example.com/v2"}],
    "warnings": [
        {"code": "certificate_expiring", "message": "one", "fix": "f", "endpoint": ""},
        {"code": "certificate_expiring", "message": "two", "fix": "f", "endpoint": ""},
    ],
    "condition": "failing",
    "level": "error",
    "group": "agent",
    "unreachable": "",
    "errors": [],
    "info": {
        "distribution": "k3s",
        "release": "v1.34.3+k3s1",
        "role": "agent",
        "state": "loaded",
        "certificates": [
            {"registry": "a.example.com", "kind": "ca", "path": "/etc/ca.crt", "not_after": "2030-01-02T00:00:00Z"},
            {"registry": "a.example.com", "kind": "ca", "path": "/etc/ca.crt", "not_after": "2030-01-01T00:00:00Z"},
            {"registry": "a.example.com", "kind": "client", "path": "/etc/c.crt", "not_after": "", "error": "none"},
        ],
        "credentials": [
            {"registry": "a.example.com", "ends": "2027-01-31T00:00:00Z", "stated": True},
            {"registry": "ecr.example.com", "ends": "", "stated": False},
        ],
    },
    "endpoints": [
        {
            "image": "", "registry": "docker.io", "kind": "mirror", "endpoint": "https://a.example.com:5000/v2",
            "cause": "ok", "times": _TIMES, "certificate": {"not_after": "2029-01-01T00:00:00Z"},
        },
        {
            "image": "", "registry": "docker.io", "kind": "mirror", "endpoint": "https://b.example.com/v2/x",
            "cause": "unauthorized", "times": _TIMES, "certificate": None,
        },
        {
            "image": "docker.io/x:1", "registry": "docker.io", "kind": "mirror",
            "endpoint": "https://a.example.com:5000/v2", "cause": "not_found", "times": _TIMES, "certificate": None,
        },
        {
            "image": "docker.io/y:1", "registry": "docker.io", "kind": "mirror",
            "endpoint": "https://a.example.com:5000/v2", "cause": "ok", "times": _TIMES, "certificate": None,
        },
    ],
    "canaries": [
        {"image": "docker.io/pause:3.6", "ok": True, "seconds": 0.75},
        {"image": "docker.io/z:1", "ok": False, "seconds": 30.0},
    ],
    "providers": [
        {"name": "ecr", "cause": "ok"},
        {"name": "gcr", "cause": "provider_timeout"},
        {"name": "acr", "cause": "not_asked"},
    ],
}  # fmt: skip

Read = dict[str, dict[tuple[tuple[str, str], ...], float]]


def host(**more: Any) -> dict[str, Any]:
    """The node, with other fields; those of ``info`` are merged."""
    found = copy.deepcopy(_HOST)
    info = more.pop("info", {})
    found["info"] = None if info is None else {**found["info"], **info}
    return {**found, **more}


def text(of: Mapping[str, Any]) -> str:
    """The file of a node."""
    return exposition.text(metrics.families(of, NOW))


def read(said: str) -> Read:
    """Metric to sorted labels to value."""
    found: Read = {}
    for family in text_string_to_metric_families(said):
        assert family.type == "gauge", family
        assert family.documentation
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {}), sample
            found[sample.name][labels] = sample.value
    return found
