# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal has found on all nodes, for whoever approves the change. Pure."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible

from . import rehearsal, rehearsal_words
from .run import Run

NOTHING = "nothing changes on any node, so nothing was rehearsed"


def for_the_approval(answers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """
    :param answers: what the nodes have answered, by their hosts; without ``rehearsal`` if nothing changes there.
    """
    run = Run()
    run.rehearsal.chosen = [host for host, answer in answers.items() if answer.get("rehearsal")]
    for host in run.rehearsal.chosen:
        rehearsal.enter(run, host, answers[host]["rehearsal"])
    lines = [*rehearsal_words.result_lines(run), *rehearsal_words.effect_lines(run)]
    same = len(answers) - len(run.rehearsal.chosen)
    if lines and same:
        lines.append("  nothing changes on %d of %d nodes" % (same, len(answers)))
    return [visible(line) for line in lines] or [NOTHING]
