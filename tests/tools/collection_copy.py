# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies the working tree to ``FOLDER/ansible_collections/k3sfleet/registries`` and prints that path.

For tools that resolve links to find out where they are, as ansible-test does. Copied is what git tracks or would
track; what is gone from the working tree goes from the copy. The copy is a git repository of its own: ansible-test
asks git for the files, and the checkout's ignores its cache folder.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def copy(checkout: Path, folder: Path) -> Path:
    """Make the copy of ``checkout`` in ``folder``, keeping what ansible-test has written there itself."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=checkout, check=True, capture_output=True, text=True,
    )  # fmt: skip
    names = {name for name in listed.stdout.split("\0") if name and (checkout / name).is_file()}
    target = folder / "ansible_collections" / "k3sfleet" / "registries"
    for old in list(target.rglob("*")) if target.exists() else []:
        relative = old.relative_to(target)
        if (
            old.is_file()
            and str(relative) not in names
            and relative.parts[0] != ".git"
            and relative.parts[:2] != ("tests", "output")
        ):
            old.unlink()
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / name, place)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


if __name__ == "__main__":
    print(copy(Path.cwd(), Path(sys.argv[1]).resolve()))
