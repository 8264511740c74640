# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which jobs public CI runs, made of what the project has already: a new target or release needs no new workflow.

Targets are those of `make test` and `make nightly`, K3s releases those of tests/real/releases.txt, versions of Ansible
and Python those of tests/versions. ``github NAME`` prints one list for a matrix, ``gitlab`` a whole child pipeline.
Python's standard library is enough: this runs before anything is installed.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Sequence

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from tests.real.releases import releases  # noqa: E402
from tests.versions.__main__ import BETWEEN, TRIALS  # noqa: E402

#: The Makefile's lists that `make test` and `make nightly` run.
PUSH = ("FIRST", "BESIDE", "TOGETHER")
NIGHT = ("FIRST", "BESIDE", "LONG", "TOGETHER")
# Not jobs: what only prepares a machine for the others or clears it, and what has a matrix of its own.
_NO_JOBS = {"deps", "demo-down", "versions"}
#: Runners with this tag run jobs as root on a virtual machine, because the fleet's nodes are privileged containers.
GITLAB_TAG = "k3sfleet-vm"


def targets(*lists: str) -> list[str]:
    """The targets in these lists of the Makefile, each once."""
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, None] = {}
    for name in lists:
        match = re.search(r"^%s :=(.*)$" % name, makefile, re.MULTILINE)
        if match is None:
            raise SystemExit("tests/tools/plan.py: the Makefile has no list %s" % name)
        found.update(dict.fromkeys(match.group(1).split()))
    return [target for target in found if target not in _NO_JOBS]


def versions() -> list[dict[str, str]]:
    """Each trial, and the Python that it takes if that is installed."""
    return [{"trial": trial.name, "python": trial.pythons[0]} for trial in (*TRIALS, *BETWEEN)]


LISTS = {
    "targets": lambda: targets(*PUSH),
    "nightly": lambda: targets(*NIGHT),
    "releases": releases,
    "versions": versions,
}


def gitlab(nightly: bool) -> dict[str, Any]:
    """A pipeline with the same jobs as GitHub's workflows."""
    template = {
        "rules": [{"when": "on_success"}],
        "tags": [GITLAB_TAG],
        "interruptible": True,
        "timeout": "4h" if nightly else "2h",
        "cache": {"key": {"files": ["requirements/dev.txt"]}, "paths": [".cache/pip"]},
    }
    jobs: dict[str, Any] = {
        # Without rules, a job of a child pipeline runs for branches only, and not for merge requests.
        "workflow": {"rules": [{"when": "always"}]},
        "stages": ["test"],
        "variables": {"PIP_CACHE_DIR": "$CI_PROJECT_DIR/.cache/pip", "NIGHTLY": "1" if nightly else ""},
        ".job": {"stage": "test", **template},
    }
    for target in targets(*(NIGHT if nightly else PUSH)):
        jobs[target] = {"extends": ".job", "script": [".ci/job " + target]}
    for release in releases():
        jobs["K3s " + release] = {"extends": ".job", "script": [".ci/job real K3S_RELEASE=" + release]}
    for trial in versions() if nightly else []:
        jobs[trial["trial"]] = {"extends": ".job", "script": [".ci/job versions 'TRIAL=%s'" % trial["trial"]]}
    return jobs


def main(arguments: Sequence[str]) -> int:
    if len(arguments) == 2 and arguments[0] == "github" and arguments[1] in LISTS:
        # As a step's output: one line, a name and its value.
        print("%s=%s" % (arguments[1], json.dumps(LISTS[arguments[1]]())))
        return 0
    if arguments and arguments[0] == "gitlab" and set(arguments[1:]) <= {"--nightly"}:
        # JSON is YAML, and needs no library.
        print(json.dumps(gitlab("--nightly" in arguments), indent=2))
        return 0
    sys.stderr.write("usage: .ci/plan github %s | .ci/plan gitlab [--nightly]\n" % "|".join(LISTS))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
