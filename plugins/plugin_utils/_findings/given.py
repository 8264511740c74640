# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``k3s_registries`` as somebody has given it: a mapping, or the text of a registries.yaml."""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import ERROR
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import UNKNOWN, NodeFacts

from .document import Document
from .excerpt import with_excerpts
from .text import lint_document

# What a template makes of a mapping with a date in it, before ansible-core 2.19.
_A_DATE = re.compile(r"\A\s*\{.*\bdatetime\.date(?:time)?\(\d", re.DOTALL)
_FORMS = "give the content of registries.yaml, as a mapping with the keys mirrors and configs, or as its text"


class GivenProblem(ValueError):
    """It is neither a mapping nor text; the message says what it is."""


class Given(NamedTuple):
    """`config` is a mapping, None if nothing is given; `findings` are lint's, with places if it was text.

    Without an error among the findings, nothing that the text says is missing in `config`.
    """

    config: Mapping[str, Any] | None
    findings: list[dict[str, Any]]

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [finding for finding in self.findings if finding["level"] == ERROR]


def read(value: Any, nodes: NodeFacts = UNKNOWN) -> Given:
    """Reads the variable, and lints it.

    :param value: plain Python values, such as `_action.plain` gives.
    :raises GivenProblem: if it is neither a mapping nor text, nor null.
    """
    if value is None:
        return Given(None, [])
    if isinstance(value, Mapping):
        return Given(value, lint(value, nodes, shipping_keys=True) if value else [])
    if not isinstance(value, (str, bytes)):
        raise GivenProblem(f"k3s_registries is a {type(value).__name__}: {_FORMS}")
    if _A_DATE.search(value if isinstance(value, str) else ""):
        raise GivenProblem(
            "k3s_registries has a day without quotes, and this release of Ansible makes one text of it all. Write the "
            'day in quotes, such as expires: "2027-01-31"'
        )
    document = Document(value)
    findings, config = lint_document(document, nodes)
    return Given(config, with_excerpts(findings, document, config))
