# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node can say of credentials that are in force without a restart: since when, and which pods bring their own.

A kubelet may list the pods of its own node.
"""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials import pull_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import kubernetes
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated


def observed(paths: NodePaths, generated: Generated) -> dict[str, Any]:
    """``{since, unknown, pods}``: ``unknown`` says why the pods are not known, "" if they are."""
    written = [os.path.join(paths.certs_d, directory, "hosts.toml") for directory in generated.headers]
    listed = kubernetes.get_object(
        paths, "pods", "--all-namespaces", "--field-selector=spec.nodeName=" + kubernetes.node_name(paths)
    )
    items = (listed or {}).get("items")
    found = pull_secrets.collected([], items) if isinstance(items, list) else []
    return {
        "since": max((os.stat(path).st_mtime for path in written if os.path.exists(path)), default=0.0),
        "unknown": "" if isinstance(items, list) else "the API does not list them",
        "pods": [{"who": item.who, "registries": list(item.registries)} for item in found],
    }
