# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""YAML tokens and events as gopkg.in/yaml.v2 2.4.0 finds them.

PyYAML and yaml.v2 descend from the same scanner, and differ where users trip: yaml.v2 takes tabs
between tokens and in plain scalars, ends a plain scalar in a flow only at a colon with a blank after
it, knows the escape ``\'`` and not ``\/``, folds escaped line breaks in its own way, and refuses
directives and versions that PyYAML accepts. Only that is overridden here; the rest is PyYAML's.
"""

# PyYAML's type stubs leave the methods of its scanner and parser untyped.
# mypy: disallow-untyped-calls=False
from __future__ import annotations

import re

from yaml.error import Mark
from yaml.parser import Parser, ParserError
from yaml.tokens import DirectiveToken, ScalarToken, TagToken

from .simple_keys import SimpleKeyScanner

_BREAKS = "\r\n\x85\u2028\u2029"
_BLANKS = " \t"
_END_OR_BREAK = "\0" + _BREAKS
_BLANK_OR_END = _BLANKS + _END_OR_BREAK
_ENDS_WORD = f"(?=[{_BLANK_OR_END}])"
_URI = r"(?:[0-9A-Za-z_;/?:@&=+$,.!~*'()\[\]-]|%[0-9A-Fa-f]{2})"

_REST_OF_LINE = re.compile(f"[^{_END_OR_BREAK}]*")
_COMMENT = re.compile(f"(?:#[^{_END_OR_BREAK}]*)?")
_SPACES = re.compile(" *")
_SPACES_AND_TABS = re.compile("[ \t]*")
_DOCUMENT_INDICATOR = re.compile(r"(?:---|\.\.\.)" + _ENDS_WORD)
_PLAIN_BLOCK = re.compile(f"(?:[^{_BLANK_OR_END}:]|:(?![{_BLANK_OR_END}]))*")
_PLAIN_FLOW = re.compile(f"(?:[^{_BLANK_OR_END}" + r":,?\[\]{}]|" + f":(?![{_BLANK_OR_END}]))*")
_SINGLE_QUOTED = re.compile(f"(?:[^{_BLANK_OR_END}']|'')*")
_DOUBLE_QUOTED = re.compile(f'[^{_BLANK_OR_END}"' + r"\\]*")
_BLOCK_HEADER = re.compile("[|>](?:(?P<chomp>[+-])(?P<indent>[0-9])?|(?P<indent_first>[0-9])(?P<chomp_last>[+-])?)?")
_TAG = re.compile(
    f"!(?:<(?P<verbatim>{_URI}+)>|(?P<handle>[0-9A-Za-z_-]*!)(?P<suffix>{_URI}+)|(?![0-9A-Za-z_-]*!)(?P<local>{_URI}*))"
    + _ENDS_WORD
)
_DIRECTIVE = re.compile(
    "%(?:YAML[ \t]+(?P<major>[0-9]{1,2})[.](?P<minor>[0-9]{1,2})"
    f"|TAG[ \t]+(?P<handle>!(?:[0-9A-Za-z_-]*!)?)[ \t]+(?P<prefix>{_URI}+){_ENDS_WORD})"
    f"[ \t]*{_COMMENT.pattern}(?=[{_END_OR_BREAK}])"
)
_PERCENT = re.compile("(?:%[0-9A-Fa-f]{2})+")
_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "\t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "'": "'",
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


class YamlEvents(SimpleKeyScanner, Parser):
    """The events of a text that :func:`read_characters` has checked; see :meth:`Parser.get_event`."""

    def __init__(self, text: str) -> None:
        SimpleKeyScanner.__init__(self, text)
        Parser.__init__(self)

    def scan_to_next_token(self) -> None:
        if self.index == 0 and self.peek() == "\ufeff":
            self.forward()  # a second byte order mark; the first one is not part of the text
        while True:
            tabs = self.flow_level > 0 or not self.allow_simple_key
            blanks = (_SPACES_AND_TABS if tabs else _SPACES).match(self.buffer, self.pointer)
            self._take(blanks)
            self._take(_COMMENT.match(self.buffer, self.pointer))
            if not self.scan_line_break():
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def scan_plain(self) -> ScalarToken:
        start = end = self.get_mark()
        indent = self.indent + 1
        run = _PLAIN_FLOW if self.flow_level else _PLAIN_BLOCK
        chunks: list[str] = []
        blanks = _Blanks()
        while not (self._at_document_indicator() or self.peek() == "#"):
            word = self._take(run.match(self.buffer, self.pointer))
            if word:
                chunks += [blanks.folded(), word]
                end = self.get_mark()
            if self.peek() not in _BLANKS + _BREAKS:
                break
            while self.peek() in _BLANKS + _BREAKS:
                if blanks.line_passed and self.peek() == "\t" and self.column < indent:
                    self.fail("found a tab character that violates indentation", start)
                self._take_blank(blanks)
            if not self.flow_level and self.column < indent:
                break
        if blanks.line_passed:
            self.allow_simple_key = True
        return ScalarToken("".join(chunks), True, start, end)

    def scan_flow_scalar(self, style: str) -> ScalarToken:
        start = self.get_mark()
        self.forward()
        chunks: list[str] = []
        while True:
            if self._at_document_indicator():
                self.fail("found unexpected document indicator", start)
            if self.peek() == "\0":
                self.fail("found unexpected end of stream", start)
            blanks = _Blanks()
            if style == "'":
                text = self._take(_SINGLE_QUOTED.match(self.buffer, self.pointer))
                chunks.append(text.replace("''", "'"))
            else:
                blanks.line_passed = self._double_quoted(chunks, start)
            if self.peek() == style:
                break
            while self.peek() in _BLANKS + _BREAKS:
                self._take_blank(blanks)
            chunks.append(blanks.folded())
        self.forward()
        return ScalarToken("".join(chunks), False, start, self.get_mark(), style)

    def _double_quoted(self, chunks: list[str], start: Mark) -> bool:
        """Takes non-blank text up to a blank or the closing quote; true after an escaped line break."""
        while True:
            chunks.append(self._take(_DOUBLE_QUOTED.match(self.buffer, self.pointer)))
            if self.peek() != "\\":
                return False
            char = self.peek(1)
            if char in _BREAKS:
                self.forward()
                self.scan_line_break()
                return True
            if char in _ESCAPES:
                chunks.append(_ESCAPES[char])
                self.forward(2)
                continue
            if char not in _HEX_ESCAPES:
                self.fail("found unknown escape character", self.get_mark())
            length = _HEX_ESCAPES[char]
            self.forward(2)
            digits = self.prefix(length)
            if not re.fullmatch(f"[0-9A-Fa-f]{{{length}}}", digits):
                self.fail("did not find expected hexdecimal number", self.get_mark())
            code = int(digits, 16)
            if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
                self.fail("found invalid Unicode character escape code", self.get_mark())
            chunks.append(chr(code))
            self.forward(length)

    def scan_block_scalar(self, style: str) -> ScalarToken:
        start = self.get_mark()
        header = _BLOCK_HEADER.match(self.buffer, self.pointer)
        if header is None:
            self.fail("did not find expected | or >", start)
        self._take(header)
        chomp = header.group("chomp") or header.group("chomp_last")
        increment = header.group("indent") or header.group("indent_first")
        if increment == "0":
            self.fail("found an indentation indicator equal to 0", start)
        self._take(_SPACES_AND_TABS.match(self.buffer, self.pointer))
        self._take(_COMMENT.match(self.buffer, self.pointer))
        if self.peek() not in _END_OR_BREAK:
            self.fail("did not find expected comment or line break", start)
        self.scan_line_break()
        indent = max(self.indent, 0) + int(increment) if increment else 0
        indent, breaks = self._block_breaks(indent, start)
        chunks: list[str] = []
        leading_break = ""
        starts_blank = False
        while self.column == indent and self.peek() != "\0":
            blank = self.peek() in _BLANKS
            if style == ">" and not starts_blank and not blank and leading_break == "\n":
                chunks.append("" if breaks else " ")
            else:
                chunks.append(leading_break)
            chunks += breaks
            starts_blank = blank
            chunks.append(self._take(_REST_OF_LINE.match(self.buffer, self.pointer)))
            leading_break = self.scan_line_break()
            indent, breaks = self._block_breaks(indent, start)
        if chomp != "-":
            chunks.append(leading_break)
        if chomp == "+":
            chunks += breaks
        return ScalarToken("".join(chunks), False, start, self.get_mark(), style)

    def _block_breaks(self, indent: int, start: Mark) -> tuple[int, list[str]]:
        """Takes empty lines and indentation. An ``indent`` of 0 is found out: the deepest of these lines."""
        breaks: list[str] = []
        deepest = 0
        while True:
            while self.peek() == " " and (indent == 0 or self.column < indent):
                self.forward()
            deepest = max(deepest, self.column)
            if self.peek() == "\t" and (indent == 0 or self.column < indent):
                self.fail("found a tab character where an indentation space is expected", start)
            if self.peek() not in _BREAKS:
                return indent or max(deepest, self.indent + 1, 1), breaks
            breaks.append(self.scan_line_break())

    def scan_tag(self) -> TagToken:
        start = self.get_mark()
        found = _TAG.match(self.buffer, self.pointer)
        if found is None:
            self.fail("did not find expected tag", start)
        verbatim, handle, suffix, local = found.group("verbatim", "handle", "suffix", "local")
        self._take(found)
        value: tuple[str | None, str]
        if verbatim is not None:
            value = (None, self._uri(verbatim, start))
        elif handle is not None:
            value = ("!" + handle, self._uri(suffix, start))
        else:
            value = ("!", self._uri(local, start)) if local else (None, "!")
        return TagToken(value, start, self.get_mark())

    def scan_directive(self) -> DirectiveToken:
        start = self.get_mark()
        found = _DIRECTIVE.match(self.buffer, self.pointer)
        if found is None:
            self.fail("found an invalid directive", start)
        self._take(found)
        end = self.get_mark()
        self.scan_line_break()
        if found.group("major") is not None:
            return DirectiveToken("YAML", (int(found.group("major")), int(found.group("minor"))), start, end)
        return DirectiveToken("TAG", (found.group("handle"), self._uri(found.group("prefix"), start)), start, end)

    def process_directives(self) -> tuple[tuple[int, int] | None, dict[str, str] | None]:
        start = self.peek_token().start_mark
        version, tags = super().process_directives()
        if version is not None and version != (1, 1):
            raise ParserError(None, None, "found incompatible YAML document", start)
        return version, tags

    def _uri(self, text: str, start: Mark) -> str:
        try:
            return _PERCENT.sub(lambda found: bytes.fromhex(found.group()[1:].replace("%", "")).decode("utf-8"), text)
        except UnicodeDecodeError:
            self.fail("found an incorrect UTF-8 octet", start)

    def _at_document_indicator(self) -> bool:
        return self.column == 0 and _DOCUMENT_INDICATOR.match(self.buffer, self.pointer) is not None

    def _take_blank(self, blanks: _Blanks) -> None:
        """Takes one blank or one line break."""
        if self.peek() in _BLANKS:
            if not blanks.line_passed:
                blanks.spaces += self.peek()
            self.forward()
        else:
            blanks.add_break(self.scan_line_break())

    def _take(self, found: re.Match[str] | None) -> str:
        """Moves past what was matched at the current position."""
        if found is None or not found.group():
            return ""
        self.forward(len(found.group()))
        return found.group()


class _Blanks:
    """Spaces and line breaks between two words of a scalar, until it is known how they fold."""

    __slots__ = ("_first_break", "_more_breaks", "line_passed", "spaces")

    def __init__(self) -> None:
        self.spaces = ""
        self._first_break = ""
        self._more_breaks = ""
        self.line_passed = False

    def add_break(self, line_break: str) -> None:
        if self.line_passed:
            self._more_breaks += line_break
        else:
            self.spaces = ""
            self._first_break = line_break
            self.line_passed = True

    def folded(self) -> str:
        """What stands between the words; afterwards nothing is pending."""
        if not self.line_passed:
            text = self.spaces
        elif self._first_break == "\n":
            text = self._more_breaks or " "
        else:
            text = self._first_break + self._more_breaks
        self.spaces = self._first_break = self._more_breaks = ""
        self.line_passed = False
        return text
