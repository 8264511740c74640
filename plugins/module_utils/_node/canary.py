# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary: an image pulled as the kubelet would, to prove that a node can, and why it cannot if it fails."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.image_names import parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.loaded_secrets import loaded_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.log_files import (
    find_log_files,
    read_log_file,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor

from . import kubernetes
from .command import Outcome
from .files import last_lines
from .paths import NodePaths

# containerd stamps its lines with its own clock reading; a pull's first line may carry the second it was asked in.
_CLOCKS_DIFFER = 1.0
_LOG_LINES = 30
_LOG_BYTES = 64 << 10
_HELD_UP = "Find out what holds the pull up: the registry, a proxy before it, or a slow disk on the node."


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
    secrets = [*loaded_secrets(paths.containerd_config), *stored]
    found = _diagnosis(paths, image, began, configured_mirrors(paths.certs_d) if config is None else config, secrets)
    if not found:
        redactor = Redactor(secrets)
        said = redactor.text((outcome.err or outcome.out).strip())
        result.update(cause="unknown", message="The runtime said: %s" % (said or "nothing"))
        if outcome.status is None:
            # containerd logs a pull's failure when it has failed; this one was given up on before.
            result.update(cause="timeout", fix=_HELD_UP)
        result["evidence"] = redactor.lines(last_lines(paths.containerd_log, _LOG_LINES, _LOG_BYTES))
    result.update(found)
    return result


def _of_the_store(paths: NodePaths, image: str) -> tuple[Callable[[float], Outcome] | None, list[str]]:
    """How the image is pulled with the kubelet's credentials, None without any; and what no text may show of them."""
    if not os.path.exists(paths.credential_store):
        return None, []
    # Imported here: hardly any node has a store.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import pull as store

    return store.as_the_kubelet(paths, image)


def _diagnosis(
    paths: NodePaths, image: str, since: float, config: Mapping[str, Any], secrets: list[str]
) -> dict[str, Any]:
    """What containerd's log says about a pull that was asked for at ``since``; {} if it says nothing."""
    reader = PullReader(dict(config), [image], since - _CLOCKS_DIFFER, secrets=secrets)
    try:
        for path in find_log_files(paths.containerd_log, since):
            reader.read(read_log_file(path))
    except OSError:
        # The explanation is a help, not a step of the rollout.
        return {}
    found = reader.diagnoses()
    return dict(found[-1]) if found else {}
