# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one line of a containerd log into its fields.

containerd logs through logrus' text formatter: ``time="..." level=info msg="..." key=value``, values quoted as Go
does where they need it. Lines reach us in more ways than that:

* behind a journal prefix (``Nov 25 host k3s[812]: time=...``);
* glued to a CNI plugin's JSON that ended without a newline (k3s-io/k3s#12326);
* as a whole line inside another logger's ``msg`` (k0sproject/k0s#5478);
* as JSON: containerd with ``log_format = "json"``, ``journalctl -o json``, a container runtime's log file;
* as the kubelet's klog, which repeats containerd's error with further levels of escaping;
* cut off in the middle by a rotation or by a copy.
"""

from __future__ import annotations

import json
import re
from typing import Match

_START = re.compile(r'(?:time="?|ts="?)\d{4}-\d\d-\d\d')
# Each begins where a word begins, and no repetition that something must follow is without an end: a line is gone
# through once, whatever it holds.
_PAIR = re.compile(r'(?:(?<=[\s="])|\A)([^\s="]{1,200})=(?:"([^"\\]*(?:\\.[^"\\]*)*)"?|(\S*))', re.DOTALL)
_CONSOLE = re.compile(r"\b(?:DEBU|INFO|WARN|ERRO|FATA)\[[^\]]{0,64}\]\s{1,64}(.*)", re.DOTALL)
_CONSOLE_FIELD = re.compile(r"(?<!\s)(?:\s{2,200}(?=[\w.]{1,64}=)|\s{1,200}(?=(?:error|host)=))")
_KLOG = re.compile(r"\b[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{1,9} {1,16}\d{1,10} [\w.-]{1,200}:\d{1,9}\] (.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_WRAPPERS = ("MESSAGE", "log", "message")
_MAX_NESTING = 4


def unquote(text: str) -> str:
    """The text that Go's ``%q`` wrote as `text` (without its quotes); what is no escape of Go's stays as it is."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(match: Match[str]) -> str:
    escape = match.group(1)
    if len(escape) > 1:
        try:
            return chr(int(escape, 8) if escape[0] in "01234567" else int(escape[1:], 16))
        except ValueError:
            return match.group(0)
    return _SIMPLE_ESCAPES.get(escape, escape if escape in "\"'\\" else match.group(0))


def flatten(text: str) -> str:
    """`text` with its escaped quotes opened, however many times the kubelet escaped them over."""
    for _level in range(_MAX_NESTING):
        if '\\"' not in text:
            break
        text = unquote(text)
    return text


def parse_line(line: str, nesting: int = 0) -> dict[str, str] | None:
    """The fields of one log line, or None if it is no log line at all.

    Keys are as logged (``msg``, ``error``, ``host``, ``time`` ...). A klog line has only ``klog``: its text without
    the header, escaping opened. Never raises.
    """
    if nesting > _MAX_NESTING:
        return None
    start = _START.search(line)
    if start:
        fields = _pairs(line[start.start() :])
        message = fields.get("msg", "")
        if message.startswith(("time=", "{")):
            return parse_line(message, nesting + 1) or fields
        return fields
    if line.lstrip().startswith("{"):
        fields_or_none = _json(line, nesting)
        if fields_or_none:
            return fields_or_none
    klog = _KLOG.search(line)
    if klog:
        return {"klog": flatten(klog.group(1))}
    console = _CONSOLE.search(line)
    if console:
        return _console(console.group(1))
    return None


def _pairs(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for key, quoted, bare in _PAIR.findall(text):
        fields.setdefault(key, unquote(quoted) if quoted else bare)
    return fields


def _json(line: str, nesting: int) -> dict[str, str] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("msg"), str):
        return {str(key): item for key, item in value.items() if isinstance(item, str)}
    for wrapper in _WRAPPERS:
        if isinstance(value.get(wrapper), str):
            return parse_line(value[wrapper], nesting + 1)
    return None


def _console(text: str) -> dict[str, str]:
    """logrus' format for terminals: ``INFO[0003] the message    key=value``."""
    parts = _CONSOLE_FIELD.split(text, maxsplit=1)
    fields = _pairs(parts[1]) if len(parts) > 1 else {}
    fields["msg"] = parts[0].strip()
    return fields
