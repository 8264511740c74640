# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether GitHub and GitLab would accept the workflows, which cannot run here: actionlint, and GitLab's own schema."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Sequence

import plan
from golang import GoError, Program

CHECKOUT = Path(__file__).resolve().parents[2]
# The last one that the oldest Go among our systems builds: Debian 12 has 1.19, and v1.7.8 wants 1.24.
ACTIONLINT = Program(
    "actionlint",
    "github.com/rhysd/actionlint",
    "cmd/actionlint",
    "v1.7.7",
    "h1:0KgkoNTrYY7vmOCs9BW2AHxLvvpoY9nEUzgBHiPUr0k=",
)
BIN = Path(sys.executable).parent


def github(files: Sequence[Path]) -> int:
    """actionlint's verdict. shellcheck and pyflakes would make it depend on what else this machine has."""
    command = [str(ACTIONLINT.ensure()), "-shellcheck=", "-pyflakes=", "-no-color", *map(str, files)]
    return subprocess.run(command, cwd=CHECKOUT, check=False).returncode


def gitlab(files: Sequence[Path]) -> int:
    """What the schema says that GitLab's editor uses; check-jsonschema brings it, so no network is needed."""
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    return subprocess.run([*command, *map(str, files)], cwd=CHECKOUT, check=False).returncode


def main() -> int:
    workflows = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
    with tempfile.TemporaryDirectory() as folder:
        pipelines = [CHECKOUT / ".gitlab-ci.yml"]
        for nightly in (False, True):
            pipelines.append(Path(folder) / ("nightly.yml" if nightly else "push.yml"))
            pipelines[-1].write_text(json.dumps(plan.gitlab(nightly)), encoding="utf-8")
        try:
            failed = [github(workflows), gitlab(pipelines)]
        except GoError as error:
            sys.stderr.write("make workflows-check: %s\n" % error)
            return 2
    if not any(failed):
        print("%d GitHub workflows, %d GitLab pipelines: no finding" % (len(workflows), len(pipelines)))
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
