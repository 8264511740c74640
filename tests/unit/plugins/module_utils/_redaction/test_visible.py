# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that a registry, a certificate or a node says can pass for something else on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    visible,
    visible_block,
    visible_lines,
)
from hypothesis import given
from hypothesis import strategies as st

OVERRIDES = ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 漢字 and 🙂", "plain, ünïcode, 漢字 and 🙂"),
        ("denied\nok: [node-1]", "denied\\nok: [node-1]"),
        ("\r[2/2] app copied", "\\r[2/2] app copied"),
        ("\x1b[2K\x1b[32mok", "\\x1b[2K\\x1b[32mok"),
        ("\x9b31m", "\\x9b31m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("a\u2028b\x85c", "a\\u2028b\\x85c"),
        ("lone \udcff", "lone \\udcff"),
        ("tag \U000e0041", "tag \\U000e0041"),
    ],
)
def test_on_one_line(text, shown):
    assert visible(text) == shown


def test_a_diff_keeps_its_lines():
    assert visible_lines("--- a\r\n+++ b\n+\tx\x1b[m") == "--- a\n+++ b\n+\tx\\x1b[m"


def test_no_line_of_a_message_can_pass_for_one_of_the_run():
    assert visible_block("failed\nok: [node]\n\n    fix: y") == "failed\n    ok: [node]\n\n        fix: y"


@given(st.text())
def test_no_character_that_is_not_seen(text):
    for shown in (visible(text), visible_lines(text).replace("\n", "").replace("\t", "")):
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
        assert not [c for c in shown if unicodedata.bidirectional(c) in OVERRIDES]
