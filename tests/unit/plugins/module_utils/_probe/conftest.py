# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import certificates

sys.path.insert(0, str(Path(__file__).parent))


class Pki:
    """An authority, and whatever a test wants issued; the files are ``<folder>/<name>.crt`` and ``.key``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = certificates.authority("Test CA")
        self.authority.write(folder / "ca")
        self.other = certificates.authority("Other CA")
        self.other.write(folder / "other-ca")
        self.server("server", ("127.0.0.1", "localhost"))
        certificates.issue(self.authority, "node", client=True).write(folder / "client")
        certificates.issue(self.other, "stranger", client=True).write(folder / "stranger")

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def server(self, name: str, hosts: tuple[str, ...], **options: Any) -> Path:
        certificates.issue(self.authority, options.pop("common_name", name), hosts, **options).write(self.folder / name)
        return self.folder / name


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def opened() -> Iterator[Callable[[Any], Any]]:
    """Enters a server and leaves it when the test ends."""
    with ExitStack() as stack:
        yield stack.enter_context
