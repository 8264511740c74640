# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulling an image as the kubelet would, to prove that a node can, and saying why where it cannot."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import kubernetes, pull_failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.image_names import parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.loaded_secrets import loaded_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor

_NOTHING = "The runtime said: %s"


def pull(
    paths: NodePaths,
    image: str,
    timeout: float,
    config: Mapping[str, Any] | None = None,
    now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Pull ``image`` through containerd's CRI, without a pod's credentials.

    containerd asks the registry for a tag even where it has the image, so this proves the way to the registry.

    :param timeout: seconds; a registry that accepts a connection and says nothing holds a pull for minutes.
    :param config: the node's registries configuration, for the explanation; read from certs.d where it is None.
    :returns: ``{image, ok, new, seconds, cause, endpoint, message, fix, evidence}``.
    """
    known = kubernetes.crictl(paths, "inspecti", "--quiet", image).ok
    began = now()
    outcome = kubernetes.crictl(paths, "pull", image, timeout=timeout)
    result: dict[str, Any] = {
        "image": parse_image(image).full, "ok": outcome.ok, "new": outcome.ok and not known,
        "seconds": round(now() - began, 1), "cause": "ok", "endpoint": None, "message": "", "fix": "", "evidence": [],
    }  # fmt: skip
    if outcome.ok:
        return result
    shape = config if config is not None else configured_mirrors(paths.certs_d)
    found = pull_failure.explain(paths, image, began, shape)
    if not found:
        said = Redactor(loaded_secrets(paths.containerd_config)).text((outcome.err or outcome.out).strip())
        found = {"cause": "unknown", "message": _NOTHING % (said or "nothing"), "fix": ""}
        if outcome.status is None:
            # containerd logs a pull's failure when it has failed; this one was given up on before.
            found["cause"] = "timeout"
            found["fix"] = "See what holds the pull up: the registry, a proxy before it, or a slow disk on the node."
    result.update(found)
    return result
