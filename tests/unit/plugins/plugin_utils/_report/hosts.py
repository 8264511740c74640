# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of documents, as short as the contract allows."""

from __future__ import annotations

from typing import Any


def host(**parts: Any) -> dict[str, Any]:
    """A host of the document that is well and says nothing, with `parts` in place of its own."""
    return {
        "group": "agent",
        "unreachable": "",
        "errors": [],
        "info": {"state": "loaded", "problems": [], "certificates": []},
        "endpoints": [],
        "pulls": [],
        **parts,
    }


def info(**parts: Any) -> dict[str, Any]:
    return {"state": "loaded", "problems": [], "certificates": [], **parts}


def endpoint(cause: str = "ok", kind: str = "mirror", registry: str = "docker.io", **parts: Any) -> dict[str, Any]:
    return {
        "image": "",
        "registry": registry,
        "kind": kind,
        "endpoint": f"https://{kind}.example.com",
        "url": f"https://{kind}.example.com/v2/",
        "cause": cause,
        "message": "" if cause == "ok" else f"it says {cause}",
        "fix": "" if cause == "ok" else "put it right",
        "status": 200 if cause == "ok" else None,
        "times": {"dns": 1.0, "tcp": 2.0, "tls": 3.0, "http": 4.0, "total": 10.0},
        "auth": "none",
        "certificate": None,
        **parts,
    }


def document(**hosts: dict[str, Any]) -> dict[str, Any]:
    return {"schema": 1, "generated": "2026-11-25T14:02:00Z", "hosts": hosts}
