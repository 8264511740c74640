# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/lint.md: the catalogue of lint's rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import certificates, ignoring, lint
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import text as text_rules
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE, GROUPS

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import Rule

#: Imported for the rules that they declare.
DECLARING = (lint, text_rules, certificates, ignoring)

_HEAD = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Generated from the catalogue of rules by `make docs`: change plugins/module_utils/_lint, not this page. -->

# What lint finds

Every rule that the collection knows about a private-registry configuration: {errors} errors and {warnings} warnings.

- An **error** is what K3s or containerd refuses, drops without a word, or uses for something else than what is
  written. Errors stop a run before any node is touched.
- A **warning** is what works, and is probably not what was meant.

Codes are stable: one that is no longer used is never given to another rule. No finding shows a secret.

The same rules are used by:

- the role `k3s_registries`, before it does anything, for a mapping and for the text of a registries.yaml;
- the filter `k3sfleet.registries.lint_registries`, for a text or a variable;
- the playbook `lint`, for people without an inventory:

  ```sh
  ansible-playbook k3sfleet.registries.lint -e k3s_registries_lint_file=registries.yaml
  ansible-playbook k3sfleet.registries.lint -e k3s_registries_lint_file=registries.yaml -e image=docker.io/library/nginx
  ```

  It prints the findings, each with its line, and, for an image, what containerd asks for, in order. Its exit status is
  not 0 if there is an error. `-e k3s_version=v1.34.3+k3s1` adds the rules about that release;
- the command `registries-lint` and the pre-commit hook of that name, which need no Ansible.

[Lint in CI](ci.md) has all settings: several files, JSON, SARIF and GitHub annotations, levels, and how to ignore a
finding.
"""


def text() -> str:
    """The page."""
    levels = [rule.level for rule in CATALOGUE.values()]
    parts = [_HEAD.format(errors=levels.count("error"), warnings=levels.count("warning"))]
    for digit, title in GROUPS.items():
        rules = [CATALOGUE[code] for code in sorted(CATALOGUE) if code[3] == digit]
        parts.append(f"\n## K3R{digit}xx: {title}\n\n| Code | Level | Finding |\n| --- | --- | --- |\n")
        parts += [f"| [{rule.code}](#{rule.code.lower()}) | {rule.level} | {_cell(rule.title)} |\n" for rule in rules]
        parts += [_section(rule) for rule in rules]
    return "".join(parts)


def _section(rule: Rule) -> str:
    return (
        f"\n### {rule.code}\n\n**{_prose(rule.title)}** ({rule.level})\n\n{_prose(rule.why)}\n\n"
        f"Fix: {_prose(rule.fix)}\n\nSource: {_source(rule.source)}\n"
    )


def _cell(words: str) -> str:
    return _prose(words).replace("|", "\\|")


def _prose(words: str) -> str:
    """Words that Markdown shows as they are: what stands outside of backticks has its special characters escaped."""
    parts = words.split("`")
    parts[::2] = [re.sub(r"([\\*_<>\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _source(words: str) -> str:
    parts = re.split(r"(https://[^\s;,)]+)", words)
    parts[::2] = [_prose(part) for part in parts[::2]]
    parts[1::2] = [f"<{address}>" for address in parts[1::2]]
    return "".join(parts)
