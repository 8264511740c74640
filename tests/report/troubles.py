# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in the fleets that do not exist."""

from __future__ import annotations

import copy
import datetime
import random
from typing import Any, Callable

Host = dict[str, Any]

_NOW = datetime.datetime(2026, 11, 25, 14, 2)
_DIFF = """--- what K3s should have generated
+++ what is there
@@ -3,4 +3,3 @@
 server = "https://registry-1.docker.io/v2"
 [host]
 [host."https://registry.example.com:5000/v2"]
   capabilities = ["pull", "resolve"]
-  ca = ["/etc/rancher/k3s/registry-certs/registry.example.com_5000/ca.crt"]
"""


def after(days: int) -> str:
    """The time so many days from now."""
    return (_NOW + datetime.timedelta(days=days, hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")


def strike(hosts: dict[str, Host], dice: random.Random) -> None:
    """Each trouble on its share of the nodes, and on one at least as long as there are nodes."""
    agents = [name for name, host in hosts.items() if host["group"] == "agent"]
    dice.shuffle(agents)
    for trouble, share in TROUBLES:
        for _number in range(max(1, round(share * len(hosts)))):
            if len(agents) <= len(hosts) // 3:
                return
            name = agents.pop()
            trouble(name, hosts[name])


def fail(host: Host, url: str, cause: str, message: str, fix: str, status: int | None = None) -> None:
    """Every request to an endpoint fails."""
    for entry in host["endpoints"]:
        if entry["endpoint"] == f"{url}/v2":
            entry.update(cause=cause, message=message, fix=fix, status=status)
            if status is None:
                entry.update(certificate=None)
                entry["times"].update(tcp=None, tls=None, http=None, total=5000.0)


def pending(_name: str, host: Host) -> None:
    host["info"]["state"] = "pending"


def unreachable(name: str, host: Host) -> None:
    host.update(info=None, endpoints=[], pulls=[])
    host["unreachable"] = f"Failed to connect to the host via ssh: connect to host {name} port 22: No route to host"


def wrong_authority(_name: str, host: Host) -> None:
    url = "https://registry.example.com:5000"
    message = "This node does not trust the authority that signed registry.example.com:5000's certificate."
    fix = (
        'Set configs."registry.example.com:5000".tls.ca_file to the CA certificate that registry.example.com:5000 is'
        " signed by, or have the registry send its whole chain."
    )
    fail(host, url, "tls_unknown_authority", message, fix)
    for entry in host["endpoints"]:
        if entry["kind"] == "default" and entry["endpoint"] != f"{url}/v2":
            entry.update(cause="timeout", message=f"No answer from {entry['endpoint']} within 5 seconds.", status=None)
    host["pulls"] = [
        pull(image, "tls_unknown_authority", "registry.example.com:5000", message, fix)
        for image in ("docker.io/rancher/mirrored-pause:3.6", "registry.example.com:5000/team/app:1.4.2")
    ]


def cache_down(_name: str, host: Host) -> None:
    fail(
        host,
        "https://cache.site-b.example.net",
        "connection_refused",
        "Nothing listens at cache.site-b.example.net:443, or a firewall refuses.",
        'Start the registry at cache.site-b.example.net, or correct the address in mirrors."quay.io".endpoint.',
    )


def image_missing(_name: str, host: Host) -> None:
    host["pulls"] = [
        pull(
            "quay.io/prometheus/node-exporter:v1.9.0",
            "not_found",
            "cache.site-b.example.net",
            "cache.site-b.example.net does not have prometheus/node-exporter:v1.9.0, nor has the fallback.",
            'Push the image to cache.site-b.example.net, or correct mirrors."quay.io".rewrite.',
        )
    ]


def drifted(_name: str, host: Host) -> None:
    host["info"]["state"] = "drifted"
    host["info"]["differences"] = [
        {
            "file": "/var/lib/rancher/k3s/agent/etc/containerd/certs.d/docker.io/hosts.toml",
            "kind": "differs",
            "diff": _DIFF,
        }
    ]


def expiring(name: str, host: Host) -> None:
    for entry in host["info"]["certificates"]:
        if entry["kind"] == "client":
            entry.update(days_left=11, not_after=after(11), fingerprint_sha256="c3" * 32, subject="CN=k3s node (2025)")
    host["info"]["problems"].append(
        {
            "code": "proxy",
            "level": "warning",
            "message": "HTTPS_PROXY (unit) sends requests to registry.example.com through a proxy.",
            "fix": "Add registry.example.com to NO_PROXY in /etc/systemd/system/k3s-agent.service.env.",
        }
    )
    host["info"]["proxies"] = [
        {
            "source": "/etc/systemd/system/k3s-agent.service.env",
            "variable": "HTTPS_PROXY",
            "registries": ["registry.example.com"],
        }
    ]


def expired(_name: str, host: Host) -> None:
    for entry in host["info"]["certificates"]:
        if entry["kind"] == "client":
            entry.update(days_left=-3, not_after=after(-3), fingerprint_sha256="d4" * 32, subject="CN=k3s node (2024)")


def foreign(_name: str, host: Host) -> None:
    host["info"]["state"] = "foreign"
    registries = copy.deepcopy(host["info"]["registries"])
    registries["managed"] = False
    del registries["config"]["mirrors"]["quay.io"]
    host["info"]["registries"] = registries
    host["endpoints"] = [entry for entry in host["endpoints"] if entry["registry"] != "quay.io"]


def template(_name: str, host: Host) -> None:
    path = "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.tmpl"
    message = f"{path} replaces what K3s generates and drops the registries' credentials."
    host["info"]["templates"] = [{"path": path, "message": message}]
    host["info"]["problems"].append(
        {
            "code": "template_overrides",
            "level": "error",
            "message": message,
            "fix": 'Start the template with {{ template "base" . }} or remove it.',
        }
    )


def stopped(_name: str, host: Host) -> None:
    host["info"].update(state="stopped", unit_state="inactive", started_at="")
    host["endpoints"] = []


def pull(image: str, cause: str, endpoint: str, message: str, fix: str) -> dict[str, Any]:
    line = (
        f'time="2026-11-25T13:58:41Z" level=error msg="PullImage \\"{image}\\" failed" error="failed to pull and'
        f' unpack image \\"{image}\\": failed to resolve reference: {cause}"'
    )
    return {"image": image, "cause": cause, "endpoint": endpoint, "message": message, "fix": fix, "evidence": [line]}


TROUBLES: list[tuple[Callable[[str, Host], None], float]] = [
    (wrong_authority, 0.015),
    (pending, 0.04),
    (unreachable, 0.02),
    (drifted, 0.02),
    (cache_down, 0.03),
    (image_missing, 0.02),
    (expiring, 0.02),
    (expired, 0.005),
    (foreign, 0.01),
    (template, 0.005),
    (stopped, 0.01),
]
