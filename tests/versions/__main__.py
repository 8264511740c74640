# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.versions``: the ends of what the collection promises.

The controller half with the oldest and the newest supported ansible-core, its unit tests and a fleet's first runs; the
node half's unit tests with the oldest Python of a node. What this machine has no Python for is named and not tried.

``--only NAME`` runs one trial, also one of the versions between the ends, and fails if there is no Python for it.
``--quick`` runs whole rollouts with the oldest ansible-core and nothing else: it evaluates the file of an include
without a host, where newer ones do not, so a role that only they have played can be broken with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, Sequence

CHECKOUT = Path(__file__).parents[2]
CACHE = CHECKOUT / ".cache" / "versions"
REQUIREMENTS = ["PyYAML", "pytest", "hypothesis"]
CONTROLLER = ["cryptography", "google-re2", "grpcio", "jsonschema", "prometheus-client", "pytest-testinfra"]
UNIT = CHECKOUT / "tests" / "unit"


class Trial(NamedTuple):
    """Tests (pytest's arguments) with one of ``pythons``, the first that is there, and what pip ``installs``."""

    name: str
    pythons: tuple[str, ...]
    installs: tuple[str, ...]
    tests: tuple[str, ...]


def _controller(version: str, *pythons: str) -> Trial:
    return Trial("ansible-core " + version, pythons, ("ansible-core==%s.*" % version, *CONTROLLER), _CONTROLLER_TESTS)


_CONTROLLER_TESTS = tuple(
    str(path)
    for path in (
        *(UNIT / "plugins" / part for part in ("action", "filter", "modules", "plugin_utils")),
        UNIT / "playbooks",
        CHECKOUT / "tests" / "integration" / "test_first_run.py",
        CHECKOUT / "tests" / "integration" / "test_order.py",
    )
)
TRIALS = (
    _controller("2.16", "3.10", "3.11", "3.12"),
    _controller("2.21", "3.12", "3.13", "3.14"),
    # ansible-core 2.13 is the last one that Python 3.8 installs; the modules need nothing of it but its module_utils.
    Trial(
        "a node with Python 3.8",
        ("3.8",),
        ("ansible-core==2.13.*", "cryptography", "grpcio"),
        (str(UNIT / "plugins" / "module_utils"), "--ignore-glob=*/_rules/test_rewrite.py"),
    ),
)
# Whole runs of the role on hosts that are no machines, one for each exit code.
QUICK = TRIALS[0]._replace(tests=(str(UNIT / "plugins" / "plugin_utils" / "_rollout" / "test_outcomes_in_a_run.py"),))
# Public CI has a machine for each; here, the ends say enough.
BETWEEN = (
    _controller("2.17", "3.10", "3.11", "3.12"),
    _controller("2.18", "3.11", "3.12", "3.13"),
    _controller("2.19", "3.11", "3.12", "3.13"),
    _controller("2.20", "3.12", "3.13", "3.14"),
)


def python(versions: tuple[str, ...]) -> Path | None:
    """The first of these Pythons that is installed, by its name on PATH or below pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))) / "versions"
    for version in versions:
        for found in sorted(pyenv.glob(version + ".*/bin/python")):
            return found
        on_path = shutil.which("python" + version)
        if on_path and subprocess.run([on_path, "--version"], capture_output=True, check=False).returncode == 0:
            return Path(on_path)
    return None


def environment(trial: Trial, interpreter: Path) -> Path:
    """The Python of the trial's own virtual environment, made when it is not there."""
    folder = CACHE / trial.name.replace(" ", "-")
    executable = folder / "bin" / "python"
    done = folder / "installed"
    wanted = "\n".join([str(interpreter), *REQUIREMENTS, *trial.installs])
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        subprocess.run(
            [
                executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                *REQUIREMENTS,
                *trial.installs,
            ],
            check=True,
        )
        done.write_text(wanted, encoding="utf-8")
    return executable


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    names = [trial.name for trial in (*TRIALS, *BETWEEN)]
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", choices=names, metavar="NAME", help="one of: " + ", ".join(names))
    which.add_argument("--quick", action="store_true", help="the oldest ansible-core plays the role, nothing else")
    chosen = parser.parse_args(arguments)
    only = chosen.only
    trials = [trial for trial in (*TRIALS, *BETWEEN) if trial.name == only] if only else TRIALS
    failed = False
    for trial in [QUICK] if chosen.quick else trials:
        interpreter = python(trial.pythons)
        if interpreter is None:
            print("%s: NOT TRIED, there is no Python %s here" % (trial.name, " or ".join(trial.pythons)), flush=True)
            # Who asks for this one and gets nothing must not read that everything passed.
            failed = failed or bool(only)
            continue
        began = time.monotonic()
        executable = environment(trial, interpreter)
        print("%s on %s" % (trial.name, interpreter), flush=True)
        command = [executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *trial.tests]
        fleet = {"INTEGRATION_FLEET": "versions"}
        outcome = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **fleet}, check=False).returncode
        failed = failed or outcome != 0
        print("%s: %s after %.0f s" % (trial.name, "FAILED" if outcome else "passed", time.monotonic() - began))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
