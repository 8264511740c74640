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

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror import archive, copy_plan, skopeo
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.client import LONGEST_WAIT
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.download import fetched
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.ends import Ends
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import (
    MANIFEST_FILE,
    Layout,
    LayoutProblem,
    check_export,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.messages import Messages
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure


class MirrorProblem(Exception):
    """The request as a whole cannot be met; the text says why and what to do."""


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the controller asks for.

    :param request: ``operation`` (``gather``, ``plan``, ``copy``, ``finish``, ``clean``) and what goes with it.
    :raises MirrorProblem: where nothing of it can be done.
    """
    operation: Callable[[Mapping[str, Any], archive.Workspace], dict[str, Any]] = {
        "gather": _gather, "plan": _plan, "copy": _copy, "finish": _finish, "clean": _clean,
    }[request["operation"]]  # fmt: skip
    messages = Messages(request.get("access", {}))
    try:
        return messages.of_answer(operation(request, archive.Workspace(request["token"])))
    except MirrorProblem as problem:
        raise MirrorProblem(messages.text(str(problem))) from None
    except (archive.ArchiveProblem, LayoutProblem, OSError) as error:
        raise MirrorProblem(messages.text(str(error))) from error


def _gather(request: Mapping[str, Any], workspace: archive.Workspace) -> dict[str, Any]:
    """The lists behind URLs, and the images in tarballs and layouts."""
    images: list[dict[str, Any]] = []
    for path in request.get("archives", ()):
        tar = archive.plain_tar(path, workspace)
        saved = archive.saved_images(tar, path)
        if saved is None:
            images += _of_layout(archive.unpack_layout(tar, workspace, path), path)
        else:
            for item in saved:
                source = {"kind": "archive", "path": tar, "name": item.name, "config": item.config}
                images.append({"image": item.image, "source": source})
    for path in request.get("layouts", ()):
        images += _of_layout(_folder_of(path, workspace), path)
    for path in request.get("imports", ()):
        images += _of_import(_folder_of(path, workspace), path)
    timeout = float(request.get("timeout", 30.0))
    return {"texts": [_fetched(url, timeout) for url in request.get("urls", ())], "images": images}


def _folder_of(path: str, workspace: archive.Workspace) -> str:
    if os.path.isdir(path):
        return path
    return archive.unpack_layout(archive.plain_tar(path, workspace), workspace, path)


def _of_layout(folder: str, where: str) -> list[dict[str, Any]]:
    layout = Layout(folder)
    if not layout.images:
        raise MirrorProblem("%s names no image: its index.json has no full names as annotations" % where)
    return [
        {"image": name, "source": {
            "kind": "layout", "path": folder, "digest": item["digest"], "media_type": item["mediaType"]
        }} for name, item in layout.images.items()
    ]  # fmt: skip


def _of_import(folder: str, where: str) -> list[dict[str, Any]]:
    """The images of an export, and those of its manifest that are not as it says."""
    wanted, found = Layout(folder).read_manifest(), {item["image"]: item for item in _of_layout(folder, where)}
    images = []
    for name, digest in wanted.items():
        item = found.pop(name, None)
        if item is None or item["source"]["digest"] != digest:
            has = "lacks it" if item is None else "has %s" % item["source"]["digest"]
            message = "%s: the manifest says %s, the index %s: copy the export again" % (where, digest, has)
            item = {"image": name, "source": {"kind": "layout", "path": folder, "digest": digest, "media_type": ""},
                    "state": copy_plan.FAILED, "cause": "digest_mismatch", "message": message}  # fmt: skip
        images.append(item)
    if found:
        raise MirrorProblem("%s: not in the manifest of the export: %s" % (where, ", ".join(sorted(found))))
    return images


def _fetched(url: str, timeout: float) -> str:
    try:
        return fetched(url, timeout)
    except RegistryFailure as problem:
        advice = "Without internet, download it elsewhere and name the file with image_files"
        raise MirrorProblem(
            "the image list %s cannot be had: %s. %s"
            % (url, problem, "Is there such a release?" if problem.cause == "not_found" else advice)
        ) from problem


def _plan(request: Mapping[str, Any], workspace: archive.Workspace) -> dict[str, Any]:
    check_export(request.get("export", ""), request.get("export_tar", ""))
    with Ends(request, workspace) as ends, _stopped_by_signals(ends):
        items = [dict(item) for item in request["items"]]
        _each(lambda item: _inspect(ends, item), _first_of_each_side(items), 1)
        _each(lambda item: _inspect(ends, item), items, int(request.get("lookups", 16)))
        needed = any(copy_plan.state_has_work(item) and item["source"]["kind"] == "archive" for item in items)
        tool = skopeo.version() if needed else ""
        return {
            "items": items, "broken": _told(ends), "skopeo": tool, "skopeo_needed": needed,
            "unfinished": _unfinished(request),
        }  # fmt: skip


def _unfinished(request: Mapping[str, Any]) -> bool:
    """Whether an earlier export of the same images was struck before its end."""
    root = request.get("export", "")
    if request.get("export_tar"):
        return os.path.isdir(root)
    return bool(root) and os.path.isdir(root) and not os.path.exists(os.path.join(root, MANIFEST_FILE))


def _open_export(request: Mapping[str, Any]) -> None:
    """Where the tarball of an earlier export is all there is, it is what the export goes on from."""
    root, tar = request.get("export", ""), request.get("export_tar", "")
    if tar and os.path.exists(tar) and not os.path.isdir(root):
        archive.unpack(tar, root, tar)


def _first_of_each_side(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One image for each pair of sides: where a side fails as a whole, nothing else is asked there."""
    found: dict[str, dict[str, Any]] = {}
    for item in items:
        source, target = item["source"], item["target"]
        if "state" not in item and source["kind"] == "registry" and "place" in target:
            found.setdefault(source["place"][1], item)
            found.setdefault("to " + target["place"][1], item)
    return list({id(item): item for item in found.values()}.values())


def _inspect(ends: Ends, item: dict[str, Any]) -> None:
    """Enter an image's state and the digests on both sides."""
    if "state" in item:
        return
    with _one_image(ends, item, {"state": copy_plan.FAILED}):
        _compare(ends, item)


def _compare(ends: Ends, item: dict[str, Any]) -> None:
    source, target = item["source"], item["target"]
    pinned = source["kind"] == "registry" and ":" in source["place"][3] and source["place"][3]
    if pinned and "place" in target and ends.present(item, None) == pinned:
        item.update(state=copy_plan.SAME, digest=pinned, target_digest=pinned)
        return
    offer = ends.offer(source)
    there = ends.present(item, offer)
    if offer is None:
        where = "%s/%s" % tuple(source["place"][1:3])
        item.update(state=copy_plan.SOURCE_MISSING, cause="not_found", target_digest=there or "", message=(
            "%s has no %s%s" % (where, source["place"][3], "; the target has it (%s)" % there if there else "")
        ))  # fmt: skip
        return
    if there is not None and offer.whole_digest == there:
        # The whole index is there: more than was asked for.
        item.update(state=copy_plan.SAME, digest=there, target_digest=there)
        return
    item.update(
        state=copy_plan.state_of(offer.digest, there), digest=offer.digest, whole_digest=offer.whole_digest,
        target_digest=there or "",
    )  # fmt: skip
    if offer.left_out:
        item["note"] = (
            "the index's digest changes from %s to %s, since it names fewer platforms (without %s): what pins the "
            "digest of the whole index does not find it" % (offer.whole_digest, offer.digest, ", ".join(offer.left_out))
        )
        if pinned:
            item.update(state=copy_plan.FAILED, cause="platform_missing", message=(
                "it is asked for by its digest, which a part of its platforms cannot keep: copy all platforms"
            ))  # fmt: skip
    elif offer.by_config:
        item["note"] = "from a tarball of one platform: its digest in the registry is not that of the published index"


@contextlib.contextmanager
def _one_image(ends: Ends, item: dict[str, Any], failed: Mapping[str, Any]) -> Iterator[None]:
    """Whatever goes wrong in here is that image's failure, and does not keep the others from theirs."""
    try:
        yield
    except RegistryFailure as problem:
        ends.note(item, problem)
        item.update(failed, cause=problem.cause, message=str(problem))
    except Failure as problem:
        item.update(failed, cause=problem.cause, message="this machine: %s" % problem)
    except OSError as error:
        item.update(failed, cause="unknown", message="this machine: %s" % error)
    except Exception as error:  # noqa: BLE001  # a fault of ours, which some odd answer brings out, fails one image too
        item.update(failed, cause="unknown", message="unexpected %s: %s" % (type(error).__name__, error))


def _copy(request: Mapping[str, Any], workspace: archive.Workspace) -> dict[str, Any]:
    """Copy for ``seconds``: no copy is begun after that. Returns what has been done; the rest is asked for again."""
    waiting, lock = [dict(item) for item in request["items"]], threading.Lock()
    done: list[dict[str, Any]] = []
    until = time.monotonic() + float(request.get("seconds", 10.0))
    check_export(request.get("export", ""), request.get("export_tar", ""))
    _open_export(request)
    with Ends(request, workspace) as ends, _stopped_by_signals(ends):

        def work(number: int) -> None:
            del number
            while True:
                with lock:
                    if not waiting or ends.stopped.is_set() or (done and time.monotonic() >= until):
                        return
                    item = waiting.pop(0)
                _copy_one(ends, item, int(request.get("retries", 3)))
                with lock:
                    done.append(item)

        parallel = max(1, int(request.get("parallel", 4)))
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(work, range(parallel)))
        return {"items": done, "broken": _told(ends)}


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


def _copy_one(ends: Ends, item: dict[str, Any], retries: int) -> None:
    """Copy an image, try again where that may help, and enter how it ended."""
    began = time.monotonic()
    with _one_image(ends, item, {"action": "failed"}):
        for end, side in ((item["source"], "src"), (item["target"], "dest")):
            if end.get("place"):
                # Nothing is asked of a side that has failed as a whole.
                ends.client(side, *end["place"][:2])
        digest, size = _tried(ends, item, retries)
        item.update(action="copied", digest=digest, bytes=size)
    item["seconds"] = round(time.monotonic() - began, 2)


def _tried(ends: Ends, item: Mapping[str, Any], retries: int) -> tuple[str, int]:
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


def _finish(request: Mapping[str, Any], workspace: archive.Workspace) -> dict[str, Any]:
    """Close an export, and pack it where a tarball is wanted."""
    root, tar = request["export"], request.get("export_tar", "")
    check_export(root, tar)
    with Ends(request, workspace) as ends:
        ends.close(root)
    if tar:
        if request.get("pack") or not os.path.exists(tar):
            archive.pack(root, tar)
        shutil.rmtree(root, ignore_errors=True)
    return {"bytes": os.path.getsize(tar) if tar else 0}


def _clean(unused: Mapping[str, Any], workspace: archive.Workspace) -> dict[str, Any]:
    workspace.remove()
    return {}


def _each(work: Callable[[dict[str, Any]], None], items: Iterable[dict[str, Any]], parallel: int) -> None:
    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(work, items))


def _told(ends: Ends) -> dict[str, dict[str, str]]:
    fields = ("cause", "host", "seen", "said", "advice")
    return {key: {field: getattr(problem, field) for field in fields} for key, problem in ends.broken.items()}
