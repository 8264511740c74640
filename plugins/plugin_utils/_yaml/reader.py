# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The characters of a registries.yaml, checked as gopkg.in/yaml.v2 checks them."""

from __future__ import annotations

import codecs
import re

from .errors import DecodeError

# Everything but tab, line breaks and printable characters; surrogates stand for bytes that are no UTF-8.
_NOT_ALLOWED = re.compile("[^\\t\\n\\r -~\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def read_characters(source: str | bytes) -> str:
    """The text without its byte order mark.

    :param source: the file's bytes (UTF-8, or UTF-16 with a byte order mark), or its text; in a text
        lone surrogates stand for bytes that are no UTF-8, as Python and Ansible read such files.
    :raises DecodeError: where K3s finds bytes that are no UTF-8, or control characters.
    """
    text = _decode(source) if isinstance(source, bytes) else source
    if text.startswith("\ufeff"):
        text = text[1:]
    refused = _NOT_ALLOWED.search(text)
    if refused is not None:
        line = text.count("\n", 0, refused.start()) + 1
        surrogate = "\ud800" <= refused.group() <= "\udfff"
        problem = "invalid UTF-8 octet sequence" if surrogate else "control characters are not allowed"
        raise DecodeError(f"line {line}: {problem}", line)
    return text


def _decode(data: bytes) -> str:
    encoding = _UTF_16.get(data[:2])
    try:
        return data.decode("utf-8") if encoding is None else data[2:].decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = "UTF-8 octet" if encoding is None else "UTF-16"
        raise DecodeError(f"line {line}: invalid {name} sequence", line) from None
