# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rule by rule, how often it fired in the corpus and on what; and where lint and the expert disagree."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE  # isort: skip

from tests.lint_corpus.corpus import QUESTIONABLE, RIGHT, WRONG, entries, verdict

if TYPE_CHECKING:
    from tests.lint_corpus.corpus import Entry


def main() -> int:
    fired: dict[str, list[str]] = {}
    verdicts: Counter[str] = Counter()
    disagreements: list[str] = []
    count = 0
    for entry in entries():
        count += 1
        found = entry.findings()
        verdicts[verdict({finding["level"] for finding in found})] += 1
        for code in sorted({finding["code"] for finding in found}):
            fired.setdefault(code, []).append(entry.name)
        disagreements += _disagreement(entry, {finding["code"] for finding in found})
    for code, rule in sorted(CATALOGUE.items()):
        names = fired.get(code, [])
        print(f"{code}  {rule.level:7}  {len(names):3}  {rule.title}")
        print("".join(f"          {name}\n" for name in names), end="")
    silent = sorted(set(CATALOGUE) - set(fired))
    print(f"\n{count} entries: {', '.join(f'{verdicts[name]} {name}' for name in (RIGHT, QUESTIONABLE, WRONG))}")
    print(f"{len(fired)} rules fired, {len(silent)} did not (certificates need files: K3R3xx)")
    print("".join(f"{line}\n" for line in disagreements), end="")
    print(f"{count - len(disagreements)} of {count} as the expert has it")
    return 1 if disagreements else 0


def _disagreement(entry: Entry, found: set[str]) -> list[str]:
    missed, false = sorted(set(entry.expected) - found), sorted(found - set(entry.expected))
    if not missed and not false:
        return []
    parts = [f"missed {' '.join(missed)}"] if missed else []
    parts += [f"not expected {' '.join(false)}"] if false else []
    return [f"{entry.name}: {'; '.join(parts)}"]


if __name__ == "__main__":
    sys.exit(main())
