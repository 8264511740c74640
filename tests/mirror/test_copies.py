# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mirror does: copies what is missing, keeps digests, and does nothing when nothing is to be done."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image

from tests.mirror.conftest import REWRITE, arguments, placed
from tests.mirror.images import LARGE
from tests.mirror.play import mirror, start, strike
from tests.mirror.registries import LocalRegistry


def test_forty_images_go_where_the_nodes_look_and_the_second_run_sends_only_heads(
    source: LocalRegistry, target: LocalRegistry, everything: dict[str, str], tmp_path: Path
) -> None:
    given = arguments(source, target, everything)
    planned = mirror(tmp_path / "run", given, "--check", "--diff")
    assert planned.actions() == ["would_copy"] * 40
    assert planned.result["changed"] is True
    assert "+%s/project/rancher-images/mirrored-pause:3.6 sha256:" % target.host in planned.output
    assert not any(method in ("PUT", "POST", "PATCH") for method, _path, _status in target.requests())

    first = mirror(tmp_path / "run", given)
    assert (first.result["changed"], first.actions()) == (True, ["copied"] * 40), first.why
    config = normalise(target.config(rewrite=REWRITE))
    for image, digest in everything.items():
        (attempt, *_others) = resolve_image(image, config)
        assert target.digest(attempt["repository"], attempt["reference"]) == digest
    lines = re.findall(r"^\[ *(\d+)/40\] rancher/\S+ copied [\d.]+ [kM]B in [\d.]+ s$", first.output, re.MULTILINE)
    assert [int(number) for number in lines] == list(range(1, 41))
    assert re.search(r"^40 images: 40 copied \([\d.]+ MB in [\d.]+ s\), 0 unchanged, 0 failed$", first.output, re.M)
    assert first.image(LARGE)["bytes"] > 2 * 30_000_000

    marks = source.mark(), target.mark()
    second = mirror(tmp_path / "run", given)
    assert (second.result["changed"], second.actions()) == (False, ["none"] * 40)
    source.settle()
    target.settle()
    for registry, mark in ((source, marks[0]), (target, marks[1])):
        seen = [(method, path) for method, path, _status in registry.requests(mark) if path != "/v2/"]
        assert {method for method, _path in seen} == {"HEAD"}
        assert len({path for _method, path in seen}) == 40


def test_a_run_killed_in_the_middle_is_taken_up_where_it_stopped(
    source: LocalRegistry, target: LocalRegistry, everything: dict[str, str], tmp_path: Path
) -> None:
    given = arguments(source, target, everything, progress_interval=1, parallel=2)
    process = start(tmp_path / "run", given)
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(r"\[ *8/40\]", line):
            break
    strike(process)
    # What the registry was about to do for the dead run ends as well, so that it stays as it is found now.
    target.stop()
    target.start()
    there = [image for image, digest in everything.items() if target.digest(*placed(image)) == digest]
    assert 8 <= len(there) < 40
    mark = target.mark()
    rest = mirror(tmp_path / "run", given)
    assert rest.done, rest.why
    assert [item["image"] for item in rest.result["images"] if item["action"] == "copied"] == [
        image for image in everything if image not in there
    ]
    target.settle()
    put = {path for method, path, status in target.requests(mark) if method == "PUT" and "/manifests/" in path}
    assert not any("/%s/manifests/" % placed(image)[0] in path for image in there for path in put)
    assert {image for image, digest in everything.items() if target.digest(*placed(image)) != digest} == set()
    private = [name for name in os.listdir("/dev/shm") if name.startswith("k3sfleet-mirror-")]
    assert private == [], "the killed run's private folder is taken away by the next"


@pytest.mark.nightly
@pytest.mark.parametrize("platforms", [["amd64", "linux/arm64"], ["linux/arm64"]])
def test_a_subset_of_platforms_says_that_the_digest_changes(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path, platforms: list[str]
) -> None:
    given = arguments(source, target, few, platforms=platforms)
    first = mirror(tmp_path / "run", given)
    assert first.actions() == ["copied"] * 6, first.why
    image, digest = next(iter(few.items()))
    kept = target.digest(*placed(image))
    if len(platforms) == 2:
        assert kept == digest
        assert "note" not in first.result["images"][0]
    else:
        assert kept == first.result["images"][0]["digest"] != digest
        assert "without linux/amd64" in first.result["images"][0]["note"]
        assert "the digest of the index changes for 6 image(s)" in " ".join(first.output.split())
    assert mirror(tmp_path / "run", given).actions() == ["none"] * 6
    whole = mirror(tmp_path / "run", arguments(source, target, few, overwrite=True))
    assert whole.result["changed"] is (len(platforms) == 1)
    assert target.digest(*placed(image)) == digest
    assert mirror(tmp_path / "run", given).actions() == ["none"] * 6, "the whole index has the part as well"
