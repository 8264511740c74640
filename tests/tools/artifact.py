# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people install: built, installed apart from the checkout, documented, and accepted by Galaxy's importer.

``.cache/artifact/`` keeps the tarball and the importer's own virtual environment. Galaxy's importer and ansible-lint
look at the tarball with NIGHTLY=1 only; `make lint` has ansible-lint look at the checkout.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import tarball as limits
from collection_copy import copy

IMPORTER = "galaxy-importer>=0.4.30,<0.5"
# The importer would have ansible-lint look too, with the same profile, but gives it 180 s. A busy machine needs more.
SETTINGS = """\
[galaxy-importer]
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = False
RUN_ANSIBLE_TEST = False
CHECK_REQUIRED_TAGS = True
CHECK_CHANGELOG = True
"""
# Documented by the module of the same name, or for this collection's own plugins only.
UNDOCUMENTED = {"action", "doc_fragments", "module_utils", "plugin_utils"}
BIN = Path(sys.executable).parent


def say(text: str) -> None:
    print(text, flush=True)


def run(*command: object, **more: object) -> str:
    """What a command prints; ends with its words when it fails."""
    outcome = subprocess.run(  # type: ignore[call-overload]
        [str(word) for word in command], capture_output=True, text=True, check=False, **more
    )
    if outcome.returncode:
        sys.exit("%s\n%s%s" % (" ".join(map(str, command)), outcome.stdout, outcome.stderr))
    return str(outcome.stdout + outcome.stderr)


def build(cache: Path) -> Path:
    """The tarball of what git knows, as a release would be: of the size and with the content that the README names."""
    source = copy(Path.cwd(), cache)
    for old in cache.glob("*.tar.gz"):
        old.unlink()
    run(BIN / "ansible-galaxy", "collection", "build", "--output-path", cache, "--force", cwd=source)
    [tarball] = cache.glob("*.tar.gz")
    found = limits.content(tarball)
    wrong = limits.mistakes(found) + limits.said_wrong((source / "README.md").read_text(encoding="utf-8"), found)
    if wrong:
        sys.exit("%s:\n%s" % (tarball.name, "\n".join(wrong[:20])))
    allowed = (limits.MOST_FILES, limits.MOST_BYTES / 1e6)
    say("%s: %d files, %.1f MB (at most %d and %.1f)" % (tarball.name, len(found.files), found.size / 1e6, *allowed))
    say("in it: " + ", ".join(sorted(limits.PARTS)))
    return tarball


def in_tree(installed: Path) -> dict[str, set[str]]:
    """What there is to document, by ansible-doc's name of its kind: each file in plugins/, each folder in roles/."""
    found = {"role": {folder.name for folder in (installed / "roles").iterdir()}}
    for folder in (installed / "plugins").iterdir():
        if folder.name not in UNDOCUMENTED:
            names = {path.stem for path in folder.iterdir() if path.suffix in (".py", ".yml")} - {"__init__"}
            found[folder.name.removesuffix("s")] = names
    return found


def documented(collections: Path, cache: Path) -> None:
    """Every plugin, module and role of the installed collection has its documentation, and a page of the docs site."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    installed = collections / "ansible_collections" / "k3sfleet" / "registries"
    # Where `make docs-site` has it too, and `make docs-check` looks for it.
    site = cache.parent / "docs-site"
    pages = site / "html" / "collections" / "k3sfleet" / "registries"
    say(run(sys.executable, "-m", "tests.docs.site", collections, site).strip())
    for kind, names in sorted(in_tree(installed).items()):
        listed = json.loads(run(BIN / "ansible-doc", "-t", kind, "-l", "-j", "k3sfleet.registries", env=environment))
        full = {"k3sfleet.registries." + name for name in names}
        found = json.loads(run(BIN / "ansible-doc", "-t", kind, "-j", *sorted(full), env=environment))
        if not full == set(listed) == set(found):
            sys.exit(
                "%ss in the tree: %s\nansible-doc lists %s\nand shows %s" % (kind, *map(sorted, (full, listed, found)))
            )
        # What only the collection's own roles and playbooks use may change with any release, and has no page.
        public = {name.rsplit(".", 1)[1] for name, doc in found.items() if not is_internal(doc)}
        paged = {name for name in names if (pages / ("%s_%s.html" % (name, kind))).is_file()}
        if paged != public:
            sys.exit("the docs site has pages of the %ss %s, not of %s" % (kind, sorted(paged), sorted(public)))
        say("ansible-doc: %d %ss" % (len(names), kind))
    said = run(BIN / "antsibull-docs", "lint-collection-docs", "--plugin-docs", installed, env=environment)
    say("antsibull-docs: " + (said.strip() or "no finding"))


def is_internal(doc: dict[str, Any]) -> bool:
    """Whether the first documented line of a plugin says so. Roles, which have entry points instead, are public."""
    return str(doc.get("doc", {}).get("short_description")).startswith("Internal to the ")


def imported(tarball: Path, collections: Path, cache: Path) -> None:
    """Galaxy's importer takes it without an error."""
    venv = cache / "importer"
    done = venv / "installed"
    if not done.exists() or done.read_text(encoding="utf-8") != IMPORTER:
        shutil.rmtree(venv, ignore_errors=True)
        run(sys.executable, "-m", "venv", venv)
        run(venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", IMPORTER)
        done.write_text(IMPORTER, encoding="utf-8")
    settings = cache / "importer.ini"
    settings.write_text(SETTINGS, encoding="utf-8")
    environment = {
        **os.environ,
        "GALAXY_IMPORTER_CONFIG": str(settings),
        "PATH": "%s:%s" % (venv / "bin", os.environ["PATH"]),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
    }
    said = run(venv / "bin" / "python", "-m", "galaxy_importer.main", tarball, cwd=cache, env=environment)
    wrong = [line for line in said.splitlines() if re.search("ERROR|WARNING", line)]
    if wrong or "Importer processing completed successfully" not in said:
        sys.exit("galaxy-importer:\n" + "\n".join(wrong or said.splitlines()[-20:]))
    say("galaxy-importer: accepted")


def linted(collections: Path) -> None:
    """ansible-lint finds nothing in what is installed, by the profile for what is published."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    installed = collections / "ansible_collections" / "k3sfleet" / "registries"
    run(BIN / "ansible-lint", "--config-file", Path.cwd() / ".ansible-lint", cwd=installed, env=environment)
    say("ansible-lint: no finding in what is installed")


def main() -> None:
    cache = Path.cwd() / ".cache" / "artifact"
    cache.mkdir(parents=True, exist_ok=True)
    tarball = build(cache)
    collections = cache / "collections"
    shutil.rmtree(collections, ignore_errors=True)
    # The checkout's own link must not pass for an installed collection.
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    install = [BIN / "ansible-galaxy", "collection", "install", tarball, "--collections-path", collections, "--no-deps"]
    run(*install, env=environment)
    dead = limits.dead_links(collections / "ansible_collections" / "k3sfleet" / "registries")
    if dead:
        sys.exit("links to what is not installed; let them lead to the repository: " + ", ".join(dead))
    documented(collections, cache)
    if os.environ.get("NIGHTLY"):
        imported(tarball, collections, cache)
        linted(collections)


if __name__ == "__main__":
    main()
