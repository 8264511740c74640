# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM text to blocks, read as Go's encoding/pem reads it, with what Go would skip reported instead of skipped."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple, Optional, Union

# The label is kept this narrow because messages quote it: a key whose line breaks were lost is no label.
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 .]{1,40})-----\Z")
_BEGIN_ANYWHERE = re.compile(rb"-----BEGIN [A-Z0-9 .]{1,40}-----")
_END = b"-----END "
#: What a caller has of a source: text, bytes of a file, or nothing.
Text = Optional[Union[str, bytes]]
UTF8_MARK = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """One whole PEM block: its label (`CERTIFICATE`), where it begins, its headers and its decoded content."""

    label: str
    number: int
    line: int
    headers: tuple[str, ...]
    content: bytes

    @property
    def is_certificate(self) -> bool:
        return self.label == "CERTIFICATE"

    @property
    def is_key(self) -> bool:
        return self.label.endswith("PRIVATE KEY")


class Damage(NamedTuple):
    """A block that Go would skip: which one, what is wrong with it and what to do."""

    number: int
    line: int
    problem: str
    fix: str


class Pem(NamedTuple):
    blocks: list[Block]
    damaged: list[Damage]

    @property
    def certificates(self) -> list[Block]:
        return [block for block in self.blocks if block.is_certificate]

    @property
    def keys(self) -> list[Block]:
        return [block for block in self.blocks if block.is_key]


def as_bytes(text: str | bytes) -> bytes:
    """The text as the node would get it. Bytes that were no UTF-8 survive Ansible's surrogate escapes."""
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def read(data: bytes) -> Pem:
    """All blocks of a PEM text, whole and damaged. Text around the blocks does not count, as in Go."""
    blocks: list[Block] = []
    damaged: list[Damage] = []
    lines = data.split(b"\n")
    number = 0
    index = 0
    while index < len(lines):
        line = lines[index].rstrip(b" \t\r")
        begin = _BEGIN.match(line)
        if begin is None:
            if _BEGIN_ANYWHERE.search(line):
                number += 1
                damaged.append(_unseen(number, index + 1, line))
            index += 1
            continue
        number += 1
        label = begin.group(1).decode("ascii", "replace")
        end = index + 1
        while end < len(lines) and not lines[end].startswith(_END) and not _BEGIN_ANYWHERE.search(lines[end]):
            end += 1
        block = _block(label, number, index + 1, lines[index + 1 : end], lines[end] if end < len(lines) else b"")
        if isinstance(block, Block):
            blocks.append(block)
        else:
            damaged.append(block)
        # A BEGIN line in the place of END starts another block.
        index = end if end < len(lines) and not lines[end].startswith(_END) else end + 1
    return Pem(blocks, damaged)


def _block(label: str, number: int, line: int, body: list[bytes], last: bytes) -> Block | Damage:
    again = "Copy the whole block again, from its BEGIN line to its END line."
    if not last.startswith(_END):
        return Damage(number, line, f"has no line -----END {label}-----", again)
    if last.rstrip(b" \t\r") != _END + label.encode("ascii", "replace") + b"-----":
        return Damage(number, line, f"begins with -----BEGIN {label}----- and ends with another line", again)
    headers = []
    while body and b":" in body[0]:
        headers.append(body.pop(0).decode("utf-8", "replace").strip())
    try:
        content = base64.b64decode(b"".join(b"".join(body).split()), validate=True)
    except (binascii.Error, ValueError):
        return Damage(number, line, f"({label}) is no valid base64: characters were lost or added", again)
    return Block(label, number, line, tuple(headers), content)


def _unseen(number: int, line_number: int, line: bytes) -> Damage:
    """A BEGIN that Go does not see because it is not at the start of a separate line."""
    problem, fix = "has text before BEGIN on the same line", "Put -----BEGIN at the start of a line."
    if line.startswith(UTF8_MARK):
        problem = "is preceded by a byte order mark, so its BEGIN line is not recognised"
        fix = "Save the file as UTF-8 without byte order mark (`sed -i '1s/^\\xEF\\xBB\\xBF//' FILE`)."
    elif b"-----END " in line and b"\\n" in line:
        problem = "has its line breaks written as \\n"
        fix = "Write it as a block (`|`) in YAML, or in double quotes, so that \\n becomes a line break."
    elif b"-----END " in line:
        problem = "stands on a single line: its line breaks were lost"
        fix = "Keep the line breaks: a block (`|`, not `>`) in YAML, no unquoted shell variable."
    elif not line.split(b"-----BEGIN")[0].strip():
        problem = "is indented, so its BEGIN line is not recognised"
        fix = "Remove the spaces before the BEGIN line (a block `|` in YAML, or `indent` in a template, gone wrong)."
    return Damage(number, line_number, problem, fix)
