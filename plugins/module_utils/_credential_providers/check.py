# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts each provider of a node once, as the kubelet would for a pod, and has the registry asked with its answer."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor

from . import answer, match_images, program, programs
from .answer import Credential
from .provider import Provider
from .said import last_line
from .start import TIMEOUT, start

_MOST_AT_ONCE = 8
_FIXES = {
    "provider_not_started": "Look at the program and its interpreter on the node, and run k3sfleet.registries.site.",
    "provider_timeout": "Start it on the node by hand. A pod's pull waits for it as long.",
    "provider_failed": "Start it on the node by hand. What it needs may not be there, such as the cloud's metadata.",
    "provider_answer": "Look for a newer version of the program, and at its arguments.",
    "provider_empty": "Look at match_images, and at what the provider is allowed to give out.",
}

Ask = Callable[[str, Credential], Mapping[str, Any]]
"""Asks an image's registry with a credential: ``cause`` (``ok``), ``message``, ``fix``, ``findings``."""


def check(
    paths: NodePaths,
    providers: Sequence[Provider],
    images: Sequence[str],
    environment: Mapping[str, str],
    ask: Ask,
    timeout: float = TIMEOUT,
) -> list[dict[str, Any]]:
    """What each provider answers, and its registry to that; nothing of either is secret.

    :param images: full names without tag and digest, of which each provider is asked for the first that it is for.
    :param environment: of the kubelet.
    """
    if not providers:
        return []
    # At the same time: each may take a minute.
    with ThreadPoolExecutor(min(len(providers), _MOST_AT_ONCE)) as pool:
        return list(pool.map(lambda provider: _checked(paths, provider, images, environment, ask, timeout), providers))


def _checked(
    paths: NodePaths,
    provider: Provider,
    images: Sequence[str],
    environment: Mapping[str, str],
    ask: Ask,
    timeout: float,
) -> dict[str, Any]:
    image = image_for(provider, images)
    found: dict[str, Any] = {
        "name": provider.name, "image": image, "cause": "ok", "message": "", "fix": "", "seconds": 0.0,
        "cached_for": 0.0, "findings": [],
    }  # fmt: skip
    if provider.token_attributes is not None:
        return _failed(found, "not_asked", "it needs the token of a pod's service account, which only the kubelet has")
    if not image:
        words = "its match_images have wildcards, and no canary image and no image to verify is among them"
        found.update(cause="not_asked", message=words, fix="Name one of its images in k3s_registries_verify_images.")
        return found
    begins = programs.head(paths.provider_bin_dir, provider)
    trouble = program.problem(begins, program.architecture()) if begins else "it is not on the node"
    if trouble:
        return _failed(found, "provider_not_started", trouble)
    command = [os.path.join(paths.provider_bin_dir, provider.name), *provider.args]
    started = start(command, answer.request(image), {**environment, **dict(provider.env)}, answer.LARGEST, timeout)
    found["seconds"] = round(started.seconds, 3)
    if started.problem:
        return _failed(
            found,
            started.cause,
            ": ".join(part for part in (started.problem, last_line(started.errors, provider)) if part),
        )
    try:
        got = answer.credential(started.out, image, provider.default_cache_duration)
    except answer.NothingFor as problem:
        return _failed(found, "provider_empty", str(problem))
    except answer.BadAnswer as problem:
        return _failed(found, "provider_answer", str(problem))
    found["cached_for"] = got.cached_for
    said = ask(image, got)
    redactor = Redactor.of_tables([{"username": got.username, "password": got.password}])
    found.update({key: redactor.text(str(said.get(key) or "")) for key in ("cause", "message", "fix")})
    found["findings"] = [redactor.text(str(finding)) for finding in said.get("findings") or ()]
    return found


def not_known(problem: str) -> dict[str, Any]:
    """The result for a node whose providers cannot be told."""
    return {
        "name": "", "image": "", "cause": "provider_unknown", "message": problem, "fix": "", "seconds": 0.0,
        "cached_for": 0.0, "findings": [],
    }  # fmt: skip


def _failed(found: dict[str, Any], cause: str, message: str) -> dict[str, Any]:
    found.update(cause=cause, message=message, fix=_FIXES.get(cause, ""))
    return found


def given(
    providers: Sequence[Provider], images: Sequence[str], answers: Mapping[str, Credential]
) -> Callable[[str, str], tuple[str, str] | None]:
    """Who may ask a registry with what providers have answered: by the registry, and the image or "" for any of it.

    :param images: as for :func:`check`.
    :param answers: what providers have given, by the image that each was asked for.
    """

    def find(registry: str, image: str) -> tuple[str, str] | None:
        for provider in providers:
            asked = image_for(provider, images)
            fits = not image or any(match_images.matches(pattern, image) for pattern in provider.match_images)
            # For another registry it could give something else.
            if fits and asked.partition("/")[0] == registry and asked in answers:
                return answers[asked].username, answers[asked].password
        return None

    return find


def image_for(provider: Provider, images: Sequence[str]) -> str:
    """The image that a provider is asked for: the first that it is for, else one of a registry that a pattern names
    without a wildcard; "" if there is none."""
    for image in images:
        if any(match_images.matches(pattern, image) for pattern in provider.match_images):
            return image
    for pattern in provider.match_images:
        if "*" not in pattern:
            return pattern.rstrip("/") if "/" in pattern.strip("/") else pattern.strip("/") + "/image"
    return ""
