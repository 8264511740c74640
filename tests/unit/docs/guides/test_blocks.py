# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is copied out of a guide."""

from __future__ import annotations

import pytest

from tests.docs.guides.blocks import Block, blocks, outside, section

PAGE = """# A page

## One

```sh
# a comment that looks like a heading
one --two   # why it is so: the reader's
three
```

### Below

```yaml
# four.yml; a file
five: 6  # stays
```

## Two

- in a list:

  ```sh
  seven \\
    --eight
  ```

```text
$ nine
```
"""


def test_a_section_ends_where_the_next_one_of_its_level_begins() -> None:
    assert blocks(section(PAGE, "One")) == [
        Block("sh", "# a comment that looks like a heading\none --two   # why it is so: the reader's\nthree\n", 2),
        Block("yaml", "# four.yml; a file\nfive: 6  # stays\n", 10),
    ]
    assert [block.commands for block in blocks(section(PAGE, "Two"))] == [["seven --eight"], []]
    assert len(blocks(section(PAGE))) == 4


def test_commands_come_without_comments_and_with_their_lines() -> None:
    found = [[tuple(command) for command in block.numbered_commands] for block in blocks(PAGE)]
    assert found == [[("one --two", 7), ("three", 8)], [], [("seven --eight", 23)], []]


def test_a_block_that_shows_a_file_names_it_first() -> None:
    assert [block.file for block in blocks(PAGE)] == ["", "four.yml", "", ""]
    assert Block("yaml", "# next to the inventory\nname: 1\n").file == ""


def test_sentences_keep_their_lines_without_the_blocks() -> None:
    text = outside(PAGE)
    assert "seven" not in text
    assert text.splitlines().index("## Two") == PAGE.splitlines().index("## Two")


def test_a_heading_that_is_gone_is_noticed() -> None:
    with pytest.raises(ValueError, match="no heading 'Three'"):
        section(PAGE, "Three")


@pytest.mark.parametrize("page", ["```sh\nopen\n", "```sh\nindented\n  ```\n"])
def test_a_fence_without_an_end_is_noticed(page: str) -> None:
    with pytest.raises(ValueError, match="a fence without an end"):
        blocks(page)
