# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault has a result of its own, and does not keep the other images from being copied."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Iterator

import pytest

from tests.mirror.conftest import arguments, placed
from tests.mirror.images import LARGE, Filler
from tests.mirror.limiter import Limiter
from tests.mirror.play import mirror
from tests.mirror.registries import LocalRegistry


@pytest.fixture
def limiter(source: LocalRegistry) -> Iterator[Limiter]:
    with Limiter(source.port) as made:
        yield made


@pytest.mark.nightly
def test_an_image_that_the_source_lacks(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    run = mirror(tmp_path / "run", arguments(source, target, ["docker.io/rancher/gone:1", *few]))
    assert run.actions() == ["failed"] + ["copied"] * 6, run.why
    gone = run.image("gone:1")
    assert (gone["state"], gone["cause"]) == ("source_missing", "not_found")
    assert gone["message"] == "%s/rancher/gone has no 1" % source.host
    assert run.result["failed"] is True
    assert "1 image could not be mirrored:\nrancher/gone:1: " in run.result["msg"]


@pytest.mark.nightly
def test_a_target_that_is_full(source: LocalRegistry, few: dict[str, str], tmp_path: Path) -> None:
    small = LocalRegistry(tmp_path / "small", megabytes=24)
    try:
        run = mirror(tmp_path / "run", arguments(source, small, [*few, LARGE], parallel=1))
    finally:
        small.stop()
    assert run.actions() == ["copied"] * 6 + ["failed"], run.why
    assert run.image(LARGE)["cause"] == "target_full", run.image(LARGE)
    assert "it has no space left" in run.image(LARGE)["message"]


@pytest.mark.nightly
def test_a_target_that_is_read_only(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    images = list(few)
    assert mirror(tmp_path / "run", arguments(source, target, images[:2])).done
    target.restart(read_only=True)
    mark = target.mark()
    run = mirror(tmp_path / "run", arguments(source, target, images, parallel=1))
    assert run.actions() == ["none"] * 2 + ["failed"] * 4, run.why
    assert {item["cause"] for item in run.result["images"][2:]} == {"read_only"}
    target.settle()
    tried = {path.split("/blobs/")[0] for _method, path, _status in target.requests(mark) if "/blobs/" in path}
    assert any(placed(images[2])[0] in path for path in tried)
    assert not any(placed(image)[0] in path for image in images[3:] for path in tried), "not tried after the refusal"


def test_wrong_credentials_are_tried_once(
    source: LocalRegistry, target: LocalRegistry, everything: dict[str, str], tmp_path: Path
) -> None:
    given = arguments(source, target, everything)
    given["config"]["configs"][target.host]["auth"]["password"] = "not-the-right-one"
    marks = source.mark(), target.mark()
    run = mirror(tmp_path / "run", given)
    assert run.actions() == ["failed"] * 40
    assert {item["cause"] for item in run.result["images"]} == {"unauthorized"}
    assert "does not accept the credentials" in run.result["msg"]
    assert "not-the-right-one" not in run.output
    target.settle()
    source.settle()
    assert len(target.requests(marks[1])) <= 2
    assert len(source.requests(marks[0])) <= 40, "nothing but the questions of the plan"


@pytest.mark.nightly
def test_a_certificate_of_an_unknown_authority(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    given = arguments(source, target, few)
    del given["config"]["configs"][target.host]["tls"]["ca_src"]
    run = mirror(tmp_path / "run", given)
    assert {item["cause"] for item in run.result["images"]} == {"tls_unknown_authority"}
    assert "tls.ca_src" in run.result["msg"]
    given["config"]["configs"][target.host]["tls"]["insecure_skip_verify"] = True
    assert mirror(tmp_path / "run", given).actions() == ["copied"] * 6, "insecure where it is asked for by name"


def test_a_missing_client_certificate(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    given = arguments(source, target, few)
    for key in ("cert_src", "key_src"):
        del given["config"]["configs"][target.host]["tls"][key]
    run = mirror(tmp_path / "run", given)
    assert {item["cause"] for item in run.result["images"]} == {"client_cert_required"}, run.result["msg"]


@pytest.mark.nightly
def test_too_many_requests_are_waited_for_as_the_registry_asks(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], limiter: Limiter, tmp_path: Path
) -> None:
    given = arguments(source, target, few, source_registries={"docker.io": limiter.url})
    limiter.refuse(2, "HEAD", retry_after=2)
    limiter.refuse(2, "GET", retry_after=1)
    began = time.monotonic()
    run = mirror(tmp_path / "run", given)
    assert run.actions() == ["copied"] * 6, run.why
    assert time.monotonic() - began > 3
    assert limiter.refused == 4
    assert min(limiter.pauses) >= 1.0


@pytest.mark.nightly
def test_a_registry_that_wants_an_hour_is_not_waited_for(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], limiter: Limiter, tmp_path: Path
) -> None:
    images = list(few)
    given = arguments(source, target, images, source_registries={"docker.io": limiter.url})
    limiter.refuse(1000, "HEAD", retry_after=3600, path="mirrored-pause")
    run = mirror(tmp_path / "run", given)
    assert run.actions() == ["failed"] + ["copied"] * 5, run.why
    assert run.result["images"][0]["cause"] == "rate_limited"
    assert limiter.refused == 1


@pytest.mark.nightly
def test_a_tag_that_has_moved_is_overwritten_only_when_asked(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    moving = "docker.io/rancher/moving:1"
    old = Filler(source).image(moving)
    images = [moving, *few]
    assert mirror(tmp_path / "run", arguments(source, target, [moving])).done
    new = Filler(source).image(moving, note="moved")
    run = mirror(tmp_path / "run", arguments(source, target, images))
    assert run.actions() == ["failed"] + ["copied"] * 6, run.why
    moved = run.result["images"][0]
    assert (moved["state"], moved["cause"], moved["digest"], moved["target_digest"]) == (
        "differs", "tag_moved", new, old
    )  # fmt: skip
    assert "overwrite: true replaces it" in moved["message"]
    assert target.digest(*placed(moving)) == old
    assert mirror(tmp_path / "run", arguments(source, target, images, overwrite=True)).actions() == (
        ["copied"] + ["none"] * 6
    )
    assert target.digest(*placed(moving)) == new
