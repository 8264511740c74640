# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell, as far as guides use it: commands with quotes, comments and continued lines, joined by `&&`, `;` and pipes."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import NamedTuple

_OPERATORS = set("();<>|&")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


class ShellProblem(ValueError):
    """What is no command that a shell could run."""


class Command(NamedTuple):
    """One command as it is written, with its continued lines joined; ``line`` is its first one."""

    text: str
    line: int


class Call(NamedTuple):
    """One program of a command: ``words`` begins with its name; ``environment`` is what is set for it alone."""

    words: list[str]
    environment: dict[str, str]


def commands(text: str, first_line: int = 1) -> list[Command]:
    """What a shell gets, without comments and empty lines.

    :raises ShellProblem: if a quote is not closed.
    """
    found: list[Command] = []
    written, quote, at, line = "", "", 0, first_line
    began = line
    while at < len(text):
        letter, following = text[at], text[at + 1 : at + 2]
        at += 1
        if quote != "'" and letter == "\\" and following:
            at += 1
            if following == "\n":
                line += 1
                at += len(text[at:]) - len(text[at:].lstrip(" \t")) if not quote else 0
            else:
                written += letter + following
        elif quote:
            written += letter
            line += letter == "\n"
            quote = "" if letter == quote else quote
        elif letter == "#" and (not written or written[-1].isspace()):
            at += len(text[at:].partition("\n")[0])
        elif letter == "\n":
            found.append(Command(written.strip(), began))
            line += 1
            written, began = "", line
        else:
            quote = letter if letter in "'\"" else ""
            written += letter
    if quote:
        raise ShellProblem("line %d: the quote %s is not closed" % (began, quote))
    found.append(Command(written.strip(), began))
    return [command for command in found if command.text]


def calls(command: str) -> list[Call]:
    """The programs of a command, with what they get. Where their output goes is left out.

    :raises ShellProblem: if it cannot be split into words.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError as error:
        raise ShellProblem(str(error)) from error
    found, current, skip = [], Call([], {}), False
    for word in words:
        if skip:
            skip = False
        elif set(word) <= _OPERATORS and word:
            if word[0] in "<>":
                skip = True
            else:
                found.append(current)
                current = Call([], {})
        elif not current.words and _ASSIGNMENT.match(word):
            name, _equals, value = word.partition("=")
            current.environment[name] = value
        else:
            current.words.append(word)
    return [call for call in [*found, current] if call.words]


def refused(text: str) -> str:
    """Why bash does not take a text as commands; nothing if it does. Nothing of it is run."""
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""
