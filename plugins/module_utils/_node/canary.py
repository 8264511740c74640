# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary: an image pulled as the kubelet would, to prove that a node can, and why it cannot if it fails."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.image_names import parse_image

from . import kubernetes
from .command import Outcome
from .paths import NodePaths


def is_present(paths: NodePaths, image: str) -> bool:
    """Whether the node has the image already."""
    return kubernetes.crictl(paths, "inspecti", "--quiet", image).ok


def pull(
    paths: NodePaths,
    image: str,
    timeout: float,
    config: Mapping[str, Any] | None = None,
    now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Pull ``image`` through containerd's CRI, as the kubelet would for a pod without credentials of its own: with
    those of the collection's store, if it has any for the image.

    containerd asks the registry for a tag even if it has the image, so this proves the way to the registry.

    :param timeout: seconds; a registry that accepts a connection and says nothing holds a pull for minutes.
    :param config: the node's registries configuration, for the explanation; read from certs.d if it is None.
    :returns: ``{image, ok, seconds, cause, endpoint, message, fix, evidence}``; the credentials that containerd has
        loaded are masked.
    """
    began = now()
    by_the_store, stored = _of_the_store(paths, image)
    outcome = by_the_store(timeout) if by_the_store else kubernetes.crictl(paths, "pull", image, timeout=timeout)
    result: dict[str, Any] = {
        "image": parse_image(image).full, "ok": outcome.ok, "seconds": round(now() - began, 1), "cause": "ok",
        "endpoint": None, "message": "", "fix": "", "evidence": [],
    }  # fmt: skip
    if outcome.ok:
        return result
    # Imported here: what reads logs takes longer to load than most pulls take.
    from . import canary_failure

    failed = canary_failure.Failed(image, began, outcome, stored)
    return {**result, **canary_failure.explained(paths, failed, config)}


def _of_the_store(paths: NodePaths, image: str) -> tuple[Callable[[float], Outcome] | None, list[str]]:
    """How the image is pulled with the kubelet's credentials, None without any; and what no text may show of them."""
    if not os.path.exists(paths.credential_store):
        return None, []
    # Imported here: hardly any node has a store.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import pull as store

    return store.as_the_kubelet(paths, image)
