# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives in `agent/images`: imported before the kubelet starts, and whenever something changes there.

Source: `pkg/agent/containerd/watcher.go` and `containerd.go`. What K3s is told by inotify is found here by comparing
listings five times a second; what it does then is the same, its oddities included:

- it watches the folder above, and takes every path that begins with `agent/images` for one within;
- it looks at a path two seconds after its first event, complete or not;
- it imports a file that it knows only if that was gone, or has another size and is newer;
- all images that it pinned are unpinned at its start, and pinned again as they are imported.

Lists of images to pull (`.txt`) are passed over.
"""

from __future__ import annotations

import bz2
import gzip
import json
import os
import re
import subprocess
import tarfile
import tempfile
import threading
import time
from typing import Any

from stand_in import log
from stand_in.node import Node

_EXTENSIONS = (".tar", ".tar.lz4", ".tar.bz2", ".tbz", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".txt")
_DELAY = 2.0
_LOOK = 0.2
_PROBLEMS = (OSError, EOFError, KeyError, RuntimeError, ValueError, tarfile.TarError, subprocess.CalledProcessError)
_CRI_PIN = "io.cri-containerd.pinned"
# docs.k3s.io/import-images: January 2025.
_WATCHED_SINCE = {29: 13, 30: 9, 31: 5, 32: 0}


def watches(release: str) -> bool:
    """Whether this release looks at the folder while it runs, not only at its start."""
    found = re.match(r"v1\.(\d+)\.(\d+)", release)
    if found is None:
        return True
    minor, patch = int(found.group(1)), int(found.group(2))
    return minor > max(_WATCHED_SINCE) or (minor in _WATCHED_SINCE and patch >= _WATCHED_SINCE[minor])


class Images:
    """The folder of one node."""

    def __init__(self, node: Node, stop: threading.Event) -> None:
        self.node, self.stop = node, stop
        self.folder = node.agent_dir + "/images"
        self.pin = "io.cattle.%s.pinned" % node.program
        self.files: dict[str, tuple[int, int]] = {}
        self.watched: set[str] = {node.agent_dir}

    def start(self) -> None:
        """Import what is there, and watch from then on."""
        self._unpin()
        seen = self._listing()
        self._look_at(self.folder)
        if watches(self.node.release):
            threading.Thread(target=self._watch, args=(seen,), daemon=True).start()

    def _watch(self, seen: dict[str, tuple[int, ...]]) -> None:
        due: dict[str, float] = {}
        while not self.stop.wait(_LOOK):
            now = self._listing()
            for path in seen.keys() | now.keys():
                if seen.get(path) != now.get(path):
                    due.setdefault(path, time.monotonic() + _DELAY)
            seen = now
            for path in [path for path, moment in due.items() if moment <= time.monotonic()]:
                del due[path]
                self._look_at(path)

    def _listing(self) -> dict[str, tuple[int, ...]]:
        """What would give an event if it changed: whatever is in the folders that are watched."""
        found: dict[str, tuple[int, ...]] = {}
        for folder in self.watched:
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            for name in names:
                path = os.path.join(folder, name)
                if not path.startswith(self.folder):
                    continue
                try:
                    status = os.stat(path)
                except OSError:
                    continue
                changing = () if os.path.isdir(path) else (status.st_size, status.st_mtime_ns)
                found[path] = (status.st_ino, *changing)
        return found

    def _look_at(self, path: str) -> None:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            if path == self.folder:
                self.files.clear()
            self.files.pop(path, None)
            return
        if os.path.isdir(path):
            self.watched.add(path)
            for name in sorted(os.listdir(path)):
                self._look_at(os.path.join(path, name))
            return
        if not path.endswith(_EXTENSIONS):
            return
        known = self.files.get(path)
        if known is None or (status.st_size != known[0] and status.st_mtime_ns > known[1]):
            began = time.monotonic()
            try:
                self._take(path)
            except _PROBLEMS as error:
                log.log("error", "Failed to process image event: failed to import %s: %s" % (path, error))
                return
            log.info("Imported images from %s in %.3fs" % (path, time.monotonic() - began))
            self.files[path] = (status.st_size, status.st_mtime_ns)

    def _take(self, path: str) -> None:
        if path.endswith(".txt"):
            return
        log.info("Importing images from " + path)
        with tempfile.TemporaryDirectory(dir="/run") as folder:
            plain = os.path.join(folder, "plain.tar")
            with open(plain, "wb") as out:
                _unpack(path, out)
            names = names_in(plain)
            self._ctr("images", "import", "--no-unpack", "--all-platforms", plain)
        digests = {line.split()[0]: _digest(line) for line in self._ctr("images", "ls").splitlines()[1:]}
        for name in names:
            self._ctr("images", "label", name, self.pin + "=pinned", _CRI_PIN + "=pinned")
            log.info("Imported " + name)
            self._ctr("images", "tag", "--force", name, "%s@%s" % (name.rpartition(":")[0], digests[name]))

    def _unpin(self) -> None:
        for line in self._ctr("images", "ls").splitlines()[1:]:
            if self.pin + "=pinned" in line.split()[-1].split(","):
                self._ctr("images", "label", line.split()[0], self.pin + "=", _CRI_PIN + "=")

    def _ctr(self, *arguments: str) -> str:
        command = ["/usr/bin/ctr", "--address", self.node.socket, "--namespace", "k8s.io", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["ctr failed"])[-1])
        return done.stdout


def _digest(line: str) -> str:
    return next((field for field in line.split() if field.startswith("sha256:")), "")


def _unpack(path: str, out: Any) -> None:
    """K3s unpacks a file by the end of its name: rancher/wharfie `pkg/tarfile`."""
    if path.endswith((".tar.zst", ".tzst")):
        subprocess.run(["zstd", "-dcq", path], stdout=out, check=True)
        return
    if path.endswith(".tar.lz4"):
        raise RuntimeError("the stand-in does not unpack lz4")
    opened: Any = open
    if path.endswith((".tar.gz", ".tgz")):
        opened = gzip.open
    elif path.endswith((".tar.bz2", ".tbz")):
        opened = bz2.open
    with opened(path, "rb") as source:
        for piece in iter(lambda: source.read(1 << 20), b""):
            out.write(piece)


def names_in(path: str) -> list[str]:
    """The names that containerd gives to the images of a tarball, of an OCI layout or of `docker save`."""
    with tarfile.open(path) as tar:
        members = {member.name: member for member in tar}

        def read(name: str) -> Any:
            handle = tar.extractfile(members[name])
            assert handle is not None
            return json.load(handle)

        if "index.json" in members:
            notes = [item.get("annotations", {}) for item in read("index.json")["manifests"]]
            return [note["io.containerd.image.name"] for note in notes if "io.containerd.image.name" in note]
        return [_full(name) for item in read("manifest.json") for name in item.get("RepoTags") or []]


def _full(name: str) -> str:
    """As docker.io's names are written out."""
    first, slash, _rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return "docker.io/" + (name if slash else "library/" + name)
