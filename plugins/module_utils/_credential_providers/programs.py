# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The providers' programs on a node: kept once per content, and linked into the folder that the kubelet looks in.

``<bin_dir>/.k3sfleet/<sha256>`` is a content, ``<bin_dir>/<name>`` a hard link to it: to update a program or to put it
back is one rename. A provider that the node has already is a symbolic link over ``.k3sfleet/<name>.link``. So what lies
in the kubelet's folder tells by itself whether it is the collection's, and nothing else there is ever touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from functools import partial
from typing import IO, Callable, Iterable, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files, folders

from . import made_folders, program
from .provider import Provider

STORE = ".k3sfleet"
_LINK = ".link"
_MODE = 0o700
_CHUNK = 1 << 20
_SEEN: dict[tuple[int, ...], str] = {}
LARGEST = 512 << 20
"""Bytes that a program may have: many times what any provider has."""


def missing(bin_dir: str, providers: Iterable[Provider]) -> list[str]:
    """The contents that the node does not have yet, by their checksums."""
    wanted = dict.fromkeys(provider.sha256 for provider in providers if provider.sha256)
    return [sha256 for sha256 in wanted if _checksum(os.path.join(bin_dir, STORE, sha256)) != sha256]


def keep(bin_dir: str, sha256: str, source: IO[bytes]) -> None:
    """Take a content in.

    :raises FileProblem: when it is not what its checksum says, or cannot be written.
    """
    store = _made(bin_dir)
    path = os.path.join(store, sha256)
    temporary = path + files.TEMPORARY_SUFFIX
    with files.reported("write", path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        digest, size = hashlib.sha256(), 0
        with os.fdopen(descriptor, "wb") as handle:
            for chunk in iter(lambda: source.read(_CHUNK), b""):
                digest.update(chunk)
                size += len(chunk)
                if size > LARGEST:
                    break
                handle.write(chunk)
            handle.flush()
            os.fchmod(handle.fileno(), _MODE)
            os.fsync(handle.fileno())
        if digest.hexdigest() != sha256:
            os.unlink(temporary)
            raise files.FileProblem("the program %s did not arrive as it was sent; run it again" % sha256)
        os.rename(temporary, path)
    files.sync_directory(store)


def take_over(bin_dir: str, providers: Iterable[Provider]) -> None:
    """Keep the contents that lie in the kubelet's folder already, put there by somebody else: they need not travel.

    :raises FileProblem: when one cannot be kept.
    """
    for provider in providers:
        path = os.path.join(bin_dir, provider.name)
        if missing(bin_dir, [provider]) and _checksum(path) == provider.sha256:
            with files.reported("read", path), open(path, "rb", opener=files.regular_only) as handle:
                keep(bin_dir, provider.sha256, handle)


def head(bin_dir: str, provider: Provider) -> bytes:
    """How a provider's program begins; empty if there is none.

    :raises FileProblem: when it cannot be read.
    """
    path = provider.path or os.path.join(bin_dir, STORE, provider.sha256)
    absence, reported = contextlib.suppress(FileNotFoundError), files.reported("read", path, but_absence=True)
    with absence, reported, open(path, "rb", opener=files.regular_only) as handle:
        return handle.read(program.HEAD)
    return b""


def changes(bin_dir: str, providers: Sequence[Provider]) -> list[tuple[str, str]]:
    """What :func:`place` and :func:`remove_obsolete` would do: paths with ``create``, ``update`` or ``remove``."""
    found = []
    for provider in providers:
        path = os.path.join(bin_dir, provider.name)
        if not _is_placed(bin_dir, provider):
            found.append((path, "update" if os.path.lexists(path) else "create"))
    return found + [(path, "remove") for path in obsolete(bin_dir, providers)]


def in_the_way(bin_dir: str, provider: Provider) -> bool:
    """Whether something else than what is wanted lies in a provider's place, and is not the collection's."""
    path = os.path.join(bin_dir, provider.name)
    if not os.path.lexists(path) or provider.path == path or _is_ours(bin_dir, provider.name):
        return False
    if provider.path:
        return os.path.realpath(path) != os.path.realpath(provider.path)
    return _checksum(path) != provider.sha256


def place(bin_dir: str, providers: Sequence[Provider]) -> None:
    """Link every provider's program into the kubelet's folder, each in one step.

    :raises FileProblem: when a content is not there, or cannot be linked.
    """
    wrong = [provider for provider in providers if not _is_placed(bin_dir, provider)]
    store = _made(bin_dir) if wrong else ""
    for provider in wrong:
        content = os.path.join(store, provider.sha256 or provider.name + _LINK)
        path = os.path.join(bin_dir, provider.name)
        if provider.path:
            _replace(content, partial(os.symlink, provider.path))
            _replace(path, partial(os.symlink, os.path.join(STORE, provider.name + _LINK)))
        else:
            _replace(path, partial(os.link, content))


def make_folder(bin_dir: str, folder: str) -> None:
    """Make the folder that the kubelet's configuration is in, which :func:`prune` takes away again.

    :raises FileProblem: when it cannot be made, or somebody else could change what lies in it.
    """
    new = made_folders.missing(folder)
    if new:
        store = _made(bin_dir)
        files.make_directory(folder, 0o755)
        made_folders.note(store, new)


def _replace(path: str, make: Callable[[str], None]) -> None:
    """Put what ``make`` makes in place of whatever is at ``path``."""
    temporary = path + files.TEMPORARY_SUFFIX
    with files.reported("write", path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        make(temporary)
        # A link to what lies there already would be left behind by the rename.
        os.rename(temporary, path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    files.sync_directory(os.path.dirname(path))


def obsolete(bin_dir: str, providers: Iterable[Provider]) -> list[str]:
    """The collection's programs in the kubelet's folder that nobody wants there."""
    if not os.path.isdir(os.path.join(bin_dir, STORE)):
        return []
    wanted = {provider.name for provider in providers}
    return [
        os.path.join(bin_dir, name)
        for name in _names_in(bin_dir)
        if name not in wanted and name != STORE and _is_ours(bin_dir, name)
    ]


def remove_obsolete(bin_dir: str, providers: Iterable[Provider]) -> None:
    """Take away what :func:`obsolete` names.

    :raises FileProblem: when it cannot be removed.
    """
    for path in obsolete(bin_dir, providers):
        files.remove(path, through_link=False)


def prune(bin_dir: str, kept: Iterable[str]) -> None:
    """Remove the contents that neither the kubelet's folder nor a kept state needs, and the collection's own folders
    that are empty then.

    :raises FileProblem: when one cannot be removed.
    """
    store = os.path.join(bin_dir, STORE)
    if not os.path.isdir(store):
        return
    names = [name for name in _names_in(store) if name != made_folders.NOTE]
    used = {*kept, *(name for name in names if _is_used(bin_dir, name))}
    for name in names:
        if name not in used:
            files.remove(os.path.join(store, name), through_link=False)
    made_folders.remove_empty(store)


def _is_used(bin_dir: str, content: str) -> bool:
    if content.endswith(_LINK):
        return _is_ours(bin_dir, content[: -len(_LINK)])
    path = os.path.join(bin_dir, STORE, content)
    return any(_is_same(path, os.path.join(bin_dir, name)) for name in _names_in(bin_dir) if name != STORE)


def _is_placed(bin_dir: str, provider: Provider) -> bool:
    path = os.path.join(bin_dir, provider.name)
    if provider.path == path:
        return True
    if provider.path:
        link = os.path.join(bin_dir, STORE, provider.name + _LINK)
        return _leads_to(path, os.path.join(STORE, provider.name + _LINK)) and _leads_to(link, provider.path)
    content = os.path.join(bin_dir, STORE, provider.sha256)
    return _is_same(path, content) and _checksum(content) == provider.sha256


def _is_ours(bin_dir: str, name: str) -> bool:
    path = os.path.join(bin_dir, name)
    if _leads_to(path, os.path.join(STORE, name + _LINK)):
        return True
    store = os.path.join(bin_dir, STORE)
    return any(_is_same(path, os.path.join(store, content)) for content in _names_in(store))


def _leads_to(path: str, target: str) -> bool:
    with contextlib.suppress(OSError):
        return os.readlink(path) == target
    return False


def _is_same(one: str, other: str) -> bool:
    """Whether two names are hard links to one file."""
    with contextlib.suppress(OSError):
        first, second = os.stat(one, follow_symlinks=False), os.stat(other, follow_symlinks=False)
        return stat.S_ISREG(first.st_mode) and os.path.samestat(first, second)
    return False


def _checksum(path: str) -> str:
    """The checksum of a program that only its owner may write, "" if there is none."""
    with contextlib.suppress(OSError), open(path, "rb", opener=files.regular_only) as handle:
        status = os.fstat(handle.fileno())
        if folders.trouble_with(status, path) or not status.st_mode & stat.S_IXUSR:
            return ""
        # A program is looked at several times in one call, and reading it takes the longest of all that is done.
        version = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        if version not in _SEEN:
            digest = hashlib.sha256()
            for chunk in iter(lambda: handle.read(_CHUNK), b""):
                digest.update(chunk)
            _SEEN[version] = digest.hexdigest()
        return _SEEN[version]
    return ""


def _made(bin_dir: str) -> str:
    """The store's folder, made where it is missing; what runs that died have left there goes.

    :raises FileProblem: when it cannot be made, or somebody else could change what lies in it.
    """
    store = os.path.join(bin_dir, STORE)
    new = made_folders.missing(bin_dir)
    files.make_directory(bin_dir, 0o755)
    files.make_directory(store, 0o700)
    files.remove_leftovers(store)
    made_folders.note(store, new)
    return store


def _names_in(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(os.listdir(folder))
    return []
