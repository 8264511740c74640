# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences in words and as diffs, without secrets."""

from __future__ import annotations

import difflib
import os
from typing import Any, Iterable

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import MASK, redact, visible

from .fingerprint import settings_of
from .prediction import CERTS_D, CONFIG_TOML, DIFFERS, MISSING, Difference

_CREDENTIALS = {
    MISSING: 'config.toml has no credentials for "%s"',
    DIFFERS: 'config.toml has other credentials for "%s"',
}
# No more than anybody reads: comparing two long texts takes time in proportion to the product of their lengths.
_LONGEST_DIFF = 1 << 16
_MOST_LINES = 1000


def sentences(differences: Iterable[Difference]) -> list[str]:
    """One sentence each, which names the registry and what is there instead."""
    # A registry's name may be "admin:password@host", which K3s makes a folder of.
    return [visible(redact(_sentence(item))) for item in differences]


def _sentence(item: Difference) -> str:
    if item.file == CONFIG_TOML:
        return _CREDENTIALS.get(item.kind, 'config.toml has credentials of an earlier configuration for "%s"') % (
            item.registry
        )
    if item.file == CERTS_D:
        return "the embedded registry is off and comes on, where the node's server has it"
    if item.kind == MISSING:
        return "%s is not there" % item.file
    if item.kind != DIFFERS:
        return "%s belongs to an earlier configuration" % item.file
    found, wanted = settings_of(item.found), settings_of(item.wanted)
    shorter = min(len(found), len(wanted))
    common = next((at for at in range(shorter) if found[at] != wanted[at]), shorter)
    return "%s has %s instead of %s" % (item.file, _line(found, common), _line(wanted, common))


def _line(lines: list[str], at: int) -> str:
    return visible(redact(lines[at].strip())) if at < len(lines) else "nothing"


def listed(
    differences: Iterable[Difference],
    certs_d: str,
    config_toml: str,
    names: tuple[str, str] = ("generated", "predicted"),
) -> list[dict[str, Any]]:
    """``{file, kind, diff}`` for each, from what was generated to what was predicted, by these names."""
    return [
        {
            "file": redact(
                {CONFIG_TOML: config_toml, CERTS_D: certs_d}.get(
                    item.file, os.path.join(certs_d, item.registry, "hosts.toml")
                )
            ),
            "kind": item.kind,
            "diff": "".join(line + "\n" for line in _diff(item, *names, 3)),
        }
        for item in differences
    ]


def diff_lines(differences: Iterable[Difference]) -> list[str]:
    """The lines of a unified diff of all hosts.toml files, from what there is to what is wanted."""
    lines: list[str] = []
    for item in differences:
        if item.file not in (CONFIG_TOML, CERTS_D):
            lines += _diff(item, item.file + " (now)", item.file + " (wanted)", 2)
    return lines


def _diff(item: Difference, found_name: str, wanted_name: str, context: int) -> list[str]:
    if item.file == CERTS_D:
        return ["--- " + found_name, "+++ " + wanted_name, "-embedded registry: off", "+embedded registry: on"]
    if item.file == CONFIG_TOML:
        # Even two hidden values that differ are shown alike.
        lines = ["--- " + found_name, "+++ " + wanted_name]
        lines += ['-credentials for "%s": %s' % (item.registry, _hidden(item.found))] if item.kind != MISSING else []
        lines += (
            ['+credentials for "%s": %s' % (item.registry, _hidden(item.wanted))]
            if item.kind in (MISSING, DIFFERS)
            else []
        )
        return [visible(redact(line)) for line in lines]
    found, wanted = _lines(item.found), _lines(item.wanted)
    names = redact(found_name), redact(wanted_name)
    return [visible(line) for line in difflib.unified_diff(found, wanted, *names, lineterm="", n=context)]


def _lines(text: str) -> list[str]:
    return redact(text[:_LONGEST_DIFF]).splitlines()[:_MOST_LINES]


def _hidden(keys: str) -> str:
    return ", ".join("%s=%s" % (key, MASK) for key in keys.split(", ") if key) or "empty"
