# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of product code: Python without docstrings, documentation, comments and blank lines; YAML without comments.

``python tests/tools/product_lines.py [FOLDER]`` prints a line per room and the sum.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path

_DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")
_GENERATED = "generated.py"


def python_lines(source: str) -> int:
    """Lines that hold code."""
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in _DOCUMENTATION for target in node.targets
        ):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    nothing = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in nothing:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - left_out)


def text_lines(source: str) -> int:
    """Lines of YAML, templates and styles that are neither blank nor a comment."""
    return sum(1 for line in source.splitlines() if line.strip() and not line.strip().startswith("#"))


def main(folder: str) -> None:
    """Print the lines of each room and their sum."""
    tracked = subprocess.run(
        ["git", "ls-files", "plugins", "roles", "playbooks"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()
    rooms: Counter[str] = Counter()
    for name in tracked:
        if name.endswith((".md", _GENERATED)) or "argument_specs" in name:
            continue
        source = (Path(folder) / name).read_text("utf-8")
        rooms[str(Path(name).parent)] += python_lines(source) if name.endswith(".py") else text_lines(source)
    for room, lines in sorted(rooms.items()):
        print("%6d  %s" % (lines, room))
    print("%6d  together" % sum(rooms.values()))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
