# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of fleets that do not exist, with every kind of trouble in proportion to their size, always the same."""

from __future__ import annotations

import random
from typing import Any

from tests.report import troubles

GENERATED = "2026-11-25T14:02:00Z"
MIRROR = "https://registry.example.com:5000"
CACHE = "https://cache.site-b.example.net"

#: Registry to its endpoints, in containerd's order, with the milliseconds that they usually take.
REGISTRIES: dict[str, list[tuple[str, str, float]]] = {
    "docker.io": [("mirror", MIRROR, 14), ("default", "https://registry-1.docker.io", 180)],
    "ghcr.io": [("mirror", MIRROR, 14), ("default", "https://ghcr.io", 120)],
    "quay.io": [("mirror", CACHE, 38), ("default", "https://quay.io", 150)],
    "registry.example.com:5000": [("default", MIRROR, 14)],
}

CONFIG: dict[str, Any] = {
    "mirrors": {
        "docker.io": {"endpoint": [MIRROR], "rewrite": {"^rancher/(.*)": "mirrorproject/rancher-images/$1"}},
        "ghcr.io": {"endpoint": [MIRROR]},
        "quay.io": {"endpoint": [CACHE]},
    },
    "configs": {
        "registry.example.com:5000": {
            "auth": {"username": "robot", "password": "********"},
            "tls": {
                "ca_file": "/etc/rancher/k3s/registry-certs/registry.example.com_5000/ca.crt",
                "cert_file": "/etc/rancher/k3s/registry-certs/registry.example.com_5000/client.crt",
                "key_file": "/etc/rancher/k3s/registry-certs/registry.example.com_5000/client.key",
            },
        }
    },
}


#: How many of the nodes have rehearsed another configuration.
REHEARSED = 4


def names(count: int) -> list[str]:
    """Names of a fleet: three servers (one of a small fleet), the rest agents at two sites."""
    servers = 3 if count >= 6 else 1
    found = [f"server-{number + 1}" for number in range(servers)]
    for number in range(count - servers):
        found.append(f"{'edge' if number % 3 else 'site-b'}-{number + 1:03d}")
    return found


def document(count: int, troubled: bool = True) -> dict[str, Any]:
    """The document of a fleet of `count` nodes; with `troubled` about a fifth of them have something."""
    dice = random.Random(count)
    hosts = {name: healthy(name, dice) for name in names(count)}
    for name in list(hosts)[:REHEARSED]:
        hosts[name]["rehearsal"] = rehearsal(troubled)
    if troubled:
        troubles.strike(hosts, dice)
    return {"schema": 1, "generated": GENERATED, "hosts": hosts}


def rehearsal(troubled: bool) -> dict[str, Any]:
    """What a node has found about a configuration with another mirror for quay.io."""
    images = [image("docker.io/rancher/mirrored-pause:3.6", "same_place", MIRROR, MIRROR)]
    images += [image(f"quay.io/team/service-{number}:1.{number}", "other_place", CACHE, MIRROR) for number in range(6)]
    if troubled:
        images.append(image("quay.io/legacy/reporting-database-with-a-long-name:2024.11", "lost", CACHE, ""))
        images.append(image("ghcr.io/team/batch:3", "not_known", MIRROR, ""))
    return {"problem": "", "headline": f"{len(images)} images", "images": images}


def image(name: str, verdict: str, before: str, after: str) -> dict[str, Any]:
    path = f"/v2/{name.partition('/')[2].replace(':', '/manifests/')}"
    lost = verdict == "lost"
    return {
        "image": name, "users": ["pod default/app"], "verdict": verdict, "allowed": False,
        "before": before and before + path, "after": after and after + path,
        "endpoint": "" if after else f"{MIRROR}/v2", "cause": "" if after else "not_found" if lost else "timeout",
        "message": "" if after else "The registry does not have it.", "fix": "Copy it there." if lost else "",
    }  # fmt: skip


def healthy(name: str, dice: random.Random) -> dict[str, Any]:
    """A node with which all is well."""
    group = "server" if name.startswith("server") else "agent"
    slowness = dice.lognormvariate(0, 0.45) * (2.2 if name.startswith("site-b") else 1)
    return {
        "group": group,
        "unreachable": "",
        "errors": [],
        "info": info(group, dice),
        "endpoints": [
            endpoint(registry, kind, url, usual * slowness * dice.lognormvariate(0, 0.2), dice)
            for registry, asked in REGISTRIES.items()
            for kind, url, usual in asked
        ],
        "pulls": [],
    }


def info(group: str, dice: random.Random) -> dict[str, Any]:
    folder = "/etc/rancher/k3s/registry-certs/registry.example.com_5000"
    return {
        "distribution": "k3s",
        "release": "v1.34.3+k3s1" if dice.random() < 0.9 else "v1.33.6+k3s1",
        "role": group,
        "unit": "k3s.service" if group == "server" else "k3s-agent.service",
        "unit_state": "active",
        "started_at": "2026-11-%02dT03:%02d:00Z" % (dice.randint(1, 24), dice.randint(0, 59)),
        "registries": {
            "path": "/etc/rancher/k3s/registries.yaml",
            "exists": True,
            "managed": True,
            "mode": "0600",
            "config": CONFIG,
            "error": "",
        },
        "generation": "20261118T031200Z-5f0c1a",
        "state": "loaded",
        "differences": [],
        "templates": [],
        "settings": [{"source": "/etc/rancher/k3s/config.yaml", "key": "embedded-registry", "value": "false"}],
        "proxies": [],
        "certificates": [
            certificate("ca", f"{folder}/ca.crt", "CN=Example Registry CA", "a1" * 32, 2611),
            certificate("client", f"{folder}/client.crt", "CN=k3s node", "b2" * 32, 214),
        ],
        "problems": [],
    }  # fmt: skip


def certificate(kind: str, path: str, subject: str, fingerprint: str, days: int) -> dict[str, Any]:
    return {
        "registry": "registry.example.com:5000",
        "kind": kind,
        "path": path,
        "subject": subject,
        "issuer": "CN=Example Registry CA",
        "fingerprint_sha256": fingerprint,
        "not_before": "2025-11-25T00:00:00Z",
        "not_after": troubles.after(days),
        "days_left": days,
        "key_matches": True if kind == "client" else None,
        "error": "",
    }


def endpoint(registry: str, kind: str, url: str, total: float, dice: random.Random) -> dict[str, Any]:
    """A successful answer."""
    shares = (0.05, 0.2, 0.35, 0.4)
    times: dict[str, float] = {
        phase: round(total * share * dice.uniform(0.8, 1.2), 2)
        for phase, share in zip(("dns", "tcp", "tls", "http"), shares)
    }
    times["total"] = round(sum(times.values()), 2)
    days = {MIRROR: 88, CACHE: 19}.get(url, 61)
    return {
        "image": "",
        "registry": registry,
        "kind": kind,
        "endpoint": f"{url}/v2",
        "url": f"{url}/v2/",
        "cause": "ok",
        "message": "",
        "fix": "",
        "status": 200,
        "times": times,
        "auth": "basic" if url == MIRROR else "bearer",
        "certificate": {
            "subject": "CN=" + url.partition("//")[2].partition(":")[0],
            "issuer": "CN=Example Registry CA" if "example" in url else "CN=R11",
            "not_after": troubles.after(days),
            "days_left": days,
            "protocol": "TLSv1.3",
        },
    }
