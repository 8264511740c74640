# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CNCF distribution itself, Debian's 2.8 and version 3: as a cache, and as a registry that mirror_images fills.

What a containerd pulls through a cache is in ``python -m tests.recipes``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.mirror.images import Filler
from tests.mirror.play import mirror
from tests.mirror.registries import LocalRegistry, check_programs, free_port
from tests.recipes import blocks, distribution, distribution_source, page
from tests.recipes.catalogue import DISTRIBUTION
from tests.recipes.playing import hosts
from tests.recipes.probing import probe
from tests.recipes.stage import Stage

RECENT = "recent"
each_build = pytest.mark.parametrize("build", [distribution.DEBIAN, pytest.param(RECENT, marks=pytest.mark.golang)])


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    check_programs()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage"), hosts()) as made:
        yield made


def program_of(build: str) -> str:
    return str(distribution_source.ensure()) if build == RECENT else build


@each_build
@pytest.mark.parametrize("state", distribution.STATES)
def test_the_probe_says_of_a_cache_what_a_pull_comes_to(stage: Stage, tmp_path: Path, build: str, state: str) -> None:
    program = program_of(build)
    config = blocks.without_files(page.config_of(DISTRIBUTION))
    with distribution.cache(program, state, tmp_path / "cache") as registry:
        stage.play({distribution.HOST: distribution.relay(registry.port)})
        result = probe(config, distribution.image_of(program, state), stage.environment)[0]
    assert result["cause"] == distribution.cause_of(program, state)
    if result["cause"] != "ok":
        assert f"If {distribution.ENDPOINT} is a cache" in result["fix"]


@each_build
def test_a_cache_ends_if_nobody_answers_behind_it_when_it_starts(tmp_path: Path, build: str) -> None:
    config = tmp_path / "config.yml"
    content = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
        "http": {"addr": f"127.0.0.1:{free_port()}"},
        "proxy": {"remoteurl": f"http://127.0.0.1:{free_port()}"},
    }
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    command = [program_of(build), "serve", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "connection refused" in done.stderr


@each_build
def test_mirror_images_fills_one_that_is_no_cache_and_is_told_by_one_that_is(tmp_path: Path, build: str) -> None:
    program = program_of(build)
    source = LocalRegistry(tmp_path / "source")
    target = LocalRegistry(tmp_path / "target", program=program)
    cached = LocalRegistry(tmp_path / "cached", program=program, proxy={"remoteurl": source.url})
    try:
        digest = Filler(source).image("docker.io/rancher/mirrored-pause:3.6")
        given = {"images": ["docker.io/rancher/mirrored-pause:3.6"], "source_registries": {"docker.io": source.url}}
        filled = mirror(tmp_path / "fill", {**given, "config": target.config()})
        assert filled.done, filled.why
        assert target.digest("rancher/mirrored-pause", "3.6") == digest
        # What the registry behind the cache has is there already.
        Filler(target).image("docker.io/rancher/only-here:1")
        given = {"images": ["docker.io/rancher/only-here:1"], "source_registries": {"docker.io": target.url}}
        refused = mirror(tmp_path / "refuse", {**given, "config": cached.config()})
        assert refused.image("only-here:1")["cause"] == "read_only", refused.why
    finally:
        for registry in (cached, target, source):
            registry.stop()
