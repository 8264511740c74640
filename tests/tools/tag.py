# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a tag may be published: ``python tests/tools/tag.py v1.2.3``.

A version on Galaxy can never be replaced, so everything that names it is compared with the tag before the upload.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Sequence

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
# Semantic versions, as Galaxy demands them, with a v in front.
TAG = re.compile(r"v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)")


def problems(tag: str, checkout: Path = CHECKOUT) -> list[str]:
    """What is wrong with this checkout as the release of ``tag``, as sentences that say what to do."""
    match = TAG.fullmatch(tag)
    if match is None:
        return ["The tag %s is not a version such as v1.2.3. Delete it and set another one." % tag]
    version = match.group(1)
    found = []
    for name, says in (("galaxy.yml", _of_galaxy(checkout)), ("pyproject.toml", _of_pyproject(checkout))):
        if says != version:
            says = says or "(none)"
            found.append("%s has the version %s, the tag says %s. Change one of them." % (name, says, version))
    if version not in _changelog(checkout):
        found.append(
            "changelogs/changelog.yaml has no release %s. Run `antsibull-changelog release` and commit what it writes."
            % version
        )
    left = sorted(path.name for path in (checkout / "changelogs" / "fragments").glob("*.y*ml"))
    if left:
        found.append(
            "changelogs/fragments still has %s: they would be missing in the changelog of %s. Run `antsibull-changelog "
            "release` again." % (", ".join(left[:5]) + (" and %d more" % (len(left) - 5) if left[5:] else ""), version)
        )
    return found


def _of_galaxy(checkout: Path) -> str:
    return str(yaml.safe_load((checkout / "galaxy.yml").read_text(encoding="utf-8")).get("version", ""))


def _of_pyproject(checkout: Path) -> str:
    """By hand: Python 3.10 has no reader for TOML."""
    text = (checkout / "pyproject.toml").read_text(encoding="utf-8")
    project = re.search(r"^\[project\]$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    version = re.search(r'^version = "([^"]+)"$', project.group(1), re.MULTILINE) if project else None
    return version.group(1) if version else ""


def _changelog(checkout: Path) -> set[str]:
    path = checkout / "changelogs" / "changelog.yaml"
    if not path.exists():
        return set()
    return set((yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("releases") or {})


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python tests/tools/tag.py TAG\n")
        return 2
    found = problems(arguments[0])
    for sentence in found:
        sys.stderr.write(sentence + "\n")
    if found:
        sys.stderr.write("Nothing has been published.\n")
        return 1
    print("%s can be published" % arguments[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
