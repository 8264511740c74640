# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry's log, line by line, as data.

Every request that reached the registry showed a certificate of its client CA: without one there is no request, only a
failed handshake, which is listed as such.
"""

from __future__ import annotations

import calendar
import json
import re
import time
import urllib.parse
from typing import Any

from tests.fleet.state import Fleet

_HANDSHAKE = re.compile(r"http: TLS handshake error from (?P<address>[0-9.]+):\d+: (?P<error>.*)$")
_USER = re.compile(r'"auth\.user\.name":\s*"((?:[^"\\]|\\.)*)"')
_REFUSED = re.compile(r'"msg":\s*"error authenticating user \\"((?:[^"\\]|\\[^"])*)\\"')
_REQUEST = re.compile(r'"http\.request\.id":\s*"([^"]*)"')
_PULL = re.compile(r"^/v2/(?P<repository>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)$")


def entries(fleet: Fleet, since: float = 0.0) -> list[dict[str, Any]]:
    """Requests and failed handshakes at or after the epoch time ``since``, oldest first."""
    names = {node.address: node.name for node in fleet.nodes}
    path = fleet.folder / "registry" / "registry.log"
    if not path.exists():
        return []
    return [
        {"node": names.get(entry["address"], ""), **entry}
        for entry in parse_all(path.read_text(encoding="utf-8", errors="replace"))
        if entry["at"] >= since
    ]


def parse_all(text: str) -> list[dict[str, Any]]:
    """The entries of a whole log. The line that ends a request does not say whose it was, nor whose password was
    refused; earlier ones with the same request id do."""
    users: dict[str, str] = {}
    refused: dict[str, str] = {}
    found = []
    for line in text.splitlines():
        user = _USER.search(line)
        request = _REQUEST.search(line)
        if user and request:
            users[request.group(1)] = json.loads('"%s"' % user.group(1))
        wrong = _REFUSED.search(line)
        if wrong and request:
            refused[request.group(1)] = wrong.group(1)
        entry = parse(line)
        if entry is not None:
            entry["user"] = users.get(request.group(1), "") if request else ""
            entry["refused_user"] = refused.get(request.group(1), "") if request else ""
            found.append(entry)
    return found


def parse(line: str) -> dict[str, Any] | None:
    """One line of the log, None for what is neither a request's end nor a failed handshake."""
    handshake = _HANDSHAKE.search(line)
    if handshake:
        return {"at": _plain_time(line), "kind": "tls_error", **handshake.groupdict()}
    try:
        content = json.loads(line)
    except ValueError:
        return None
    # A refused password has no line of its own at the request's end.
    status = (
        401
        if str(content.get("msg", "")).startswith("error authorizing context")
        else content.get("http.response.status")
    )
    if status is None or "http.request.uri" not in content:
        return None
    path, _unused, query = content["http.request.uri"].partition("?")
    pull = _PULL.match(path)
    return {
        "at": _json_time(content["time"]),
        "kind": "request",
        "address": content["http.request.remoteaddr"].rpartition(":")[0],
        "method": content["http.request.method"],
        "host": content.get("http.request.host", ""),
        "path": path,
        "ns": urllib.parse.parse_qs(query).get("ns", [""])[0],
        "repository": pull.group("repository") if pull else "",
        "reference": pull.group("reference") if pull else "",
        "status": int(status),
        "user_agent": content.get("http.request.useragent", ""),
        "client_certificate": "required",
    }


def _json_time(text: str) -> float:
    """`2026-01-31T12:00:00.123456789Z`, always UTC in the registry's container."""
    whole, _unused, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def _plain_time(line: str) -> float:
    """`2026/01/31 12:00:00 http: TLS ...`; 0.0 where there is none."""
    try:
        return float(calendar.timegm(time.strptime(line[:19], "%Y/%m/%d %H:%M:%S")))
    except ValueError:
        return 0.0
