# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that only the AWX tests need, and awx.awx, fetched from PyPI into .cache once."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Iterator

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "awx"
REQUIREMENTS = ("ansible-builder>=3.1,<4", "ansible-runner>=2.4,<3", "ansible-core>=2.18,<2.19")
CONTROLLER = Path(__file__).resolve().parents[2] / "requirements" / "controller.txt"
# The community package that carries awx.awx: Galaxy is not needed.
BUNDLE = "ansible>=11,<12"


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Targets that run side by side must not install into one folder at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def tools() -> Path:
    """The folder with ansible-builder and ansible-runner, in a virtual environment of their own."""
    with _alone():
        return _tools()


def _tools() -> Path:
    bin_folder = CACHE / "tools" / "bin"
    done = CACHE / "tools" / ".installed"
    if not done.exists() or done.read_text(encoding="utf-8") != repr(REQUIREMENTS):
        subprocess.run([sys.executable, "-m", "venv", str(CACHE / "tools")], check=True)
        pip = [str(bin_folder / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *REQUIREMENTS, "-r", str(CONTROLLER)], check=True)
        done.write_text(repr(REQUIREMENTS), encoding="utf-8")
    return bin_folder


def awx_collection() -> Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH that holds awx.awx and nothing else."""
    with _alone():
        return _awx_collection()


def _awx_collection() -> Path:
    target = CACHE / "collections"
    if not (target / "ansible_collections" / "awx" / "awx" / "MANIFEST.json").exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--only-binary", ":all:", "--dest", str(CACHE / "bundle"), BUNDLE], check=True)
        (wheel,) = (CACHE / "bundle").glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            wanted = [name for name in archive.namelist() if name.startswith("ansible_collections/awx/awx/")]
            archive.extractall(target, wanted)
        wheel.unlink()
    return target
