# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies on disk: exports that cross a gap, K3s' tarballs, and the lists of releases."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.mirror.conftest import arguments, placed
from tests.mirror.play import mirror
from tests.mirror.registries import LocalRegistry


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["images.tar", "images"])
def test_an_export_crosses_the_gap_with_its_digests(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path, name: str
) -> None:
    carried = tmp_path / "carried" / name
    carried.parent.mkdir()
    export = {"images": list(few), "source_registries": {"docker.io": source.url}, "export_to": str(carried)}
    assert mirror(tmp_path / "run", export, "--check").actions() == ["would_copy"] * 6
    assert not carried.exists()
    out = mirror(tmp_path / "run", export)
    assert out.actions() == ["copied"] * 6, out.why
    assert [item["digest"] for item in out.result["images"]] == list(few.values())
    assert [path.name for path in carried.parent.iterdir()] == [name], "nothing else is left"
    again = mirror(tmp_path / "run", export)
    assert (again.result["changed"], again.actions()) == (False, ["none"] * 6), again.why

    given = {"config": arguments(source, target, few)["config"], "import_from": [str(carried)]}
    mark = source.mark()
    back = mirror(tmp_path / "run", given)
    assert back.actions() == ["copied"] * 6, back.why
    assert {image: target.digest(*placed(image)) for image in few} == few
    assert mirror(tmp_path / "run", given).actions() == ["none"] * 6
    source.settle()
    assert source.requests(mark) == [], "the source is not asked"


def test_a_damaged_export_is_found_before_it_is_copied(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    carried = tmp_path / "images"
    export = {"images": list(few), "source_registries": {"docker.io": source.url}, "export_to": str(carried)}
    assert mirror(tmp_path / "run", export).done
    blobs = carried / "blobs" / "sha256"

    def manifest_of(image: str) -> dict[str, list[dict[str, str]]]:
        index = json.loads((blobs / few[image].partition(":")[2]).read_text())
        first = index["manifests"][0]["digest"].partition(":")[2]
        return json.loads((blobs / first).read_text())  # type: ignore[no-any-return]

    damaged, wrong = list(few)[1], list(few)[3]
    layer = blobs / manifest_of(damaged)["layers"][1]["digest"].partition(":")[2]
    layer.write_bytes(layer.read_bytes()[:-1] + b"x")
    kept = json.loads((carried / "k3sfleet-mirror.json").read_text())
    next(item for item in kept["images"] if item["image"] == wrong)["digest"] = "sha256:" + "0" * 64
    (carried / "k3sfleet-mirror.json").write_text(json.dumps(kept))

    run = mirror(tmp_path / "run", {"config": arguments(source, target, few)["config"], "import_from": [str(carried)]})
    assert {item["image"] for item in run.result["images"] if item["action"] == "failed"} == {damaged, wrong}, run.why
    assert {run.image(image)["cause"] for image in (damaged, wrong)} == {"digest_mismatch"}
    assert layer.name in run.image(damaged)["message"]
    assert "copy the export again" in run.image(wrong)["message"]
    assert run.actions().count("copied") == 4
    assert target.digest(*placed(damaged)) == ""


@pytest.mark.nightly
@pytest.mark.parametrize("packed", ["tar.zst", "tar", "tar.gz"])
def test_k3s_tarballs_are_taken_in_and_known_again(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path, packed: str
) -> None:
    tar, images = tmp_path / "k3s-airgap-images-amd64.tar", list(few)[:2]
    for number, image in enumerate(images):
        subprocess.run(
            ["skopeo", "copy", "--quiet", "--src-tls-verify=false", "--override-arch", "amd64",
             "docker://%s/%s" % (source.host, image.partition("/")[2]),
             "docker-archive:%s:%s" % (tmp_path / ("%d.tar" % number), image)], check=True,
        )  # fmt: skip
    _join([tmp_path / "0.tar", tmp_path / "1.tar"], tar)
    if packed == "tar.gz":
        with open(tar, "rb") as plain, gzip.open(str(tar) + ".gz", "wb", 1) as out:
            shutil.copyfileobj(plain, out)
    elif packed == "tar.zst":
        subprocess.run(["zstd", "-q", str(tar)], check=True)
    path = tar.with_name("k3s-airgap-images-amd64." + packed)
    given = {"config": arguments(source, target, images)["config"], "archives": [str(path)]}
    first = mirror(tmp_path / "run", given)
    assert first.actions() == ["copied"] * 2, first.why
    assert target.digest(*placed(images[0])) == first.result["images"][0]["digest"]
    assert "tarball of one platform" in " ".join(first.output.split())
    assert mirror(tmp_path / "run", given).actions() == ["none"] * 2
    whole = mirror(tmp_path / "run", arguments(source, target, images, overwrite=True))
    assert whole.actions() == ["copied"] * 2, whole.why
    assert mirror(tmp_path / "run", given).actions() == ["none"] * 2, "the index has the tarball's image among others"


def _join(tars: list[Path], out: Path) -> None:
    """One tarball with the images of several, as ``docker save`` makes it."""
    manifests = []
    with tarfile.open(out, "w") as joined:
        names = set()
        for path in tars:
            with tarfile.open(path) as archive:
                for member in archive:
                    if member.name == "manifest.json":
                        manifests += json.load(archive.extractfile(member))  # type: ignore[arg-type]
                    elif member.name != "repositories" and member.name not in names:
                        names.add(member.name)
                        joined.addfile(member, archive.extractfile(member) if member.isfile() else None)
        text = out.with_name("manifest.json")
        text.write_text(json.dumps(manifests), encoding="utf-8")
        joined.add(text, "manifest.json")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *unused: object) -> None:
        """Quiet."""


@pytest.mark.nightly
def test_a_release_is_a_list_behind_its_url(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    place = tmp_path / "www" / "k3s-io" / "k3s" / "releases" / "download" / "v1.34.3+k3s1"
    place.mkdir(parents=True)
    (place / "k3s-images.txt").write_text("\n".join(few) + "\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "www")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        given = arguments(source, target, [], releases=["v1.34.3+k3s1"])
        given["release_url"] = "http://127.0.0.1:%d" % server.server_address[1]
        run = mirror(tmp_path / "run", given)
        assert run.actions() == ["copied"] * 6, run.why
        gone = mirror(tmp_path / "run", dict(given, releases=["v1.99.9+k3s1"]))
        assert gone.result["failed"] is True
        assert "Is there such a release?" in gone.result["msg"]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.nightly
def test_a_layout_of_another_tool_and_a_special_case(
    source: LocalRegistry, target: LocalRegistry, few: dict[str, str], tmp_path: Path
) -> None:
    image = next(iter(few))
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--all", "--src-tls-verify=false",
         "docker://%s/%s" % (source.host, image.partition("/")[2]), "oci:%s:%s" % (tmp_path / "layout", image)],
        check=True,
    )  # fmt: skip
    given = {
        "config": target.config(), "layouts": [str(tmp_path / "layout")],
        "mapping": {image: "%s/special/pause:x" % target.host},
    }  # fmt: skip
    run = mirror(tmp_path / "run", given)
    assert run.actions() == ["copied"], run.why
    assert target.digest("special/pause", "x") == few[image]
