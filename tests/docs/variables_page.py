# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/variables.md: every variable of every role, from their argument_specs."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROLES = Path(__file__).resolve().parents[2] / "roles"

_HEAD = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Generated from the roles' meta/argument_specs.yml by `make docs`: change those, not this page. -->

# Variables

Ansible checks names and types of these variables before a role does anything. What a variable without a default stands
for is left alone when it is not set. `ansible-doc -t role k3sfleet.registries.<role>` shows the same in a terminal, and
with `-e verify` or another entry point only what that one takes.
"""


#: The variables of the role k3s_registries by what they are for: the title, and names without ``k3s_registries_`` or,
#: if they end with ``*``, how names begin. The first that fits counts.
GROUPS = {
    "What the nodes are to have": ("", "state", "apply", "disable_default_endpoint", "embedded_registry",
                                   "system_default_registry", "credential_*", "adopt", "keep_generations"),
    "Which hosts": ("server_group", "agent_group", "rancher_managed"),
    "Order and pace of the restarts": ("agent_batch", "batch_pause", "stop_after", "canary", "cordon"),
    "Proof, and what happens without": ("canary_images", "canary_timeout", "restart_timeout", "quorum_timeout",
                                        "max_failures", "on_failure", "force"),
    "The rehearsal": ("rehearse*",),
    "Before an upgrade": ("target_*",),
    "Verify": ("verify*", "probe_timeout", "metrics_dir"),
    "Diagnose": ("diagnose_*",),
    "The report": ("report_*",),
    "Where things are on the nodes": ("distribution", "service", "config_dir", "data_dir", "cert_dir", "file"),
}  # fmt: skip


def group_of(variable: str) -> str:
    """The title of the group that a variable of k3s_registries belongs to.

    :raises LookupError: if it belongs to none: a new variable needs a place in :data:`GROUPS`.
    """
    name = variable[len("k3s_registries") :].lstrip("_")
    for title, patterns in GROUPS.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return title
    raise LookupError("%s is in no group of tests/docs/variables_page.py" % variable)


def text() -> str:
    """The page."""
    parts = [_HEAD]
    for folder in sorted(ROLES.iterdir()):
        specs = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
        parts.append(f"\n## Role {folder.name}\n")
        parts += _role(specs, folder.name == "k3s_registries")
    return "".join(parts)


def _role(specs: Mapping[str, Any], grouped: bool) -> Iterable[str]:
    """Each entry point with the variables that no entry point before it has explained in the same words."""
    seen: dict[str, Any] = {}
    for name, spec in specs.items():
        options = spec.get("options") or {}
        new = {option: given for option, given in options.items() if seen.get(option) != given}
        seen.update(new)
        yield f"\n### {name}: {_prose(spec['short_description'])}\n"
        for sentence in _sentences(spec.get("description", [])):
            yield f"\n{sentence}\n"
        known = [option for option in options if option not in new]
        if known:
            yield f"\nIts own: {', '.join(f'`{option}`' for option in known)}.\n"
        if grouped and new:
            for title in GROUPS:
                yield f"\n#### {title}\n"
                yield from _list("#####", {option: given for option, given in new.items() if group_of(option) == title})
        elif new:
            yield from _list("####", new)


def _list(level: str, options: Mapping[str, Any]) -> Iterable[str]:
    """Each variable with a heading that can be linked to. As a table it would be wider than a phone."""
    for option, given in options.items():
        yield f"\n{level} {option}\n\n{_type(given)}, {_default(given)}\n"
        for sentence in _sentences(given.get("description", [])):
            yield f"\n{sentence}\n"


def _type(given: Mapping[str, Any]) -> str:
    kind = str(given.get("type", "str"))
    if given.get("elements"):
        kind = f"{kind} of {given['elements']}"
    if given.get("choices"):
        kind += ": " + ", ".join(f"`{choice}`" for choice in given["choices"])
    return kind


def _default(given: Mapping[str, Any]) -> str:
    if given.get("required"):
        return "required"
    if "default" not in given:
        return "no default"
    return f"default `{json.dumps(given['default'])}`"


def _sentences(description: str | list[str]) -> list[str]:
    return [_prose(line) for line in ([description] if isinstance(description, str) else description)]


def _prose(words: str) -> str:
    """Ansible's markup as Markdown's; what stands outside of it has its special characters escaped."""
    words = re.sub(r"\bL\(([^,()]*),\s*([^()]*)\)", r"[\1](\2)", words)
    words = re.sub(r"\bU\(([^()]*)\)", r"<\1>", words)
    words = re.sub(r"\bP\(([^()#]*)(?:#\w+)?\)", r"`\1`", words)
    words = re.sub(r"\b(?:C|V|O|RV|E|M|I)\(([^()]*)\)", r"`\1`", words)
    parts = words.split("`")
    parts[::2] = [re.sub(r"([\\*_])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
