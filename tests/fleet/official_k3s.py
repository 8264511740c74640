# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Official releases of K3s: which one is the latest, and the program itself, compared with the release's checksum."""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.fleet.podman import CHECKOUT
from tests.fleet.process import FleetError, say

#: What stands for the newest release, whichever that is today.
LATEST = "latest"
CACHE = CHECKOUT / ".cache" / "k3s"
NAME = re.compile(r"v\d+\.\d+\.\d+([-.a-z0-9]*)\+k3s\d+")
# K3s publishes more architectures; these are the ones on which the fleet's node image can be built.
_SUFFIXES = {"x86_64": ("k3s", "sha256sum-amd64.txt"), "aarch64": ("k3s-arm64", "sha256sum-arm64.txt")}
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """Where releases come from. Tests put a server of their own in GitHub's place.

    :ivar downloads: below it is a folder for each release.
    :ivar latest: redirects to the page of the newest release, as K3s' installer uses it.
    :ivar seconds: how long a server may be silent.
    """

    downloads: str = "https://github.com/k3s-io/k3s/releases/download"
    latest: str = "https://update.k3s.io/v1-release/channels/latest"
    seconds: float = 30.0


def resolve(name: str, source: Source | None = None) -> str:
    """``name``, or what it stands for today if it is ``latest``.

    :raises FleetError: for what is no name of a release, and if nobody says which is the latest.
    """
    if name == LATEST:
        name = _latest(source or Source())
    if not NAME.fullmatch(name):
        raise FleetError("%r is not a release of K3s; v1.34.3+k3s1 is one, and so is %s" % (name, LATEST))
    return name


def fetch(name: str, folder: Path = CACHE, source: Source | None = None) -> Path:
    """The program of a release: the one that is there, or a download with the right checksum.

    :raises OSError: if the server cannot be reached or breaks off.
    :raises FleetError: if it has no such release, or sends something else than the checksum says.
    """
    source = source or Source()
    target = folder / name / "k3s"
    if target.is_file():
        return target
    program, sums = _names()
    place = "%s/%s" % (source.downloads, urllib.parse.quote(name, safe=""))
    wanted = _checksum(place, program, sums, source.seconds)
    say("Downloading K3s %s (once) ..." % name)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of its own: two runs may want the same release at once.
    handle, partial = tempfile.mkstemp(prefix="k3s.", dir=target.parent)
    os.close(handle)
    try:
        found = _copy("%s/%s" % (place, program), Path(partial), source.seconds)
        if found != wanted:
            raise FleetError("K3s %s: the download's checksum is %s, %s says %s" % (name, found, sums, wanted))
        Path(partial).chmod(0o755)
        os.replace(partial, target)
    finally:
        Path(partial).unlink(missing_ok=True)
    return target


def _names() -> tuple[str, str]:
    machine = platform.machine()
    if machine not in _SUFFIXES:
        raise FleetError("the fleet takes no official K3s for %s; set K3S_BINARY to one" % machine)
    return _SUFFIXES[machine]


def _latest(source: Source) -> str:
    with _open(source.latest, source.seconds) as answer:
        return urllib.parse.unquote(answer.url.rstrip("/").rpartition("/")[2])


def _checksum(place: str, program: str, sums: str, seconds: float) -> str:
    with _open("%s/%s" % (place, sums), seconds) as answer:
        text = answer.read(_BLOCK).decode("utf-8", "replace")
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](\S+)", line.strip())
        if match and match.group(2) == program:
            return match.group(1)
    raise FleetError("%s/%s does not list %s" % (place, sums, program))


def _copy(url: str, target: Path, seconds: float) -> str:
    """Save what is at ``url``; returns its SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with _open(url, seconds) as answer, target.open("wb") as handle:
        while block := answer.read(_BLOCK):
            digest.update(block)
            size += handle.write(block)
        promised = answer.headers.get("Content-Length", "")
    if promised.isdecimal() and size < int(promised):
        raise OSError("%s breaks off after %d of %s bytes" % (url, size, promised))
    return digest.hexdigest()


def _open(url: str, seconds: float) -> http.client.HTTPResponse:
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(url, timeout=seconds)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code >= 500:  # a server that is in trouble now, as one that cannot be reached
            raise OSError("%s answers %d %s" % (url, error.code, error.reason)) from None
        raise FleetError("%s answers %d %s" % (url, error.code, error.reason)) from None
    return answer
