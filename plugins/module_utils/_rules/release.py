# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of K3s and RKE2: since when each can do what with private registries.

:data:`FEATURES` and the gates below it are the one table of release facts, each with its public
source; :mod:`known_problems` holds the releases that are known to be bad. RKE2 carries the same
month's K3s, so a gate counts for both unless it says otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .config import DOCKER_HUB, DOCKER_HUB_HOST, WILDCARD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypedDict

    from .config import Config

    class LackingFeature(TypedDict):
        """A feature that a configuration asks for and a release does not have."""

        feature: str
        since: str
        path: str
        message: str


FINAL = 1_000_000
"""``candidate`` of what is no release candidate, so that it sorts after its candidates."""

_RELEASE = re.compile(
    r"v?(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)"
    r"(?:-rc\.?(?P<candidate>\d+))?"
    r"(?:[+-](?P<distribution>k3s|rke2)(?:r?(?P<build>\d+)|-[0-9a-f]{6,40}(?:-dirty)?))?"
)


class ReleaseError(ValueError):
    """The text is no release of K3s or RKE2."""


class Release(NamedTuple):
    """A release; comparable, so ``v1.31.4-rc1+k3s1`` < ``v1.31.4+k3s1`` < ``v1.31.4+k3s2``.

    :ivar candidate: the number of the release candidate, :data:`FINAL` for a release.
    :ivar build: the number after ``+k3s`` or ``+rke2r``; 1 if none is given.
    :ivar distribution: ``k3s`` or ``rke2``; ``k3s`` if none is given.
    """

    major: int
    minor: int
    patch: int
    candidate: int
    build: int
    distribution: str

    @property
    def text(self) -> str:
        """The release as its distribution writes it."""
        return _text(self.minor, self.patch, self.build, self.distribution, self.candidate)


def parse_release(text: str) -> Release:
    """A release out of ``v1.31.4+k3s1``, ``v1.31.4+rke2r1``, ``v1.31.4-rc2+k3s1`` or ``1.31.4``.

    The ``-`` of image tags (``v1.31.4-k3s1``) and the commit of a build from source
    (``v1.34.3+k3s-80b11e87``) are understood too.

    :raises ReleaseError: if it is none.
    """
    match = _RELEASE.fullmatch(text.strip())
    if match is None:
        raise ReleaseError(f"{text!r} is no release of K3s or RKE2, such as v1.31.4+k3s1 or v1.31.4+rke2r1")
    candidate = match.group("candidate")
    return Release(
        int(match.group("major")),
        int(match.group("minor")),
        int(match.group("patch")),
        FINAL if candidate is None else int(candidate),
        int(match.group("build") or 1),
        match.group("distribution") or "k3s",
    )


def known_release(text: str) -> Release | None:
    """A release, None for one that nobody has told or that is none of K3s or RKE2."""
    try:
        return parse_release(text) if text else None
    except ReleaseError:
        return None


class Gate(NamedTuple):
    """Since when something holds: the first patch release of each minor line that has it.

    Minor lines after the last one named have it from the start; those before the first never got it.

    :ivar first: minor to patch.
    :ivar source: the page that says so.
    """

    first: dict[int, int]
    source: str

    def passed(self, release: Release) -> bool:
        """Whether it holds for this release. A release candidate counts as its release."""
        if release.major != 1 or release.minor > max(self.first):
            return release.major >= 1
        patch = self.first.get(release.minor)
        return patch is not None and release.patch >= patch

    def since(self, release: Release) -> str:
        """The first release of the same line that has it, or of the next line that does."""
        minor = min((line for line in self.first if line >= release.minor), default=max(self.first))
        return _text(minor, self.first[minor], 1, release.distribution)


CONTAINERD_HOSTS_DIRECTORY = Gate(
    {26: 13, 27: 10, 28: 6, 29: 1}, "https://github.com/k3s-io/k3s/commit/c45524e66f (January 2024), k3s-io/k3s#8976"
)
FEATURES = {
    "hosts_toml": CONTAINERD_HOSTS_DIRECTORY,
    "disable_default_endpoint": Gate(
        {26: 13, 27: 10, 28: 6, 29: 1}, "https://github.com/k3s-io/k3s/issues/8975, docs.k3s.io private-registry"
    ),
    "embedded_registry": Gate({26: 13, 27: 10, 28: 6, 29: 1}, "https://docs.k3s.io/installation/registry-mirror"),
    "wildcard": Gate({26: 15, 27: 12, 28: 8, 29: 3}, "https://docs.k3s.io/installation/private-registry"),
    "docker_io_credentials": Gate({31: 11, 32: 7, 33: 3}, "https://github.com/k3s-io/k3s/issues/12561"),
}
"""What a configuration or a node can ask for, by the name that messages use."""

EMBEDDED_REGISTRY_GA = Gate({29: 12, 30: 8, 31: 4}, "https://docs.k3s.io/installation/registry-mirror")
CONTAINERD_2 = Gate(
    {29: 15, 30: 11, 31: 6, 32: 2}, "https://docs.k3s.io/advanced#configuring-containerd, k3s-io/k3s commit bc45972397"
)
PRECISE_MERGE = Gate(
    {26: 15, 27: 12, 28: 8, 29: 3}, "k3s-io/k3s commits b164d7a27, fe2ca9ecf and bba3e3c66 (March 2024)"
)
HOST_TABLE = Gate({27: 13, 28: 9, 29: 4}, "k3s-io/k3s commit f2961fb5d (April 2024), k3s-io/k3s#9853")
TRIMMED_TEXT = Gate(CONTAINERD_2.first, "trimEmpty in k3s-io/k3s commit bc45972397 (with containerd 2.0)")

IMAGES_FOLDER_WATCHED = Gate(
    {29: 13, 30: 9, 31: 5, 32: 0}, "https://docs.k3s.io/import-images (January 2025), k3s-io/k3s#10973"
)
"""Archives in ``agent/images`` are imported while it runs, not only at its start. RKE2: docs.rke2.io/import-images."""


class HostsTomlStyle(NamedTuple):
    """How a release writes hosts.toml.

    :ivar host_table: an empty ``[host]`` table comes first.
    :ivar trimmed: blank lines are taken out, and one is put before each table.
    """

    host_table: bool
    trimmed: bool


def hosts_toml_style(release: Release | None) -> HostsTomlStyle:
    """How a release writes hosts.toml; None is a current release.

    :raises ValueError: if it writes none (before January 2024), or by rules that differ from those
        predicted here (January and February 2024); the message says which.
    """
    if release is None:
        return HostsTomlStyle(host_table=True, trimmed=True)
    if not CONTAINERD_HOSTS_DIRECTORY.passed(release):
        raise ValueError(
            f"{release.text} writes no hosts.toml (K3s does since {CONTAINERD_HOSTS_DIRECTORY.since(release)}),"
            " so its content cannot be predicted"
        )
    if not PRECISE_MERGE.passed(release):
        raise ValueError(
            f"{release.text} merges mirrors and configs by rules of its own, so its hosts.toml cannot be predicted"
            f" (it can since {PRECISE_MERGE.since(release)})"
        )
    return HostsTomlStyle(HOST_TABLE.passed(release), TRIMMED_TEXT.passed(release))


def hosts_toml_is_exact(release: Release | None) -> bool:
    """Whether the text of hosts.toml can be compared byte for byte on a node of this release.

    True since v1.26.15, v1.27.12, v1.28.8 and v1.29.3 (March 2024); before, compare by time only.
    """
    return release is None or PRECISE_MERGE.passed(release)


def lacking_features(
    config: Config, default_endpoint: bool, embedded_registry: bool, release: Release
) -> list[LackingFeature]:
    """What a configuration asks for that a release does not have.

    :param config: a normalised configuration.
    :param default_endpoint: false if ``disable-default-registry-endpoint`` is asked for.
    :param embedded_registry: ``embedded-registry`` is asked for.
    :returns: for each, the feature, the release it came with, the path in the configuration (or the
        option's name) and a message that names both releases. Errors, not warnings: the release
        ignores what was asked for, or does not start with it.
    """
    return [
        {
            "feature": feature,
            "since": FEATURES[feature].since(release),
            "path": path,
            "message": f"{what} needs {FEATURES[feature].since(release)} or later, this node runs {release.text}",
        }
        for feature, path, what in _asked_for(config, default_endpoint, embedded_registry)
        if not FEATURES[feature].passed(release)
    ]


def _asked_for(config: Config, default_endpoint: bool, embedded_registry: bool) -> Iterator[tuple[str, str, str]]:
    if not default_endpoint:
        yield "disable_default_endpoint", "disable-default-registry-endpoint", "disable-default-registry-endpoint"
    if embedded_registry:
        yield "embedded_registry", "embedded-registry", "the embedded registry mirror (embedded-registry)"
    for section in ("mirrors", "configs"):
        if WILDCARD in config[section]:  # type: ignore[literal-required]
            yield "wildcard", f"{section}.{WILDCARD}", f'the wildcard "{WILDCARD}" in {section}'
    docker_hub = config["configs"].get(DOCKER_HUB)
    docker_hub_host = config["configs"].get(DOCKER_HUB_HOST)
    if docker_hub is not None and docker_hub["auth"] and not (docker_hub_host is not None and docker_hub_host["auth"]):
        yield (
            "docker_io_credentials",
            f"configs.{DOCKER_HUB}.auth",
            f"credentials for Docker Hub under {DOCKER_HUB} (write them under {DOCKER_HUB_HOST} instead: that works"
            " everywhere)",
        )


def release_text(minor: int, patch: int, distribution: str) -> str:
    """The first build of a release, as its distribution writes it."""
    return _text(minor, patch, 1, distribution)


def _text(minor: int, patch: int, build: int, distribution: str, candidate: int = FINAL) -> str:
    suffix = "rke2r" if distribution == "rke2" else "k3s"
    rc = "" if candidate == FINAL else f"-rc{candidate}"
    return f"v1.{minor}.{patch}{rc}+{suffix}{build}"
