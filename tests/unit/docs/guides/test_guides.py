# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code of every guide: its commands could be run, and its files would be accepted. Nothing of it is run here."""

from __future__ import annotations

import pytest

from tests.docs.guides import check
from tests.docs.guides.pages import Guide, guides
from tests.newcomer.__main__ import guides as walked

GUIDES = guides()


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_the_code_of_a_guide_has_no_mistake(guide: Guide) -> None:
    assert check.mistakes(guide) == []


def test_playbooks_load_and_ci_files_fit_their_schemas() -> None:
    assert check.together(GUIDES) == []


def test_every_guide_is_among_them() -> None:
    names = {guide.name for guide in GUIDES}
    assert names > {"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/lint.md", "tests/fleet/README.md", *walked()}
    assert {"roles/k3s_registries/README.md", "examples/consumer/README.md"} < names
    assert sum(len(block.commands) for guide in GUIDES for block in guide.blocks) > 50
