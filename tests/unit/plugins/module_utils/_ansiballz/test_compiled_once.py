# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each file of the collection is compiled once on a node, by every module that is sent to one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

CHECKOUT = Path(__file__).parents[5]
PLUGINS = CHECKOUT / "plugins"
PACKAGE = "ansible_collections.k3sfleet.registries.plugins.module_utils"
ON_NODES = sorted(path for path in (PLUGINS / "modules").glob("*.py") if "AnsibleModule" in path.read_text("utf-8"))

# What Ansible does on a node, without Ansible: the zip is in the path, and a module is run out of it.
PROGRAM = """
import builtins, collections, json, sys

compiled, original = collections.Counter(), builtins.compile

def counted(source, filename, *arguments, **more):
    compiled[str(filename)] += 1
    return original(source, filename, *arguments, **more)

builtins.compile = counted
sys.path.insert(0, sys.argv[1])
{begin}
import {package}._node.stage as stage
import {package}.lone
from {package}._credential_store.handed_over import program_text
try:
    {package}.lone.fail()
except ValueError:
    import traceback
    said = traceback.format_exc()
archive = sys.argv[1] + "/"
print(json.dumps({{
    "most": max(number for name, number in compiled.items() if "_rules" in name),
    "files": sum(name.startswith(archive) for name in compiled),
    "file": stage.__file__, "package": stage.__package__, "path": list(sys.modules[stage.__package__].__path__),
    "said": said, "program": program_text("/usr/bin/python3").decode().count("def main"),
}}))
"""
BEGIN = f"from {PACKAGE}._ansiballz import compiled_once\ncompiled_once.begin()"


@pytest.fixture(scope="module", name="archive")
def _archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ansiballz") / "module.zip"
    folder = PACKAGE.replace(".", "/")
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        for end in range(1, folder.count("/") + 2):
            packed.writestr("/".join(folder.split("/")[:end]) + "/__init__.py", "")
        packed.writestr(folder + "/lone.py", "def fail():\n    raise ValueError('a line of its own')\n")
        for source in (PLUGINS / "module_utils").rglob("*.py"):
            packed.write(source, "%s/%s" % (folder, source.relative_to(PLUGINS / "module_utils")))
    return path


def _run(archive: Path, begin: str) -> dict[str, object]:
    program = PROGRAM.format(package=PACKAGE, begin=begin)
    ran = subprocess.run(
        [sys.executable, "-c", program, str(archive)], cwd="/", check=True, capture_output=True, text=True
    )
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def test_each_file_is_compiled_once_and_python_alone_does_it_twice(archive: Path) -> None:
    assert _run(archive, "")["most"] == 2
    found = _run(archive, BEGIN)
    assert found["most"] == 1
    assert int(str(found["files"])) > 50


def test_a_module_looks_as_it_does_without(archive: Path) -> None:
    plain, found = _run(archive, ""), _run(archive, BEGIN)
    for key in ("file", "package", "path"):
        assert found[key] == plain[key]
    assert "raise ValueError('a line of its own')" in str(found["said"])


def test_the_source_of_another_file_can_be_read(archive: Path) -> None:
    """The credential store's program is written to nodes out of the zip."""
    assert _run(archive, BEGIN)["program"] == 1


def test_outside_of_a_zip_nothing_changes() -> None:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

    before = list(sys.meta_path)
    compiled_once.begin()
    assert sys.meta_path == before


def test_modules_on_nodes_are_found() -> None:
    assert len(ON_NODES) >= 10


@pytest.mark.parametrize("path", ON_NODES, ids=lambda path: path.stem)
def test_every_module_begins_with_it(path: Path) -> None:
    """Before its first other import of the collection, or that is compiled twice."""
    text = path.read_text("utf-8")
    imports = re.findall(r"^(?:from ansible_collections\.\S+ import .*|compiled_once\.begin\(\))$", text, re.M)
    assert imports[:2] == [f"from {PACKAGE}._ansiballz import compiled_once", "compiled_once.begin()"]
