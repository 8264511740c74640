# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the node's containerd about images, with the ``ctr`` that K3s and RKE2 bring."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome, run
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

SOCKET = "/run/k3s/containerd/containerd.sock"
"""Of K3s and of RKE2: ``pkg/agent/config/config.go``."""

CRI_PIN = "io.cri-containerd.pinned=pinned"
"""With it, the kubelet's garbage collection leaves the image alone: containerd's ``internal/cri/labels``."""

_ANSWER = 60.0


class ContainerdProblem(Exception):
    """containerd did not answer; the text has what ctr said."""


class Image(NamedTuple):
    """One name of an image in containerd."""

    name: str
    digest: str
    pinned: bool


def own_pin(paths: NodePaths) -> str:
    """The label by which K3s knows what it has pinned: ``pkg/agent/containerd/containerd.go``."""
    return "io.cattle.%s.pinned=pinned" % paths.distribution


def images(paths: NodePaths) -> dict[str, Image]:
    """Everything in containerd that the kubelet can see, by name.

    :raises ContainerdProblem: if it does not answer.
    """
    wanted = {CRI_PIN, own_pin(paths)}
    found = {}
    for line in _ask(paths, "images", "ls").splitlines()[1:]:
        fields = line.split()
        digest = next((field for field in fields[1:] if field.startswith("sha256:")), "")
        if len(fields) > 2 and digest:
            found[fields[0]] = Image(fields[0], digest, wanted <= set(fields[-1].split(",")))
    return found


def used(paths: NodePaths, known: dict[str, Image]) -> set[str]:
    """The digests of images that a container uses, running or not. CRI names a container's image by any of its names,
    ``sha256:<configuration>`` among them.

    :raises ContainerdProblem: if it does not answer.
    """
    named = [line.split()[1] for line in _ask(paths, "containers", "ls").splitlines()[1:] if len(line.split()) > 2]
    return {known[name].digest for name in named if name in known}


def bring_in(paths: NodePaths, path: str, names: Sequence[str], timeout: float) -> None:
    """Import an archive and pin its images as K3s does, on a release that does so only at its start.

    :raises ContainerdProblem: if it cannot be imported.
    """
    _ask(paths, "images", "import", "--all-platforms", path, timeout=timeout)
    for name in names:
        _ask(paths, "images", "label", name, own_pin(paths), CRI_PIN)


def forget(paths: NodePaths, names: Sequence[str]) -> None:
    """Remove names of images; the content goes with the last name.

    :raises ContainerdProblem: if it does not answer.
    """
    if names:
        _ask(paths, "images", "rm", *names)


def _ask(paths: NodePaths, *arguments: str, timeout: float = _ANSWER) -> str:
    outcome: Outcome = run(
        paths.program("ctr") + ["--address", SOCKET, "--namespace", "k8s.io", *arguments], timeout,
        paths.program_environment,
    )  # fmt: skip
    if not outcome.ok:
        reason = (outcome.err.strip().splitlines() or ["it ended with status %s" % outcome.status])[-1]
        raise ContainerdProblem("containerd does not answer to ctr %s: %.500s" % (" ".join(arguments[:2]), reason))
    return outcome.out
