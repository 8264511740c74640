# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror against ``skopeo sync`` of the same forty images, between registries of this machine.

Measured is the work on the machine that copies, as Ansible starts it: the module's process for the plan, and for the
copies. What Ansible itself takes to start belongs to any task, and to none of the two.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import Answer, Request, encoded
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror_request import wanted
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror_request.accesses import Accesses

from tests.bench.measurement import Measurement
from tests.bench.ratios import Question
from tests.bench.rounds import Timings
from tests.conftest import CHECKOUT, COLLECTIONS
from tests.mirror.distance import Distance
from tests.mirror.images import LARGE, Filler, names
from tests.mirror.registries import LocalRegistry, check_programs

_ROUND_TRIP = 0.02
"""Seconds: a registry in the same part of the world."""

FASTER = 5.0
"""Times faster than skopeo, if there is nothing to copy and the registries are that far away."""
_ROUNDS = 3

_MODULE = CHECKOUT / "plugins" / "modules" / "k3s_image_mirror.py"


def measurements() -> Iterator[Measurement]:
    """First copy and unchanged second run, each beside skopeo's."""
    check_programs()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # Targets as people have them: TLS, client certificate, password.
        registries = [LocalRegistry(folder / name, secure=name != "source") for name in ("source", "ours", "theirs")]
        try:
            yield from _compared(folder, *registries)
        finally:
            for registry in registries:
                registry.stop()


def _compared(folder: Path, source: LocalRegistry, ours: LocalRegistry, theirs: LocalRegistry) -> Iterator[Measurement]:
    images = names(40)
    digests = Filler(source).fill(images, large=60_000_000)
    first = _both(folder, "here", source, ours, theirs, images, copies=40)
    repository, _colon, tag = LARGE.partition("/")[2].rpartition(":")
    if not ours.digest(repository, tag) == digests[LARGE] == theirs.digest("large", tag):
        raise RuntimeError("the large image has another digest after the copy")
    yield Measurement("40 images copied by skopeo sync --all", first[1], "s")
    yield Measurement("the same by k3s_image_mirror", first[0], "s", budget=round(first[1], 1))
    again = _both(folder, "again", source, ours, theirs, images, copies=0)
    yield Measurement("unchanged, on this machine: skopeo sync --all", again[1], "s")
    yield Measurement("unchanged, on this machine: k3s_image_mirror", again[0], "s")
    with Distance(_ROUND_TRIP) as distance:
        far = [distance.to(registry) for registry in (source, ours, theirs)]
        timings, faster = Timings(), Question(("skopeo",), ("mirror",), FASTER, at_least=True)
        # Skopeo takes half a minute, nearly all of it waiting, which other work does not disturb.
        while len(timings.rounds) < _ROUNDS and not (timings.rounds and timings.ratio(faster).settles(FASTER)):
            folder_of_round = "away-%d" % len(timings.rounds)
            away = _both(folder, folder_of_round, far[0], far[1], far[2], images, copies=0)
            timings.rounds.append(dict(zip(("mirror", "skopeo"), away)))
    yield timings.plain("unchanged, 20 ms away: skopeo sync --all", "skopeo")
    yield timings.plain("unchanged, 20 ms away: k3s_image_mirror", "mirror")
    yield timings.judged("unchanged, 20 ms away: faster by", faster)


def _both(
    folder: Path, name: str, source: LocalRegistry, ours: LocalRegistry, theirs: LocalRegistry, images: list[str],
    copies: int,
) -> tuple[float, float]:  # fmt: skip
    """Seconds that the mirror takes, and that skopeo takes, one after the other."""
    sync = _sync_command(folder / name, source, theirs, images)
    began = time.monotonic()
    subprocess.run(sync, check=True, capture_output=True, env=_environment(folder, "theirs"))
    skopeo = time.monotonic() - began
    request = _request(source, ours, images)
    began = time.monotonic()
    planned = _ask(folder, dict(request, operation="plan"))
    waiting = [item for item in planned["items"] if item["state"] == "missing"]
    if waiting:
        _ask(folder, dict(request, operation="copy", items=waiting, seconds=3600))
    mirror = time.monotonic() - began
    if len(waiting) != copies:
        raise RuntimeError("%s: %d images to copy instead of %d" % (name, len(waiting), copies))
    return mirror, skopeo


def _request(source: LocalRegistry, target: LocalRegistry, images: list[str]) -> dict[str, Any]:
    """What the action plugin asks of the module."""
    arguments = {
        "images": images, "image_files": [], "releases": [], "release_url": "", "platforms": [], "export_to": None,
        "source_registries": {"docker.io": source.url}, "mapping": {}, "endpoint": "", "system_default_registry": "",
    }  # fmt: skip
    config = target.config()
    items = wanted.wanted(arguments, normalise({"mirrors": config["mirrors"]}), Answer(), lambda path: b"")
    sides = {"src": Accesses({}, _read), "dest": Accesses(config, _read)}
    access = {
        key: sides[key.partition(":")[0]].of(key.partition(":")[2], scheme)
        for key, scheme in wanted.hosts_of(items).items()
    }
    found: dict[str, Any] = encoded(Request(token="bench", items=items, access=access))
    return found


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


def _ask(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {"request": json.dumps(request)}})
    done = subprocess.run(
        [sys.executable, str(_MODULE)], input=given, text=True, check=True, capture_output=True,
        env=_environment(folder, "ours"),
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)["answer"]
    failed = [item["message"] for item in found["items"] if item.get("action") == "failed" or item["state"] == "failed"]
    if failed:
        raise RuntimeError("; ".join(failed))
    return found


def _environment(folder: Path, side: str) -> dict[str, str]:
    """Each with a home of its own: skopeo remembers which registry has which layer."""
    home = folder / ("home-" + side)
    home.mkdir(exist_ok=True)
    return dict(
        os.environ, HOME=str(home), XDG_DATA_HOME=str(home), PYTHONPATH=str(COLLECTIONS),
        _ANSIBLE_LEGACY_MODULE_PROFILE="legacy",
    )  # fmt: skip


def _sync_command(folder: Path, source: LocalRegistry, target: LocalRegistry, images: list[str]) -> list[str]:
    folder.mkdir()
    wanted_tags: dict[str, list[str]] = {}
    for image in images:
        repository, _colon, tag = image.partition("/")[2].rpartition(":")
        wanted_tags.setdefault(repository, []).append(tag)
    listed = {source.host: {"tls-verify": False, "images": wanted_tags}}
    (folder / "sync.yml").write_text(yaml.safe_dump(listed), encoding="utf-8")
    certificates = folder / "certificates"
    certificates.mkdir()
    for name, kept in (("ca.crt", "ca.crt"), ("client.crt", "client.cert"), ("client.key", "client.key")):
        shutil.copy(target.folder / name, certificates / kept)
    return [
        "skopeo", "sync", "--all", "--src", "yaml", "--dest", "docker", "--dest-cert-dir", str(certificates),
        "--dest-authfile", str(_auth_file(folder, target)), str(folder / "sync.yml"), target.host,
    ]  # fmt: skip


def _auth_file(folder: Path, target: LocalRegistry) -> Path:
    path = folder / "auth.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"auths": {target.host: {"auth": target.authorization["Authorization"][6:]}}}))
    return path
