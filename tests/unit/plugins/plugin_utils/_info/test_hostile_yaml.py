# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a node that no person has written: they are read or refused, in time, and what is said of them is brief."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plugins.plugin_utils._info.node import Node

TEXTS: dict[str, str | bytes] = {
    "NUL": "mirrors:\n  a\0b: {}\n",
    "byte order mark": "\ufeffmirrors: {}\n",
    "UTF-16": "mirrors: {}\n".encode("utf-16"),
    "no UTF-8": b"mirrors: \xff\xfe\n",
    "tag of an object": "mirrors: !!python/object/apply:os.system ['exit 1']\n",
    "long tag": "!" * 100_000,
    "tag directives": "%TAG ! tag:x\n" * 3000,
    "itself": "mirrors: &m\n  a: *m\n",
    "laughs": "a: &b0 [x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 12)),
    "deep list": "mirrors: " + "[" * 20_000 + "]" * 20_000,
    "deep mapping": "mirrors: " + "{a: " * 5000 + "}" * 5000,
    "deep block": "".join(" " * depth + "a:\n" for depth in range(600)),
    "lists in lists": "- " * 50_000,
    "keys in keys": "? " * 30_000,
    "long value": "mirrors:\n  a: " + "x" * 200_000 + "\n",
    "long key": "x" * 200_000 + ": 1\n",
    "long number": "mirrors: " + "9" * 5000 + "\n",
    "huge exponent": "mirrors: 1e999999999\n",
    "base 60": "mirrors: 1" + ":59" * 60_000,
    "no number": "mirrors: {a: .inf, b: -.inf, c: .nan}\n",
    "odd keys": "? [a, b]\n: 1\n? {a: b}\n: 2\nmirrors: {2020-01-01: 2020-01-01T00:00:00Z, null: 1, 3: 4}\n",
    "twice": "mirrors: {}\nmirrors: {a: {}}\nconfigs: {}\nconfigs: []\n",
    "documents": "---\nmirrors: {}\n---\nmirrors: {b: {}}\n...\n%YAML 9.9\n---\n",
    "escapes": 'mirrors:\n  "a\\x1b[2K\\u202e\\u2028": {endpoint: ["https://a\\x1b[2K/\\nok: [node]"]}\n',
    "characters": "mirrors:\n  a\x1b[2K\u202e\u2028\x9b: {}\n",
    "half a character": 'mirrors:\n  "\\ud800": {}\n',
    "other line ends": "mirrors:\x85  a: {}\u2028  b: {}\r  c: {}\r",
    "no end": 'mirrors: "' + "\\" * 100_001,
    "many lines": "mirrors: a\n" + "  b\n" * 60_000,
    "commas": "mirrors: [" + "," * 100_000 + "]",
    "anchors": "&a " * 50_000,
    "aliases": "*a " * 50_000,
}


@pytest.mark.parametrize("file", ["registries.yaml", "config.yaml"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_file_of_a_node(name: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(tmp_path, monkeypatch)
    node.start()
    node.write(TEXTS[name], f"{node.paths.config_dir}/{file}")
    began = time.process_time()
    info: dict[str, Any] = node.info()
    assert time.process_time() - began < 10
    for problem in info["problems"]:
        assert len(problem["message"]) < 2100
        assert problem["message"].isprintable()
    assert len(info["registries"]["error"]) < 2100
    assert json.dumps(info, ensure_ascii=False).isprintable()
    # What stands there is shown once, not over and over.
    assert len(json.dumps(info)) < 3 * len(TEXTS[name]) + 20_000
