# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the node's own K3s: containerd through ``crictl``, the kubelet, the API through ``kubectl``.

Every question is asked on the node itself and with the kubelet's own credentials, which may read exactly
this node and its lease, on servers and on agents alike; nothing is delegated to another host.
"""

from __future__ import annotations

import base64
import calendar
import json
import os
import re
import socket
import time
from typing import Any

from . import files
from .command import Outcome, run
from .paths import NodePaths

_QUESTION_TIMEOUT = 10.0
# On ::1 if the node's first address is of IPv6: pkg/daemons/agent/agent_linux.go of k3s-io/k3s.
_KUBELETS = (("127.0.0.1", 10248), ("::1", 10248))


def crictl(paths: NodePaths, *arguments: str, timeout: float = _QUESTION_TIMEOUT) -> Outcome:
    """Run the distribution's ``crictl``."""
    return run(paths.program("crictl") + list(arguments), timeout, paths.program_environment)


def kubectl(paths: NodePaths, *arguments: str, kubeconfig: str = "", stdin: str | None = None) -> Outcome:
    """Run the distribution's ``kubectl``, by default with the kubelet's credentials."""
    command = paths.program("kubectl") + [
        "--kubeconfig=" + (kubeconfig or paths.kubelet_kubeconfig),
        "--request-timeout=5s",
    ]
    return run(command + list(arguments), _QUESTION_TIMEOUT, stdin=stdin)


def runtime_conditions(paths: NodePaths) -> dict[str, bool] | None:
    """containerd's CRI conditions (``RuntimeReady``, ``NetworkReady``), None while it does not answer."""
    outcome = crictl(paths, "info")
    if not outcome.ok:
        return None
    try:
        conditions = json.loads(outcome.out)["status"]["conditions"]
        return {str(item["type"]): bool(item["status"]) for item in conditions}
    except (ValueError, KeyError, TypeError):
        return None


def kubelet_answers() -> bool:
    """Whether the kubelet says ``ok`` on its health port, on loopback of either family."""
    return any(_says_ok(*place) for place in _KUBELETS)


def _says_ok(host: str, port: int) -> bool:
    # Imported here: it takes a fifth of the time that all of this collection's code does, and an unchanged node, which
    # is most nodes of most runs, is asked nothing.
    import http.client

    # Unlike urllib it heeds no proxy from the environment.
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status == 200 and answer.read(64).strip() == b"ok"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def api_ready(paths: NodePaths) -> bool:
    """Whether the API server this node talks to says it is ready."""
    outcome = kubectl(paths, "get", "--raw=/readyz")
    return outcome.ok and outcome.out.strip() == "ok"


def node_name(paths: NodePaths) -> str:
    """The node's name in the cluster: what its kubelet's certificate says, else the host name in lower case.

    The two differ if K3s runs with ``--node-name`` or ``--with-node-id``.
    """
    pem = files.read(os.path.join(paths.agent_dir, "client-kubelet.crt")).content or b""
    block = re.search(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)
    if block:
        try:
            der = base64.b64decode(block.group(1))
        except ValueError:
            der = b""
        # The subject's common name is an ASN.1 string: its length stands in the byte before it.
        start = der.find(b"system:node:")
        if start > 0:
            return der[start : start + der[start - 1]][len(b"system:node:") :].decode("ascii", "replace")
    return socket.gethostname().lower()


def get_object(paths: NodePaths, *arguments: str) -> dict[str, Any] | None:
    """``kubectl get ... -o json``, None when it was refused or did not answer."""
    outcome = kubectl(paths, "get", *arguments, "--output=json")
    if not outcome.ok:
        return None
    try:
        value = json.loads(outcome.out)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def conditions_of(node: dict[str, Any]) -> dict[str, dict[str, str]]:
    """A Node's conditions by type."""
    found = (node.get("status") or {}).get("conditions") or []
    return {item["type"]: item for item in found if isinstance(item, dict) and "type" in item}


def epoch(timestamp: str | None) -> float:
    """An RFC 3339 time in UTC, as Kubernetes writes it (``2026-11-24T01:59:51Z``, ``...51.123456Z``), as seconds
    since 1970; 0.0 for anything else."""
    match = re.match(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z$", timestamp or "")
    if not match:
        return 0.0
    return calendar.timegm(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S")) + float(match.group(2) or 0)
