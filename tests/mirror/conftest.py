# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries and images for the mirror's tests. Nothing here leaves this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.mirror.images import Filler, names
from tests.mirror.registries import LocalRegistry, check_programs

REWRITE = {"^rancher/(.*)": "project/rancher-images/$1"}
"""As Harbor's projects want it."""


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    check_programs()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    registry = LocalRegistry(tmp_path_factory.mktemp("source"))
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def everything(source: LocalRegistry) -> dict[str, str]:
    """Forty images and the digests of their indexes."""
    return Filler(source).fill(names(40))


@pytest.fixture
def few(source: LocalRegistry, everything: dict[str, str]) -> dict[str, str]:
    """Six of them, without the large one."""
    return dict(list(everything.items())[:6])


@pytest.fixture
def target(tmp_path: Path) -> Iterator[LocalRegistry]:
    """TLS, client certificate, password: as people have it."""
    registry = LocalRegistry(tmp_path / "target", secure=True)
    yield registry
    registry.stop()


@pytest.fixture
def plain_target(tmp_path: Path) -> Iterator[LocalRegistry]:
    registry = LocalRegistry(tmp_path / "plain")
    yield registry
    registry.stop()


def arguments(source: LocalRegistry, target: LocalRegistry, images: Any, **more: Any) -> dict[str, Any]:
    """The task's arguments for a mirror of Docker Hub's images from one registry to the other."""
    given = {
        "config": target.config(rewrite=REWRITE),
        "images": list(images),
        "source_registries": {"docker.io": source.url},
    }
    return {**given, **more}


def placed(image: str) -> tuple[str, str]:
    """Repository and tag where the nodes look for an image of the list."""
    repository, _colon, tag = image.partition("/")[2].rpartition(":")
    return repository.replace("rancher/", "project/rancher-images/"), tag
