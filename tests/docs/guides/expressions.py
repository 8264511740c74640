# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions in the YAML of a guide: Jinja that parses, with filters, tests and lookups that are there."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any, Iterator

import ansible
import jinja2
from jinja2 import nodes
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

from tests.docs.guides.pages import CHECKOUT

_OWN, _CORE = "k3sfleet.registries.", "ansible.builtin."
#: Keys whose values are expressions without braces.
_BARE = ("when", "that", "until", "changed_when", "failed_when")
_LOOKUPS = ("lookup", "query", "q")


def mistakes(content: Any) -> list[str]:
    """What is wrong with the expressions anywhere in a block."""
    found = []
    for text in _expressions(content):
        try:
            tree = _parsed(text)
        except jinja2.TemplateSyntaxError as error:
            found.append("%s: %s" % (text, error))
        else:
            found += ["%s: %s" % (text, unknown) for unknown in _unknown(tree)]
    return found


def names(content: Any) -> set[str]:
    """The variables that the expressions in a block use; one that does not parse uses none."""
    found = set()
    for text in _expressions(content):
        with contextlib.suppress(jinja2.TemplateSyntaxError):
            found |= {node.name for node in _parsed(text).find_all(nodes.Name)}
    return found


def _parsed(text: str) -> nodes.Template:
    return jinja2.Environment().parse(text)  # noqa: S701  # nothing is rendered


def _expressions(content: Any, bare: bool = False) -> Iterator[str]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _expressions(name)
            yield from _expressions(value, name in _BARE)
    elif isinstance(content, list):
        for value in content:
            yield from _expressions(value, bare)
    elif isinstance(content, str) and bare and "{{" not in content:
        yield "{{ %s }}" % content
    elif isinstance(content, str) and "{{" in content:
        yield content


def _unknown(tree: nodes.Template) -> Iterator[str]:
    for kind, node in (("filter", nodes.Filter), ("test", nodes.Test)):
        for found in tree.find_all(node):
            if not _is_there(kind, found.name):
                yield "there is no %s %s" % (kind, found.name)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in _LOOKUPS and isinstance(call.args[0], nodes.Const):
            if not _is_there("lookup", call.args[0].value):
                yield "there is no lookup %s" % call.args[0].value


def _is_there(kind: str, name: str) -> bool:
    """Whether a plugin is known; those of other collections count as known."""
    if name.startswith(_OWN):
        return (CHECKOUT / "plugins" / kind / (name[len(_OWN) :] + ".py")).is_file()
    short = name[len(_CORE) :] if name.startswith(_CORE) else name
    return "." in short or short in _of_ansible(kind)


@functools.lru_cache(maxsize=None)
def _of_ansible(kind: str) -> set[str]:
    """Those of ansible-core, each of which has a file of that name, and those of Jinja."""
    folder = Path(ansible.__file__).parent / "plugins" / kind
    jinja: dict[str, Any] = {"filter": FILTERS, "test": TESTS}.get(kind, {})
    return {path.stem for path in folder.iterdir()} | set(jinja)
