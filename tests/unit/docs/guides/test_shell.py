# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands are split as a shell splits them."""

from __future__ import annotations

import pytest

from tests.docs.guides import shell
from tests.docs.guides.shell import Call, ShellProblem


def texts(text: str) -> list[str]:
    return [command.text for command in shell.commands(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 'b # c' # d\n", ["a 'b # c'"]),
        ("a b#c\n", ["a b#c"]),
        ("a 'two\nlines'\nb\n", ["a 'two\nlines'", "b"]),
        ("a \\\n  b \\\n\tc\n# only a comment, isn't it\n\nd", ["a b c", "d"]),
        (r"a \'b", [r"a \'b"]),
        (r"""a "b\" # c" d""", [r"""a "b\" # c" d"""]),
        (r"a '\' b # c", [r"a '\' b"]),
    ],
)
def test_comments_quotes_and_continued_lines(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_a_command_has_the_line_where_it_begins() -> None:
    assert [command.line for command in shell.commands("\na \\\n b\n'c\nd'\ne\n", 10)] == [11, 13, 15]


@pytest.mark.parametrize("text", ["fine\na 'b\nc\n", 'fine\na "b\n'])
def test_a_quote_that_is_not_closed_is_noticed(text: str) -> None:
    with pytest.raises(ShellProblem, match="line 2: the quote . is not closed"):
        shell.commands(text)


def test_programs_of_one_command() -> None:
    assert shell.calls("A=1 B='2 3' a 'x | y' && b --c | d > e 2>&1; f < g") == [
        Call(["a", "x | y"], {"A": "1", "B": "2 3"}),
        Call(["b", "--c"], {}),
        Call(["d", "2"], {}),
        Call(["f"], {}),
    ]


def test_bash_has_the_last_word() -> None:
    assert shell.refused("a && b\n") == ""
    assert "syntax error" in shell.refused("a && && b\n")
    assert shell.refused("exit 3\n") == ""
