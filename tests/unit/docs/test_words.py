# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word list of CONTRIBUTING.md: what users read has none of its worst offenders."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import CHECKOUT
from tests.docs.texts import texts

#: What not to write to what to write instead.
OFFENDERS = {
    r"\bto be had\b": "available",
    r"\b(?:gives?|gave|giving) back\b": "restore, release or return",
    r"\b(?:is|are|was|were) (?:not )?to (?:be|go|follow|have|get|come)\b": "will or must",
    r"\bshall\b": "will, or the present tense",
    r"(?:body|thing) else than\b": "other than",
    r"\bin silence\b": "silently",
    r"\b[Pp]uts? (?:(?:it|that|this|them|servers) )?right\b": "fix",
    r"\b[Mm]end(?:s|ed|ing)?\b": "fix",
    r"\bfor ever\b": "forever",
    r"\bheld against\b": "compared with",
    r"\b(?:[Ee]mpty|[Ff]ails?|[Ss]top|even|V\(\w+\)) where\b": "if",
    r"\b[Ww]here (?:there (?:is|are) (?:an?|no|none|one|errors)|none (?:is|was|fits)|it is not)\b": "if",
    r"\bwhere (?:that|one) is (?:certain|needed)\b": "if",
    r"\b(?:is|are|was|were) ill\b": "unhealthy",
    r"\b[Ee]nds? (?:well|green)\b": "succeeds",
    # Go says "don't match", "doesn't contain" and "doesn't have", which are quoted.
    r"\b(?!don't match|doesn't (?:contain|have))(?:\w+n't|[Ii]t's|\w+'(?:re|ll|ve))\b": "the words in full",
}


@pytest.mark.parametrize("offender", OFFENDERS)
def test_texts_for_users_do_without(offender: str) -> None:
    pattern = re.compile(offender)
    found = ["%s: %s" % text for text in texts() if pattern.search(text.text)]
    assert not found, "write %s instead:\n%s" % (OFFENDERS[offender], "\n".join(found))


def test_what_the_word_list_says_not_to_write_is_found() -> None:
    page = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    checked = page.split("`tests/unit/docs/test_words.py` fails if")[1].split("These are not checked")[0]
    quoted = re.findall(r'"([^"]+)"', checked)
    assert len(quoted) >= 15
    assert not [words for words in quoted if not any(re.search(offender, words) for offender in OFFENDERS)]


def test_texts_of_every_kind_are_looked_at() -> None:
    places = {text.place.partition(":")[0] for text in texts()}
    assert places >= {
        "README.md",
        "docs/rollout.md",
        "changelogs/fragments/rollout.yml",
        "roles/k3s_registries/meta/argument_specs.yml",
        "roles/k3s_registries/tasks/main.yml",
        "playbooks/verify.yml",
        "plugins/modules/k3s_registries.py",
        "plugins/doc_fragments/node.py",
        "plugins/module_utils/_pulls/advice.py",
    }
    assert "docs/variables.md" not in places
