# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is wrong with the code of guides, each with its place."""

from __future__ import annotations

import ast
import json
from typing import Any, Iterable

from tests.docs.guides import ci_files, commands, plays, yaml_kinds
from tests.docs.guides.blocks import SHELL, Block, outside
from tests.docs.guides.pages import Guide

OUTPUT = "text"
_LANGUAGES = (SHELL, "yaml", "json", "python", OUTPUT)


def mistakes(guide: Guide) -> list[str]:
    """Those of one guide, but for what :func:`together` finds."""
    try:
        found = commands.block_mistakes(guide) + commands.sentence_mistakes(guide, outside(guide.text))
    except ValueError as problem:
        return ["%s: %s" % (guide.name, problem)]
    for block in guide.blocks:
        found += ["%s:%d: %s" % (guide.name, block.line, text) for text in _block_mistakes(block, guide)]
    return found


def _block_mistakes(block: Block, guide: Guide) -> list[str]:
    """What is wrong with a block that is not for a shell."""
    if block.language not in _LANGUAGES:
        return ["a block is of one of %s, not of %r" % (", ".join(_LANGUAGES), block.language)]
    if block.language == OUTPUT and any(line.startswith("$ ") for line in block.text.splitlines()):
        return ["a command belongs in a block of %s, its output in the next one" % SHELL]
    try:
        if block.language == "yaml":
            return yaml_kinds.mistakes(yaml_kinds.read(block.text), guide)
        if block.language == "json":
            json.loads(block.text)
        if block.language == "python":
            ast.parse(block.text)
    except (ValueError, SyntaxError) as problem:
        return [str(problem)]
    return []


def together(guides: Iterable[Guide]) -> list[str]:
    """What takes a program that starts slowly, so that it is asked once for all guides: playbooks, and CI files."""
    playbooks: dict[str, list[Any]] = {}
    schemas: dict[str, dict[str, Any]] = {kind: {} for kind in ci_files.SCHEMAS}
    for guide in guides:
        for block in guide.blocks:
            if block.language != "yaml":
                continue
            title = "%s:%d" % (guide.name, block.line)
            try:
                content = yaml_kinds.read(block.text)
                kind = yaml_kinds.kind_of(content).name
            except yaml_kinds.YamlProblem:
                # mistakes() has said so.
                continue
            if kind in ("plays", "tasks"):
                playbooks[title] = plays.as_play(content) if kind == "tasks" else content
            elif kind == "steps":
                schemas["workflow"][title] = ci_files.as_workflow(content)
            elif kind in schemas:
                schemas[kind][title] = content
    found = plays.load_mistakes(playbooks)
    for kind, files in schemas.items():
        found += ci_files.schema_mistakes(kind, files)
    return found
