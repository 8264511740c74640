# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue: every finding that this collection can report about a registries configuration.

A rule is declared once, beside the check that fires it, with its code, its level, why it matters, the public
source of the fact it rests on, and what to do about it. docs/lint.md is generated from here.

Codes are stable: one that is no longer used is never given to another rule.

- `K3R1xx` shape: text, keys and types. What K3s' decoder refuses or drops silently.
- `K3R2xx` meaning: names, endpoints, credentials, TLS settings, rewrites, the default endpoint.
- `K3R3xx` certificates and keys (checked on the controller, where the files are).
- `K3R4xx` releases: what the given K3s or RKE2 release lacks or is known to get wrong.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, NamedTuple, TypeVar

ERROR = "error"
WARNING = "warning"

#: The groups of codes by their first digit, in the order in which the documentation lists them.
GROUPS = {
    "1": "Shape: text, keys and types",
    "2": "Meaning: names, endpoints, credentials, TLS, rewrites, fallback",
    "3": "Certificates and keys",
    "4": "Releases",
}


class Rule(NamedTuple):
    """One entry of the catalogue.

    `level` is `error` if K3s or containerd refuses, drops or misuses what was written, `warning` otherwise.
    `source` names the public file, issue or page that the rule rests on.
    """

    code: str
    level: str
    title: str
    why: str
    source: str
    fix: str

    def finding(self, path: str, message: str, fix: str = "") -> dict[str, str]:
        """One finding of this rule at `path`; `fix` is the advice for this very case, the rule's own without."""
        return {"code": self.code, "level": self.level, "path": path, "message": message, "fix": fix or self.fix}


#: All rules by code. Filled by `declare` when the modules with the checks are imported.
CATALOGUE: dict[str, Rule] = {}


def declare(code: str, level: str, title: str, why: str, source: str, fix: str) -> Rule:
    """Adds a rule to the catalogue and returns it. Raises ValueError for a code that is taken or not of our form."""
    if code in CATALOGUE:
        raise ValueError(f"{code} is declared twice")
    if not (len(code) == 6 and code.startswith("K3R") and code[3] in GROUPS and code[4:].isdigit()):
        raise ValueError(f"{code} is not a code of this catalogue")
    if level not in (ERROR, WARNING):
        raise ValueError(f"{code}: no such level: {level}")
    rule = Rule(code, level, title, why, source, fix)
    CATALOGUE[code] = rule
    return rule


Findings = Iterable[Dict[str, str]]
Check = Callable[[Any], Findings]
CheckT = TypeVar("CheckT", bound=Check)

#: The checks that `lint` runs, in the order of their declaration, each with the rules it can fire.
CHECKS: list[tuple[Check, tuple[Rule, ...]]] = []


def checks(*rules: Rule) -> Callable[[CheckT], CheckT]:
    """Registers a function as the check for these rules: it gets the subject and yields findings."""

    def register(function: CheckT) -> CheckT:
        CHECKS.append((function, rules))
        return function

    return register
