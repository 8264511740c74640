# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is copied out of a guide."""

from __future__ import annotations

import pytest

from tests.newcomer.__main__ import ELSEWHERE, guides
from tests.newcomer.blocks import Block, blocks, section

PAGE = """# A page

## One

```sh
# a comment that looks like a heading
$ one --two   # why
three
```

### Below

```yaml
# four.yml
five: 6  # stays
```

## Two

```sh
seven
```
"""


def test_a_section_ends_where_the_next_one_of_its_level_begins() -> None:
    assert blocks(section(PAGE, "One")) == [
        Block("sh", "# a comment that looks like a heading\n$ one --two   # why\nthree\n"),
        Block("yaml", "# four.yml\nfive: 6  # stays\n"),
    ]
    assert [block.commands for block in blocks(section(PAGE, "Two"))] == [["seven"]]
    assert len(blocks(section(PAGE))) == 3


def test_commands_come_without_prompts_and_comments() -> None:
    first, second, _third = blocks(PAGE)
    assert first.commands == ["one --two", "three"]
    assert second.commands == []


def test_a_heading_that_is_gone_is_noticed() -> None:
    with pytest.raises(ValueError, match="no heading 'Three'"):
        section(PAGE, "Three")


def test_what_is_not_run_is_in_a_guide() -> None:
    commands = {command for found in guides().values() for block in found for command in block.commands}
    assert set(ELSEWHERE) <= commands
    assert any("site --check --diff" in command for command in commands)
