# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration as the text of a registries.yaml that K3s reads back to the very same values.

Text is written plain only where no YAML parser of any version could take it for something else; all
other text is in double quotes, on one line, with everything unprintable escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import AUTH_KEYS, TLS_FILE_KEYS

from .errors import EncodeError

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import (
        Auth,
        Config,
        HostSettings,
        Mirror,
        Tls,
    )

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*")
_WORDS = re.compile(r"true|false|yes|no|on|off|null|y|n|nan|inf", re.IGNORECASE)
_SHORT_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONGEST_SIMPLE_KEY = 1000
"""A key must end within 1024 characters; a longer one is written with a question mark."""


def encode(config: Config) -> str:
    """The text of a registries.yaml that K3s decodes to ``config``, in the order given.

    Keys whose value is empty are left out, as they decode to the same.

    :param config: a normalised configuration.
    :returns: text that ends in a line feed; ``{}`` where nothing is configured.
    :raises EncodeError: if a value holds lone surrogates, which YAML cannot carry; it names the path.
    """
    lines: list[str] = []
    if config["mirrors"]:
        lines.append("mirrors:")
        for name, mirror in config["mirrors"].items():
            lines += _mapping(_key(name, "mirrors"), _mirror(mirror, f"mirrors.{name}"))
    if config["configs"]:
        lines.append("configs:")
        for name, settings in config["configs"].items():
            lines += _mapping(_key(name, "configs"), _host_settings(settings, f"configs.{name}"))
    return "\n".join(lines or ["{}"]) + "\n"


def _mirror(mirror: Mirror, path: str) -> list[str]:
    lines: list[str] = []
    if mirror["endpoint"]:
        lines.append("endpoint:")
        lines += [
            f"  - {_scalar(endpoint, f'{path}.endpoint[{index}]')}" for index, endpoint in enumerate(mirror["endpoint"])
        ]
    if mirror["rewrite"]:
        lines.append("rewrite:")
        for pattern, replacement in mirror["rewrite"].items():
            key = _key(pattern, f"{path}.rewrite")
            lines += _indented([*key[:-1], f"{key[-1]} {_scalar(replacement, f'{path}.rewrite.{pattern}')}"])
    return lines


def _host_settings(settings: HostSettings, path: str) -> list[str]:
    lines: list[str] = []
    if settings["auth"] is not None:
        lines += _block("auth", _auth(settings["auth"], f"{path}.auth"))
    if settings["tls"] is not None:
        lines += _block("tls", _tls(settings["tls"], f"{path}.tls"))
    return lines


def _auth(auth: Auth, path: str) -> list[str]:
    values = {key: auth[key] for key in AUTH_KEYS}  # type: ignore[literal-required]
    return [f"{key}: {_scalar(value, f'{path}.{key}')}" for key, value in values.items() if value]


def _tls(tls: Tls, path: str) -> list[str]:
    values = {key: tls[key] for key in TLS_FILE_KEYS}  # type: ignore[literal-required]
    lines = [f"{key}: {_scalar(value, f'{path}.{key}')}" for key, value in values.items() if value]
    return lines + ["insecure_skip_verify: true"] if tls["insecure_skip_verify"] else lines


def _block(key: str, lines: list[str]) -> list[str]:
    return [f"{key}:", *_indented(lines)] if lines else [f"{key}: {{}}"]


def _mapping(key: list[str], lines: list[str]) -> list[str]:
    if lines:
        return _indented([*key, *_indented(lines)])
    return _indented([*key[:-1], f"{key[-1]} {{}}"])


def _indented(lines: list[str]) -> list[str]:
    return ["  " + line for line in lines]


def _key(text: str, path: str) -> list[str]:
    """The lines of a key, up to and with its colon."""
    written = _scalar(text, path)
    return [f"{written}:"] if len(written) <= _LONGEST_SIMPLE_KEY else [f"? {written}", ":"]


def _scalar(text: str, path: str) -> str:
    if _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text):
        return text
    return '"' + "".join(_escaped(char, path) for char in text) + '"'


def _escaped(char: str, path: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        raise EncodeError(f"{path} holds bytes that are no UTF-8 text, which YAML cannot carry")
    if char.isprintable():
        return char
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
