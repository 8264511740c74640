# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ``ansible-test sanity`` on a copy of the working tree, without ignores and without anything but PyPI.

ansible-test makes a dozen virtual environments without pip and downloads a script that puts it there. Where that
download cannot be reached, and to need one host less where it can, the script it would have downloaded is one of our
own, which has the pip of this environment install the wanted one. A home folder in the cache keeps all of this out of
the user's.

pylint takes most of the time, so by day it reads what is published, and at night (``NIGHTLY=1``) the tests as well.
Arguments are passed on: ``python tests/tools/sanity.py --test pylint``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from collection_copy import copy

BOOTSTRAP = """
import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([%r, "-m", "pip", "--python", sys.executable, "install"] + wanted))
"""


def pip_versions(python: Path) -> set[str]:
    """The pip versions that this ansible-test asks for, out of its own sources."""
    code = "import ansible_test._internal.python_requirements as module; print(module.__file__)"
    source = Path(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip())
    return set(re.findall(r"pip='([0-9.]+)'", source.read_text(encoding="utf-8")))


def keep_pip_settings(home: Path) -> None:
    """Give pip in the other home the user's settings: ansible-test passes no environment on."""
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    values: dict[str, str] = {}
    for line in settings.splitlines():
        name, _equals, value = line.partition("=")
        scope, _dot, key = name.rpartition(".")
        if scope in ("global", ":env:") and key not in ("require-virtualenv", "user"):
            values[key] = value.strip("'")
    path = home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    # What is imported is compiled then; to compile all of it takes longer than what it is installed for.
    settings = "[global]\n" + "".join("%s = %s\n" % pair for pair in values.items()) + "[install]\nno-compile = true\n"
    path.write_text(settings, encoding="utf-8")
    path.chmod(0o600)


def main() -> int:
    checkout = Path.cwd()
    cache = checkout / ".cache" / "sanity"
    home = cache / "home"
    scripts = home / ".ansible" / "test" / "cache"
    scripts.mkdir(parents=True, exist_ok=True)
    versions = pip_versions(Path(sys.executable))
    if not versions:
        sys.exit("tests/tools/sanity.py: this ansible-test names its pip version in another way; adapt pip_versions()")
    for version in versions:
        script = scripts / ("get_pip_%s.py" % version.replace(".", "_"))
        script.write_text(BOOTSTRAP % sys.executable, encoding="utf-8")
    keep_pip_settings(home)
    target = copy(checkout, cache)
    version = "%d.%d" % sys.version_info[:2]

    def sanity(*arguments: str) -> int:
        return subprocess.run(
            ["ansible-test", "sanity", "--requirements", "--python", version, "--color", "no", *arguments],
            cwd=target,
            env=dict(os.environ, HOME=str(home)),
            check=False,
        ).returncode

    if sys.argv[1:] or os.environ.get("NIGHTLY"):
        return sanity(*sys.argv[1:])
    return max(sanity("--skip-test", "pylint"), sanity("--test", "pylint", "plugins/"))


if __name__ == "__main__":
    sys.exit(main())
