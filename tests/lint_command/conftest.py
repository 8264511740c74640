# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What these tests fetch, once, into .cache/lint-command: pre-commit from PyPI, the command from the checkout, SARIF's
schema from npm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache" / "lint-command"
PRE_COMMIT = "pre-commit>=3.7,<5"
# Microsoft's own matcher carries the schema that OASIS publishes.
SCHEMA_PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
SCHEMA = "package/lib/schemas/sarif-2.1.0-rtm.5.json"


def _venv(name: str, *wanted: str) -> Path:
    """The programs of a virtual environment of its own with these packages."""
    folder = CACHE / name
    if not (folder / ".installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True)
        (folder / ".installed").touch()
    return folder / "bin"


@pytest.fixture(scope="session")
def pre_commit() -> Path:
    return _venv("tools", PRE_COMMIT) / "pre-commit"


@pytest.fixture(scope="session")
def command() -> Path:
    """The command, installed from the checkout as it is now."""
    subprocess.run(
        [sys.executable, "tests/tools/collection_copy.py", str(CACHE / "source")],
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (CACHE / "command" / ".installed").unlink(missing_ok=True)
    source = CACHE / "source" / "ansible_collections" / "k3sfleet" / "registries"
    return _venv("command", str(source)) / "registries-lint"


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    path = CACHE / SCHEMA
    if not path.exists():
        if shutil.which("npm") is None:
            pytest.fail("npm is needed for SARIF's schema: apt-get install npm")
        CACHE.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", SCHEMA_PACKAGE], cwd=CACHE, check=True, capture_output=True, text=True
        )
        with tarfile.open(CACHE / packed.stdout.strip().splitlines()[-1]) as archive:
            member = archive.extractfile(SCHEMA)
            assert member is not None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.read())
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment in which neither Ansible nor the checkout can be found."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    return {**kept, "HOME": str(tmp_path), "PRE_COMMIT_HOME": str(CACHE / "pre-commit")}
