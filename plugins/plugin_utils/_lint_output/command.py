# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``registries-lint``: lint without Ansible, for pre-commit and CI of a repository that holds only registries.yaml.

pyproject.toml installs the rooms that lint needs under their full names, below ``ansible_collections``, where the
collection's own imports find them: there is one source for the collection and for the command.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import EMBEDDED_MIRROR, NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.visible import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings import files, outcome
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.attempts import attempts_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.ignores import IgnoreProblem

from .formats import FORMATS, PRINTED, rendered

#: Exit statuses: findings that fail; nothing could be looked at.
FOUND, WRONG_CALL = 1, 2
_STDIN = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = _parser().parse_args(arguments)
    nodes = NodeFacts(
        k3s_version=given.k3s_version,
        default_endpoint=not given.disable_default_endpoint,
        embedded_mirror=EMBEDDED_MIRROR if given.embedded_registry else "",
        images=given.image,
    )
    try:
        settings = outcome.Settings(nodes, dict(map(_level, given.level)), list(map(_ignore, given.ignore)))
        sources = _sources(given.files, given.stdin_name)
        found = outcome.examine(sources, settings)
    except (files.FilesProblem, outcome.LevelsProblem, IgnoreProblem) as problem:
        print(f"registries-lint: {visible(str(problem))}", file=sys.stderr)
        return WRONG_CALL
    text = rendered(found, given.output)
    if given.output in PRINTED:
        text += "".join(line + "\n" for line in attempts_of(given.image, sources, nodes))
    if given.report:
        Path(given.report).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return FOUND if found.fails(given.fail_on) else 0


def _sources(names: Sequence[str], stdin_name: str) -> list[outcome.Source]:
    sources = []
    for name in names:
        if name == _STDIN:
            sources.append(outcome.Source(stdin_name, sys.stdin.buffer.read()))
        else:
            sources += [outcome.Source(os.path.normpath(path), files.read(path)) for path in files.find([name])]
    return list({source.name: source for source in sources}.values())


def _level(text: str) -> tuple[str, str]:
    code, _equals, level = text.partition("=")
    return code.strip().upper(), level.strip()


def _ignore(text: str) -> dict[str, Any]:
    """`K3R215=reason`, or `K3R215@file=reason` for the findings in one file."""
    where, _equals, reason = text.partition("=")
    code, _at, file = where.partition("@")
    return {"rule": code.strip(), "file": file.strip(), "reason": reason}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="registries-lint",
        description="Find what K3s and RKE2 would refuse, drop or misuse in a registries.yaml.",
        epilog=f"Exit status: 0 for no finding that fails, {FOUND} for one that does, {WRONG_CALL} if there was "
        "nothing that could be looked at.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a file, a folder, a pattern such as 'prod/**/registries.yaml', or -",
    )
    parser.add_argument("--output", choices=FORMATS, default="text", help="default: %(default)s")
    parser.add_argument("--report", metavar="PATH", help="write to this file instead of standard output")
    parser.add_argument("--fail-on", choices=outcome.FAIL_ON, default=outcome.ERRORS, help="default: %(default)s")
    parser.add_argument("--level", action="append", default=[], metavar="CODE=LEVEL", help="error or warning")
    parser.add_argument("--ignore", action="append", default=[], metavar="CODE[@FILE]=REASON", help="may be repeated")
    parser.add_argument("--k3s-version", default="", metavar="RELEASE", help="the nodes' release: v1.34.3+k3s1")
    parser.add_argument(
        "--disable-default-endpoint", action="store_true", help="the nodes set disable-default-registry-endpoint"
    )
    parser.add_argument("--embedded-registry", action="store_true", help="the cluster sets embedded-registry")
    parser.add_argument(
        "--image", action="append", default=[], metavar="NAME", help="show what is asked for it; may be repeated"
    )
    parser.add_argument("--stdin-name", default="registries.yaml", metavar="NAME", help="what findings call -")
    return parser


if __name__ == "__main__":
    sys.exit(main())
