# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work on the machine that copies: what there is, what is to be done, and doing it, for a while at a time."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, Iterator, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure

from . import archive, copy_plan, skopeo
from .client import LONGEST_WAIT
from .download import fetch
from .ends import Ends
from .exchange import Answer, Item, Request, Source, decoded, encoded
from .failures import RegistryFailure
from .layout import MANIFEST_FILE, Layout, LayoutProblem, check_export
from .messages import Messages


class MirrorProblem(Exception):
    """The request as a whole cannot be met; the text says why and what to do."""


def answer(given: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the controller asks for.

    :param given: a :class:`exchange.Request`, encoded as its answer is.
    :raises MirrorProblem: if nothing of it can be done.
    """
    request = decoded(Request, given)
    operation: Callable[[Request, archive.Workspace], Answer] = {
        "gather": _gather, "plan": _plan, "copy": _copy, "finish": _finish, "clean": _clean,
    }[request.operation]  # fmt: skip
    messages = Messages(request.access.values())
    try:
        found: dict[str, Any] = encoded(messages.clean(operation(request, archive.Workspace(request.token))))
        return found
    except MirrorProblem as problem:
        raise MirrorProblem(messages.text(str(problem))) from None
    except (archive.ArchiveProblem, LayoutProblem, OSError) as error:
        raise MirrorProblem(messages.text(str(error))) from error


def _gather(request: Request, workspace: archive.Workspace) -> Answer:
    """The lists behind URLs, and the images in tarballs and layouts."""
    images: list[Item] = []
    for path in request.archives:
        tar = archive.plain_tar(path, workspace)
        saved = archive.saved_images(tar, path)
        if saved is None:
            images += _of_layout(archive.unpack_layout(tar, workspace, path), path)
        else:
            images += [
                Item(item.image, Source("archive", path=tar, name=item.name, config=item.config)) for item in saved
            ]
    for path in request.layouts:
        images += _of_layout(_folder_of(path, workspace), path)
    for path in request.imports:
        images += _of_import(_folder_of(path, workspace), path)
    return Answer(images, texts=[_fetch(url, request.timeout) for url in request.urls])


def _folder_of(path: str, workspace: archive.Workspace) -> str:
    if os.path.isdir(path):
        return path
    return archive.unpack_layout(archive.plain_tar(path, workspace), workspace, path)


def _of_layout(folder: str, where: str) -> list[Item]:
    layout = Layout(folder)
    if not layout.images:
        raise MirrorProblem("%s names no image: its index.json has no full names as annotations" % where)
    return [
        Item(name, Source("layout", path=folder, digest=item["digest"], media_type=item["mediaType"]))
        for name, item in layout.images.items()
    ]


def _of_import(folder: str, where: str) -> list[Item]:
    """The images of an export, and those of its manifest that are not as it says."""
    wanted, found = Layout(folder).read_manifest(), {item.image: item for item in _of_layout(folder, where)}
    images = []
    for name, digest in wanted.items():
        item = found.pop(name, None)
        if item is None or item.source.digest != digest:
            has = "lacks it" if item is None else "has %s" % item.source.digest
            item = Item(name, Source("layout", path=folder, digest=digest))
            message = "%s: the manifest says %s, the index %s: copy the export again" % (where, digest, has)
            item.fail("digest_mismatch", message)
        images.append(item)
    if found:
        raise MirrorProblem("%s: not in the manifest of the export: %s" % (where, ", ".join(sorted(found))))
    return images


def _fetch(url: str, timeout: float) -> str:
    try:
        return fetch(url, timeout)
    except RegistryFailure as problem:
        advice = "Without internet, download it elsewhere and name the file with image_files"
        raise MirrorProblem(
            "the image list %s cannot be had: %s. %s"
            % (url, problem, "Is there such a release?" if problem.cause == "not_found" else advice)
        ) from problem


def _plan(request: Request, workspace: archive.Workspace) -> Answer:
    check_export(request.export, request.export_tar)
    items = request.items
    with Ends(request, workspace) as ends, _stopped_by_signals(ends):
        _each(lambda item: _inspect(ends, item), _first_of_each_side(items), 1)
        _each(lambda item: _inspect(ends, item), items, request.lookups)
        needed = any(copy_plan.to_copy(item, overwrite=True) and item.source.kind == "archive" for item in items)
        tool = skopeo.version() if needed else ""
        return Answer(items, ends.broken, skopeo=tool, skopeo_needed=needed, unfinished=_unfinished(request))


def _unfinished(request: Request) -> bool:
    """Whether an earlier export of the same images was struck before its end."""
    root = request.export
    if request.export_tar:
        return os.path.isdir(root)
    return bool(root) and os.path.isdir(root) and not os.path.exists(os.path.join(root, MANIFEST_FILE))


def _open_export(request: Request) -> None:
    """If only the tarball of an earlier export is left, the export goes on from that."""
    root, tar = request.export, request.export_tar
    if tar and os.path.exists(tar) and not os.path.isdir(root):
        archive.unpack(tar, root, tar)


def _first_of_each_side(items: Iterable[Item]) -> list[Item]:
    """One image for each pair of sides: if a side fails as a whole, nothing else is asked there."""
    found: dict[str, Item] = {}
    for item in items:
        source, target = item.source.place, item.target.place
        if not item.state and source is not None and target is not None:
            found.setdefault(source.host, item)
            found.setdefault("to " + target.host, item)
    return list({id(item): item for item in found.values()}.values())


def _inspect(ends: Ends, item: Item) -> None:
    """Enter an image's state and the digests on both sides."""
    if not item.state and not _succeeds(ends, item, lambda: _compare(ends, item)):
        item.state = copy_plan.FAILED


def _compare(ends: Ends, item: Item) -> None:
    place = item.source.place
    pinned = place.reference if place is not None and ":" in place.reference else ""
    if pinned and item.target.place is not None and ends.present(item, None) == pinned:
        item.state, item.digest, item.target_digest = copy_plan.SAME, pinned, pinned
        return
    offer = ends.offer(item.source)
    there = ends.present(item, offer)
    item.target_digest = there or ""
    if offer is None:
        what = "%s/%s has no %s" % place[1:] if place is not None else "it is not there"
        item.fail("not_found", what + ("; the target has it (%s)" % there if there else ""))
        item.state = copy_plan.SOURCE_MISSING
        return
    if there is not None and offer.whole_digest == there:
        # The whole index is there: more than was asked for.
        item.state, item.digest = copy_plan.SAME, there
        return
    item.state = copy_plan.state_of(offer.digest, there)
    item.digest, item.whole_digest = offer.digest, offer.whole_digest
    if offer.left_out:
        item.is_part = True
        item.note = (
            "the index's digest changes from %s to %s, since it names fewer platforms (without %s): what pins the "
            "digest of the whole index does not find it" % (offer.whole_digest, offer.digest, ", ".join(offer.left_out))
        )
        if pinned:
            part = "it is asked for by its digest, which a part of its platforms cannot keep: copy all platforms"
            item.fail("platform_missing", part)
    elif offer.by_config:
        item.note = "from a tarball of one platform: its digest in the registry is not that of the published index"


def _succeeds(ends: Ends, item: Item, work: Callable[[], None]) -> bool:
    """Whatever goes wrong in it is that image's failure, and does not keep the others from theirs."""
    try:
        work()
        return True
    except RegistryFailure as problem:
        ends.note(item, problem)
        item.cause, item.message = problem.cause, str(problem)
    except Failure as problem:
        item.cause, item.message = problem.cause, "this machine: %s" % problem
    except OSError as error:
        item.cause, item.message = "unknown", "this machine: %s" % error
    except Exception as error:  # noqa: BLE001  # a fault of ours, which some odd answer brings out, fails one image too
        item.cause, item.message = "unknown", "unexpected %s: %s" % (type(error).__name__, error)
    return False


def _copy(request: Request, workspace: archive.Workspace) -> Answer:
    """Copy for ``seconds``: no copy is begun after that. Returns what has been done; the rest is asked for again."""
    waiting, lock = list(request.items), threading.Lock()
    done: list[Item] = []
    until = time.monotonic() + request.seconds
    check_export(request.export, request.export_tar)
    _open_export(request)
    with Ends(request, workspace) as ends, _stopped_by_signals(ends):

        def work(number: int) -> None:
            del number
            while True:
                with lock:
                    if not waiting or ends.stopped.is_set() or (done and time.monotonic() >= until):
                        return
                    item = waiting.pop(0)
                _copy_one(ends, item, request.retries)
                with lock:
                    done.append(item)

        parallel = max(1, request.parallel)
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(work, range(parallel)))
        return Answer(done, ends.broken)


@contextlib.contextmanager
def _stopped_by_signals(ends: Ends) -> Iterator[None]:
    """When this process is told to end, what it has begun ends first, through every ``with``."""

    def stop(*unused: Any) -> None:
        ends.stop()
        raise SystemExit(1)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _copy_one(ends: Ends, item: Item, retries: int) -> None:
    """Copy an image, try again if that may help, and enter how it ended."""
    began = time.monotonic()

    def copy() -> None:
        for place, side in ((item.source.place, "src"), (item.target.place, "dest")):
            if place is not None:
                # Nothing is asked of a side that has failed as a whole.
                ends.client(side, place)
        item.digest, item.bytes = _try_to_copy(ends, item, retries)

    item.action = "copied" if _succeeds(ends, item, copy) else "failed"
    item.seconds = round(time.monotonic() - began, 2)


def _try_to_copy(ends: Ends, item: Item, retries: int) -> tuple[str, int]:
    attempt = 0
    while True:
        try:
            return ends.write(item)
        except RegistryFailure as problem:
            wait = float(2**attempt) if problem.retry_after is None else problem.retry_after
            again = problem.worth_another_try and not problem.whole and wait <= LONGEST_WAIT
            if attempt >= retries or not again or ends.stopped.is_set():
                raise
            attempt += 1
            ends.stopped.wait(wait)


def _finish(request: Request, workspace: archive.Workspace) -> Answer:
    """Close an export, and pack it if a tarball is wanted."""
    root, tar = request.export, request.export_tar
    check_export(root, tar)
    with Ends(request, workspace) as ends:
        ends.close(root)
    if tar:
        if request.pack or not os.path.exists(tar):
            archive.pack(root, tar)
        shutil.rmtree(root, ignore_errors=True)
    return Answer()


def _clean(unused: Request, workspace: archive.Workspace) -> Answer:
    workspace.remove()
    return Answer()


def _each(work: Callable[[Item], None], items: Iterable[Item], parallel: int) -> None:
    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(work, items))
