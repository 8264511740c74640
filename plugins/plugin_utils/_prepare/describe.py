# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for people: a configuration without its secrets, findings, the lines of a diff."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, TypeVar

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    MASK,
    redact,
    without_credentials,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import TLS_FILE_KEYS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

_Value = TypeVar("_Value")
_SECRET_KEYS = ("password", "auth", "identity_token")
_ACTIONS = {
    "create": "created",
    "update": "changed in a part that is hidden here",
    "mode": "owner or mode corrected",
    "remove": "removed",
}


def without_secrets(normal: Config) -> Config:
    """A normalised configuration with every secret hidden: passwords, tokens, credentials in URLs and in names."""
    hidden = copy.deepcopy(normal)
    for mirror in hidden["mirrors"].values():
        if mirror:
            mirror["endpoint"] = [_shown(endpoint) for endpoint in mirror["endpoint"]]
            mirror["rewrite"] = _renamed({name: redact(text) for name, text in mirror["rewrite"].items()}, redact)
    for entry in hidden["configs"].values():
        auth: Any = (entry or {}).get("auth")
        for key in _SECRET_KEYS if auth else ():
            auth[key] = MASK if auth.get(key) else auth.get(key)
        tls: Any = (entry or {}).get("tls")
        for key in TLS_FILE_KEYS if tls else ():
            tls[key] = redact(tls.get(key) or "")
    hidden["mirrors"] = _renamed(hidden["mirrors"], _shown)
    hidden["configs"] = _renamed(hidden["configs"], _shown)
    return hidden


def _shown(text: str) -> str:
    return redact(without_credentials(text))


def _renamed(section: Mapping[str, _Value], shown: Callable[[str], str]) -> dict[str, _Value]:
    """With its names shown; two that differ in their secrets only stay two."""
    renamed: dict[str, _Value] = {}
    numbers: dict[str, int] = {}
    for name, value in section.items():
        word = shown(name)
        numbers[word] = numbers.get(word, 0) + 1
        renamed[word if numbers[word] == 1 else "%s (%d)" % (word, numbers[word])] = value
    return renamed


def description(normal: Config, certificates: Iterable[Mapping[str, Any]], expires: Mapping[str, str]) -> str:
    """What diffs show of a wanted state: registries.yaml without secrets, the certificates' facts, and on which days
    credentials end, by registry."""
    lines = [encode(without_secrets(normal)).rstrip("\n")]
    for fact in certificates:
        text = "# {registry} {source} {position}: {subject}, issued by {issuer}, sha256 {sha256}, until {not_after}"
        lines.append(text.format(**fact))
    lines += ["# %s credentials: end on %s" % (_shown(registry), day) for registry, day in expires.items()]
    return "\n".join(lines) + "\n"


def finding_lines(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Findings as lines: code, level, place, path, what is wrong; the line, if it is one of a text; what to do."""
    lines = []
    for finding in findings:
        place = "line %(line)d, column %(column)d: " % finding if "line" in finding else ""
        said = ": ".join(part for part in (finding["path"], finding["message"]) if part)
        lines.append("%s %s %s%s" % (finding["code"], finding["level"], place, said))
        lines += ["    | %s" % line for line in finding.get("excerpt", ())]
        if finding.get("fix"):
            lines.append("    fix: %s" % finding["fix"])
    return lines


def error_text(errors: list[dict[str, Any]], warnings: list[dict[str, Any]]) -> str:
    """The message of a run that stops because of what the user wrote."""
    count = counted(len(errors), "error") + (" and " + counted(len(warnings), "warning") if warnings else "")
    return "\n".join(["k3s_registries has %s; nothing has been touched." % count, *finding_lines([*errors, *warnings])])


def diff(before: str, after: str, files: Iterable[Mapping[str, str]], node_file: str) -> dict[str, str]:
    """An Ansible diff between two descriptions. Changes that they do not show are named: secret ones, and, if nothing
    is left, removed files, since no description lists kept states."""
    if before == after or not after:
        after = after + "".join("# %s: %s\n" % (_ACTIONS[item["action"]], item["path"]) for item in files)
    return {
        "before": before,
        "after": after,
        "before_header": node_file + " (secrets hidden)",
        "after_header": node_file + " (secrets hidden)",
    }
