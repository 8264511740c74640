# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of what a node prints, Ansible sees the module's own answer."""

from __future__ import annotations

import json

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.alone import OddOutput, answer_alone

ESCAPES = "evil\x1b[2K\rok: [good]\u2028\u202e\x9b31m"


@pytest.mark.parametrize("before", ["", "\n", "Welcome to the node\n", "a { b\n"])
@pytest.mark.parametrize("after", ["", "\n", "\njunk\nok: [good]\n", " ok: [good]", "\n{}\n"])
def test_what_stands_around_an_answer_is_left_out(before: str, after: str) -> None:
    answer = '{"changed": false, "msg": "a \\" } {", "warnings": [{"__ansible_type": "WarningSummary"}]}'
    assert answer_alone(before + answer + after) == answer


@pytest.mark.parametrize(
    "key", ["ansible_facts", "ansible_stats", "add_host", "add_group", "_ansible_no_log", "_ansible_parsed", "_ansible"]
)
@pytest.mark.parametrize("escape", [False, True])
def test_keys_that_ansible_acts_on_are_none_of_the_node_s(key: str, escape: bool) -> None:
    written = key.replace("a", "\\u0061") if escape else key
    found = answer_alone('{"changed": false, "%s": {"k3s_registries_report_file": "/home/me/.profile"}}' % written)
    assert json.loads(found) == {"changed": False}


@pytest.mark.parametrize("text", ["", "/home/me/.ansible/tmp\n", "/bin/sh: 1: python3: not found\n", "no { answer\n"])
def test_other_output_stays(text: str) -> None:
    assert answer_alone(text) == text


def test_other_output_paints_nothing() -> None:
    assert answer_alone("PLATFORM\n" + ESCAPES) == "PLATFORM\nevil\\x1b[2K\\rok: [good]\\u2028\\u202e\\x9b31m"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": 1',
        '{"a": ' + "9" * 5000 + "}", '{"a": "' + "x" * (16 << 20) + '"}', '{"a": [' + "[]," * 600_000 + "[]]}", "{a}",
    ],
    ids=["deep", "nan", "infinity", "huge float", "cut", "huge number", "large", "many", "no json"],
)  # fmt: skip
def test_what_no_module_says_is_refused(text: str) -> None:
    with pytest.raises(OddOutput) as odd:
        answer_alone("\n" + text)
    assert len(str(odd.value)) < 100
