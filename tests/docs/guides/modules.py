# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules, from their documentation: the collection's own, and those of ansible-core."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import yaml

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable

_OWN, _CORE = "k3sfleet.registries.", "ansible.builtin."
_PLUGINS = "ansible_collections.k3sfleet.registries.plugins."
_CORES_FRAGMENTS = "ansible.plugins.doc_fragments."


class UnknownModule(LookupError):
    """There is no such module; the text says what it is called."""


@functools.lru_cache(maxsize=None)
def options(name: str) -> dict[str, Any]:
    """The options of a module by its full name, those of its documentation's fragments included.

    :raises UnknownModule: if neither the collection nor ansible-core has it.
    """
    if name.startswith(_OWN):
        folder, found = _PLUGINS + "modules.", name[len(_OWN) :]
    elif name.startswith(_CORE):
        folder, found = "ansible.modules.", name[len(_CORE) :]
    else:
        raise UnknownModule("%s is a module neither of the collection nor of ansible-core" % name)
    try:
        documentation = yaml.safe_load(importlib.import_module(folder + found).DOCUMENTATION)
    except ModuleNotFoundError as error:
        raise UnknownModule("there is no module %s" % name) from error
    fragments = documentation.get("extends_documentation_fragment") or []
    collected: dict[str, Any] = {}
    for fragment in [fragments] if isinstance(fragments, str) else fragments:
        own = fragment.startswith(_OWN)
        name = _PLUGINS + "doc_fragments." + fragment[len(_OWN) :] if own else _CORES_FRAGMENTS + fragment
        # Those of core in several parts are of attributes, without options.
        if "." not in name[len(_CORES_FRAGMENTS) :] or own:
            module = importlib.import_module(name)
            collected.update(yaml.safe_load(module.ModuleDocFragment.DOCUMENTATION).get("options") or {})
    return {**collected, **(documentation.get("options") or {})}
