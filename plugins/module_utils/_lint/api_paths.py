# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where registries have their API, by product: before the project or behind the repository."""

from __future__ import annotations

import re

from .naming import quoted

ARTIFACTORY, NEXUS, HARBOR, GITLAB, QUAY = "Artifactory", "Nexus", "Harbor", "GitLab", "Quay"
_BY_PATH = ((ARTIFACTORY, re.compile(r"/artifactory(?:/|\Z)")), (NEXUS, re.compile(r"/repository/")))
_BY_HOST = (
    (ARTIFACTORY, re.compile(r"artifactory|jfrog")),
    (NEXUS, re.compile(r"nexus|sonatype")),
    (HARBOR, re.compile(r"harbor")),
    (GITLAB, re.compile(r"(?:^|[.-])gitlab")),
    (QUAY, re.compile(r"(?:^|[.-])quay(?:[.:-]|\Z)")),
)
_BEFORE = (HARBOR, GITLAB, QUAY)


def product_of(host: str, path: str) -> str:
    """The product that a registry is, from its path or the name of its host; "" if neither tells."""
    for product, pattern in _BY_PATH:
        if pattern.match(path):
            return product
    for product, pattern in _BY_HOST:
        if pattern.search(host.lower()):
            return product
    return ""


def is_misplaced(product: str, path: str) -> bool:
    """Whether /v2 stands in the path, and where this product does not have it."""
    parts = path.strip("/").split("/")
    if product in _BEFORE:
        return parts[0] != "v2"
    # Artifactory by its repository path method serves /v2/<repository> as well.
    return product == NEXUS and parts[0] == "v2" and parts[1:2] == ["repository"]


def advice(product: str, base: str, path: str) -> str:
    """What to write instead, and by which rule."""
    parts = [part for part in path.strip("/").split("/") if part != "v2"]
    project = "/".join(parts)
    before = quoted(f"{base}/v2/{project}")
    rewrite = f'the host alone with rewrite: {{"(.*)": "{project}/$1"}}'
    if product == ARTIFACTORY:
        repository = parts[-1] if parts[-1] not in ("artifactory", "docker") else "<repository>"
        behind = quoted(f"{base}/artifactory/api/docker/{repository}/v2")
        return f"Use {behind}: Artifactory has its API behind the repository."
    if product == NEXUS:
        repository = "/".join(part for part in parts if part != "repository") or "<repository>"
        behind = quoted(f"{base}/repository/{repository}/v2")
        return f"Use {behind}: Nexus has its API by path behind the repository."
    if product:
        return f"Use {before}: {product} has its API before the project. Or {rewrite}."
    return (
        f"Use {before} for Harbor, GitLab and Quay, which have their API before the project, "
        f"{quoted(f'{base}/{project}/v2')} for Artifactory and Nexus by path, which have it behind the repository, or "
        f"{rewrite}."
    )
