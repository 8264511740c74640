# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task's arguments to the archives that its nodes must have, made if they are not there yet."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from typing import Any, Callable, Iterator, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.archive import (
    ArchiveProblem as TarballProblem,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.archive import (
    Workspace,
    packed_file,
    plain_tar,
    saved_images,
    unpack,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import Layout, LayoutProblem, named
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import extension_of, file_name
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import read_json
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

from .catalogue import STAGING, Catalogue, Stored, described, stamp_of
from .pack import PackProblem, pack, source_of


class StockProblem(Exception):
    """The archives cannot be had; the text says which file is wrong and what to do."""


class Stock(NamedTuple):
    """The archives of a task.

    :ivar stored: those that are there.
    :ivar made: the files of those that were made just now.
    :ivar to_make: in check mode, the images whose archives are not there yet.
    """

    stored: list[Stored]
    made: list[str]
    to_make: list[str]


def stock_of(
    arguments: Mapping[str, Any], find: Callable[[str], str], check: bool, said: Callable[[str], None]
) -> Stock:
    """All archives that the arguments ask for, each once.

    :param find: the full path of a file of the controller; raises ValueError if there is none.
    :param check: make nothing.
    :param said: is told what is made, before it is.
    :raises StockProblem: if something is missing, damaged, or cannot be made.
    """
    catalogue = Catalogue(os.path.expanduser(arguments["archive_dir"]))
    try:
        if check:
            return _stock(catalogue.peek(), arguments, find, True, said)
        with catalogue.opened():
            try:
                return _stock(catalogue, arguments, find, False, said)
            finally:
                shutil.rmtree(os.path.join(catalogue.folder, STAGING), ignore_errors=True)
    except (FileProblem, LayoutProblem, PackProblem, RegistryFailure, TarballProblem) as problem:
        raise StockProblem(str(problem)) from problem
    except OSError as error:
        raise StockProblem("%s: %s" % (error.filename or catalogue.folder, error.strerror or error)) from error


def _stock(
    catalogue: Catalogue, arguments: Mapping[str, Any], find: Callable[[str], str], check: bool,
    said: Callable[[str], None],
) -> Stock:  # fmt: skip
    stock = Stock([], [], [])
    for given in arguments["layouts"]:
        path, wanted = _layout(given)
        listed = _listed(path, missing_is_empty=check)
        chosen = [image for image in listed if not wanted or image in wanted]
        lacking = sorted(wanted - set(listed))
        if lacking and not check:
            raise StockProblem("layouts: %s has no %s" % (path, ", ".join(lacking)))
        stock.to_make.extend(lacking)
        _of_layout(
            catalogue, path, {image: listed[image] for image in chosen}, arguments["compression"], stock, check, said
        )
    for path in arguments["archives"]:
        stock.stored.append(_given(catalogue, _found(find, path), check))
    return stock._replace(stored=list({item.archive.file: item for item in stock.stored}.values()))


def _layout(given: Any) -> tuple[str, set[str]]:
    """The path of an export, and the images of it that are wanted; all if there are none."""
    if isinstance(given, str):
        given = {"path": given}
    images = (given.get("images") or []) if isinstance(given, Mapping) else None
    if not isinstance(images, list) or set(given) - {"path", "images"} or not isinstance(given.get("path"), str):
        raise StockProblem("layouts: each is a path, or a mapping of path and images (a list)")
    return os.path.expanduser(given["path"]), _normalised(images)


def _normalised(images: list[str]) -> set[str]:
    try:
        return {parse_image(image).text for image in images}
    except ImageError as error:
        raise StockProblem("layouts: images: %s" % error) from error


def _found(find: Callable[[str], str], path: str) -> str:
    try:
        return find(path)
    except ValueError as problem:
        raise StockProblem("archives: %s: %s" % (path, problem)) from problem


def _listed(path: str, missing_is_empty: bool) -> dict[str, dict[str, Any]]:
    """The images of an export by name, without unpacking it."""
    if missing_is_empty and not os.path.exists(path):
        return {}
    if os.path.isdir(path):
        return Layout(path).images
    content = packed_file(path, "index.json") if os.path.isfile(path) else b""
    try:
        return named(read_json(content)["manifests"])
    except (ValueError, KeyError, TypeError) as error:
        raise StockProblem(
            "layouts: %s is neither the folder nor the tarball of an OCI layout with an index.json. A tarball of "
            "docker save belongs into archives" % path
        ) from error


def _of_layout(
    catalogue: Catalogue, path: str, images: Mapping[str, Mapping[str, Any]], compression: str, stock: Stock,
    check: bool, said: Callable[[str], None],
) -> None:  # fmt: skip
    missing = []
    for image, top in images.items():
        known = catalogue.find(source_of(image, top["digest"], compression))
        if known is None:
            missing.append(image)
        else:
            stock.stored.append(known)
    if check:
        stock.to_make.extend(missing)
        return
    if not missing:
        return
    with _unpacked(catalogue, path) as folder:
        layout = Layout(folder)
        for number, image in enumerate(missing, 1):
            said("[%*d/%d] packing %s" % (len(str(len(missing))), number, len(missing), image))
            found = pack(catalogue, layout, image, compression)
            stock.stored.append(found)
            stock.made.append(found.archive.file)


@contextlib.contextmanager
def _unpacked(catalogue: Catalogue, path: str) -> Iterator[str]:
    if os.path.isdir(path):
        yield path
        return
    folder = os.path.join(catalogue.staging(), "layout")
    unpack(path, folder, path)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _given(catalogue: Catalogue, path: str, check: bool) -> Stored:
    """An archive of the operator's, which stays where it is."""
    extension = extension_of(path)
    if not extension:
        raise StockProblem("archives: %s: K3s imports no file whose name ends like this" % path)
    size, mtime_ns = stamp_of(path)
    source = "file %s %d %d" % (path, size, mtime_ns)
    known = catalogue.find(source)
    if known is not None:
        return known
    images = _images_in(path)
    stem = os.path.basename(path)[: -len(extension)]
    archive = described(path, lambda digest: file_name(stem, digest, extension), images)
    found = Stored(archive, path)
    return found if check else catalogue.enter(source, found)


def _images_in(path: str) -> list[str]:
    """The names of the images in a tarball, of whichever kind."""
    workspace = Workspace(uuid.uuid4().hex)
    try:
        tar = plain_tar(path, workspace)
        saved = saved_images(tar, path)
        if saved is not None:
            found = [item.image for item in saved]
        else:
            content = packed_file(tar, "index.json")
            found = list(named(read_json(content)["manifests"])) if content else []
    except (ValueError, KeyError, TypeError) as error:
        raise StockProblem("archives: %s: its index.json cannot be read: %s" % (path, error)) from error
    finally:
        workspace.remove()
    if not found:
        raise StockProblem(
            "archives: %s names no image, so nobody could tell whether it was imported. It must be a tarball of docker "
            "save or of an OCI layout, plain or packed with gzip or zstd" % path
        )
    return list(dict.fromkeys(found))
