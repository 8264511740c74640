# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that were never filled in: `<REGISTRY>`, `$GH_TOKEN`, `${VAR}`, `{{ var }}`, `%%VAR%%`, `CHANGEME`, `xxxxxx`.

A name (a host, a URL, a path) never holds such characters, so a placeholder may stand anywhere in it. A credential may
hold any character, so only one that is nothing but a placeholder is taken for one: `robot$k3s` is the name of a robot.
"""

from __future__ import annotations

import re

_IN_NAMES = re.compile(
    r"<[^<>]*[A-Za-z][^<>]*>"
    r"|\$[A-Za-z_{(]"
    r"|%%[A-Za-z_]+%%"
    r"|\b__[A-Z][A-Z0-9_]*__\b"
    r"|@[A-Z][A-Z_]+@"
    r"|(?<![A-Za-z0-9])[xX]{4,}(?![A-Za-z0-9])"
    r"|(?:^|//)[xX]{3}[.]"
    r"|(?:^|/)path/to(?:/|\Z)"
    r"|\bYOUR[-_]"
    r"|(?i:\bchange[-_]?me\b)"
)
_CREDENTIAL = re.compile(
    r"<[^<>]+>"
    r"|\\?\$\{[^}]*\}|\$\([^)]*\)|\\?\$[A-Z_][A-Z0-9_]{2,}|\$(?i:[a-z0-9_]*(?:user|pass|token|secret|login|cred)[a-z0-9_]*)"
    r"|\{[{%].*[}%]\}"
    r"|%%[^%]+%%|%[A-Z_]{3,}%|__[A-Z][A-Z0-9_]*__|@[A-Z][A-Z_]+@"
    r"|[xX]{3,}|\*{3,}|\.{3,}|\u2026"
    r"|(?:[A-Z0-9]+_)*(?:USER(?:NAME)?|PASS(?:WORD|WD)?|TOKEN|SECRET|LOGIN)"
    r"|(?i:change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this)|\[?redacted\]?|placeholder|to-?do|fix-?me|tbd"
    r"|(?:insert|place|put|enter)[-_ ].*[-_ ]here"
    r"|your[-_ ]?(?:docker[-_ ]?|registry[-_ ]?|github[-_ ]?|gitlab[-_ ]?)?"
    r"(?:user|name|pass|token|secret|login|account|api|key|pat)[-_ a-z]*)",
    re.DOTALL,
)
_IN_REWRITES = re.compile(r"%%[A-Za-z_]+%%|\b__[A-Z][A-Z0-9_]*__\b|(?<!\?P)(?<!\?)<[A-Z][A-Z _-]*>")
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]{2,})\}")


# One of these stands in every placeholder of a name: looking for them first takes no time.
_SIGNS = ("<", "$", "%%", "__", "@", "xx", "XX", "path/to", "YOUR", "hange", "HANGE")


def in_name(text: str) -> bool:
    """Whether a host, a URL or the path of a file holds a placeholder."""
    if any(sign in text for sign in _SIGNS) and _IN_NAMES.search(text) is not None:
        return True
    return "{" in text and is_unrendered(text)


def is_credential(text: str) -> bool:
    """Whether a credential is nothing but a placeholder."""
    return _CREDENTIAL.fullmatch(text.strip()) is not None


def in_rewrite(pattern: str, replacement: str) -> bool:
    """Whether a rewrite holds a placeholder. `$1` and `${name}` of a group that the pattern has are none."""
    if any(is_unrendered(text) or _IN_REWRITES.search(text) for text in (pattern, replacement)):
        return True
    return any(f"<{name}>" not in pattern for name in _VARIABLE.findall(replacement))


def is_unrendered(text: str) -> bool:
    """Whether there is a template expression in it, whole."""
    return any(0 <= text.find(start) < text.rfind(end) - 1 for start, end in (("{{", "}}"), ("{%", "%}")))
