# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be in the tarball that people install, how large it may be, and whether the README says so."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import NamedTuple

PARTS = {
    ".ansible-lint": "Galaxy and those who certify collections run ansible-lint on the tarball, with these settings",
    ".yamllint": "ansible-lint checks YAML by it",
    "CHANGELOG.md": "what a new version changes",
    "CONTRIBUTING.md": "the guides link to it, and Galaxy shows it",
    "FILES.json": "ansible-galaxy makes it",
    "LICENSE": "the license asks for it",
    "MANIFEST.json": "ansible-galaxy makes it",
    "README.md": "Galaxy shows it",
    "SECURITY.md": "the guides link to it",
    "bindep.txt": "meta/execution-environment.yml names it",
    "changelogs": "config.yaml and, from the first release on, changelog.yaml, which tools read; no fragments",
    "docs": "the guides with their pictures, for controllers without internet",
    "examples": "the guides have readers copy them",
    "execution-environment.yml": "the guide for AWX has readers build with it",
    "meta": "Ansible and ansible-builder read it",
    "playbooks": "people run them",
    "plugins": "people run them",
    "requirements": "controller.txt alone: the README and meta/execution-environment.yml name it",
    "roles": "people run them",
    "tests": "config.yml alone, which ansible-test reads",
}
"""What is at the top, and who needs it there; galaxy.yml's build_ignore leaves out the rest."""
ALONE = {"tests": {"tests/config.yml"}, "requirements": {"requirements/controller.txt"}}
"""Folders of which only these files are in the tarball."""
MOST_FILES, MOST_BYTES = 700, 1_800_000
UNWANTED = re.compile(r"(^|/)(\.\w+|__pycache__|fragments|[\w.-]+\.egg-info)/|\.(pyc|retry|orig|tar\.gz)$")
# How far what the README says may be from what was built: new files must not make it wrong with each change.
_TOLERANCE = 0.1
_SAID = re.compile(r"about\s+(\d+)\s+files\s+and\s+(\d+\.\d)\s+MB")
_LINK = re.compile(r'\]\(([^)\s#]+)[^)\s]*\)|(?:src|srcset)="([^"]+)"')


class Content(NamedTuple):
    """The names of a tarball's files, and the size of the tarball in bytes."""

    files: list[str]
    size: int


def content(tarball: Path) -> Content:
    """What is in a tarball."""
    with tarfile.open(tarball) as opened:
        files = [member.name for member in opened.getmembers() if not member.isdir()]
    return Content(sorted(files), tarball.stat().st_size)


def mistakes(found: Content) -> list[str]:
    """What is in a tarball and should not be, what is missing, and whether it has grown too large."""
    top = {name.partition("/")[0] for name in found.files}
    wrong = ["%s is in it: add it to PARTS or to build_ignore" % name for name in sorted(top - set(PARTS))]
    wrong += ["%s is not in it: %s" % (name, PARTS[name]) for name in sorted(set(PARTS) - top)]
    wrong += ["%s is in it" % name for name in found.files if UNWANTED.search(name)]
    for folder, only in ALONE.items():
        inside = {name for name in found.files if name.startswith(folder + "/")}
        wrong += ["%s is in it" % name for name in sorted(inside - only)]
        wrong += ["%s is not in it" % name for name in sorted(only - inside)]
    if len(found.files) > MOST_FILES or found.size > MOST_BYTES:
        limits = (len(found.files), found.size / 1e6, MOST_FILES, MOST_BYTES / 1e6)
        wrong.append("it has %d files and %.1f MB, and may have %d and %.1f" % limits)
    return wrong


def said_wrong(readme: str, found: Content) -> list[str]:
    """Whether the README's sentence about the tarball is still true, to a tenth."""
    said = _SAID.search(readme)
    if said is None:
        return ["README.md does not say how large it is"]
    pairs = ((float(said[1]), len(found.files)), (float(said[2]), found.size / 1e6))
    if all(abs(written - real) <= _TOLERANCE * real for written, real in pairs):
        return []
    return ["README.md says %s; it is %d files and %.1f MB" % (said[0], len(found.files), found.size / 1e6)]


def dead_links(installed: Path) -> list[str]:
    """Links in the installed guides to files that are not installed; those have to lead to the repository."""
    dead = []
    for page in sorted(installed.rglob("*.md")):
        for found in _LINK.finditer(page.read_text(encoding="utf-8")):
            link = found[1] or found[2]
            if "://" not in link and not (page.parent / link).exists():
                dead.append("%s: %s" % (page.relative_to(installed).as_posix(), link))
    return dead
