# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work on the machine that copies: what there is, what is to be done, and doing it, for a while at a time."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror import archive, plan, skopeo
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import PrivateFolder
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.client import LONGEST_WAIT
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.ends import Ends
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import (
    MANIFEST_FILE,
    Layout,
    LayoutProblem,
)

_LARGEST_LIST = 1 << 20


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
    try:
        result = operation(request, archive.Workspace(request["token"]))
    except (archive.ArchiveProblem, LayoutProblem, OSError) as error:
        raise MirrorProblem(str(error)) from error
    scrubbed: dict[str, Any] = _scrubbed(result, _secrets(request))
    return scrubbed


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
    return {"texts": [_fetched(url) for url in request.get("urls", ())], "images": images}


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
            "kind": "layout", "path": folder, "digest": item["digest"], "media_type": item.get("mediaType", "")
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
                    "state": plan.FAILED, "cause": "digest_mismatch", "message": message}  # fmt: skip
        images.append(item)
    if found:
        raise MirrorProblem("%s: not in the manifest of the export: %s" % (where, ", ".join(sorted(found))))
    return images


def _fetched(url: str) -> str:
    # Imported where it is needed: it takes longer than the questions to forty images.
    from ansible.module_utils.urls import open_url

    try:
        data: bytes = open_url(url, timeout=30, http_agent="k3sfleet.registries").read(_LARGEST_LIST)
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        gone = isinstance(error, urllib.error.HTTPError) and error.code == 404
        advice = "Without internet, download it elsewhere and name the file with image_files"
        raise MirrorProblem(
            "the image list %s cannot be had: %s. %s" % (url, error, "Is there such a release?" if gone else advice)
        ) from error


def _plan(request: Mapping[str, Any], unused: archive.Workspace) -> dict[str, Any]:
    with PrivateFolder() as folder:
        ends = Ends(request, folder)
        items = [dict(item) for item in request["items"]]
        _each(lambda item: _inspect(ends, item), _first_of_each_side(items), 1)
        _each(lambda item: _inspect(ends, item), items, int(request.get("lookups", 16)))
        needed = any(item["state"] in (plan.MISSING, plan.DIFFERS) for item in items)
        tool = skopeo.version() if needed else ""
        return {"items": items, "broken": _told(ends), "skopeo": tool, "unfinished": _unfinished(request)}


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
    source, target = item["source"], item["target"]
    side, host = "src", source["place"][1] if source["kind"] == "registry" else ""
    try:
        pinned = source["kind"] == "registry" and source["place"][3]
        if pinned and ":" in pinned and "place" in target:
            side, host = "dest", target["place"][1]
            if ends.present(item, None) == pinned:
                item.update(state=plan.SAME, digest=pinned, target_digest=pinned)
                return
            side, host = "src", source["place"][1]
        offer = ends.offer(source)
        side, host = "dest", target["place"][1] if "place" in target else ""
        there = ends.present(item, offer)
    except RegistryFailure as problem:
        ends.note(side, host, problem)
        item.update(state=plan.FAILED, cause=problem.cause, message=str(problem))
        return
    if offer is None:
        where = "%s/%s" % tuple(source["place"][1:3])
        item.update(state=plan.SOURCE_MISSING, cause="not_found", target_digest=there or "", message=(
            "%s has no %s%s" % (where, source["place"][3], "; the target has it (%s)" % there if there else "")
        ))  # fmt: skip
        return
    if there is not None and offer.whole_digest == there:
        # The whole index is there: more than was asked for.
        item.update(state=plan.SAME, digest=there, target_digest=there)
        return
    item.update(state=plan.state_of(offer.digest, there), digest=offer.digest, target_digest=there or "")
    if offer.left_out:
        item["note"] = (
            "the index's digest changes from %s to %s, since it names fewer platforms (without %s): what pins the "
            "digest of the whole index does not find it" % (offer.whole_digest, offer.digest, ", ".join(offer.left_out))
        )
        if ":" in str(source.get("place", ["", "", "", ""])[3]):
            item.update(state=plan.FAILED, cause="platform_missing", message=(
                "it is asked for by its digest, which a part of its platforms cannot keep: copy all platforms"
            ))  # fmt: skip
    elif offer.by_config:
        item["note"] = "from a tarball of one platform: its digest in the registry is not that of the published index"


def _copy(request: Mapping[str, Any], unused: archive.Workspace) -> dict[str, Any]:
    """Copy for ``seconds``: no copy is begun after that. Returns what has been done; the rest is asked for again."""
    waiting, lock = [dict(item) for item in request["items"]], threading.Lock()
    done: list[dict[str, Any]] = []
    until = time.monotonic() + float(request.get("seconds", 10.0))
    with PrivateFolder() as folder:
        _open_export(request)
        ends = Ends(request, folder)
        _stop_with(ends)

        def work(number: int) -> None:
            del number
            while True:
                with lock:
                    if not waiting or (done and time.monotonic() >= until):
                        return
                    item = waiting.pop(0)
                _copy_one(ends, item, int(request.get("retries", 3)))
                with lock:
                    done.append(item)

        parallel = max(1, int(request.get("parallel", 4)))
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(work, range(parallel)))
        return {"items": done, "broken": _told(ends)}


def _stop_with(ends: Ends) -> None:
    """When this process is told to end, its copies end first and the private folder goes."""

    def stop(*unused: Any) -> None:
        ends.skopeo.stop()
        # Through every `with`, so that nothing private stays.
        raise SystemExit(1)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)


def _copy_one(ends: Ends, item: dict[str, Any], retries: int) -> None:
    """Copy an image, try again where that may help, and enter how it ended."""
    began, attempt = time.monotonic(), 0
    while True:
        try:
            for side, end in (("src", item["source"]), ("dest", item["target"])):
                if "place" in end:
                    ends.client(side, end["place"][0], end["place"][1])
            offer = ends.planned(item)
            digest, size = ends.write(item, offer)
            item.update(action="copied", digest=digest, bytes=size)
            break
        except RegistryFailure as said:
            problem = _explained(ends, item, said)
            wait = _wait(ends, item, problem, attempt)
            if attempt < retries and problem.worth_another_try and not problem.whole and wait <= LONGEST_WAIT:
                attempt += 1
                time.sleep(wait)
                continue
            for side, end in (("src", item["source"]), ("dest", item["target"])):
                if "place" in end and str(problem).startswith(end["place"][1] + ":"):
                    ends.note(side, end["place"][1], problem)
            item.update(action="failed", cause=problem.cause, message=str(problem))
            break
        except OSError as error:
            item.update(action="failed", cause="unknown", message="this machine: %s" % error)
            break
    item["seconds"] = round(time.monotonic() - began, 2)


def _explained(ends: Ends, item: Mapping[str, Any], problem: RegistryFailure) -> RegistryFailure:
    """skopeo repeats only the status of an error of the target: its reason is asked for."""
    place = item["target"].get("place")
    if problem.cause == "server_error" and place and str(problem).startswith(place[1] + ":"):
        refusal = ends.client("dest", *place[:2]).upload_refusal(place[2])
        return refusal if refusal is not None and refusal.cause != "server_error" else problem
    return problem


def _wait(ends: Ends, item: Mapping[str, Any], problem: RegistryFailure, attempt: int) -> float:
    """Seconds until the next try: what the registry asks for, or longer each time."""
    if problem.retry_after is not None:
        return problem.retry_after
    if problem.cause == "rate_limited":
        for side, end in (("src", item["source"]), ("dest", item["target"])):
            if "place" in end and str(problem).startswith(end["place"][1] + ":"):
                try:
                    asked = ends.client(side, *end["place"][:2]).wait_asked_for(*end["place"][2:])
                except RegistryFailure:
                    asked = None
                if asked is not None:
                    return asked
    return float(2**attempt)


def _finish(request: Mapping[str, Any], unused: archive.Workspace) -> dict[str, Any]:
    """Close an export, and pack it where a tarball is wanted."""
    root, tar = request["export"], request.get("export_tar", "")
    with PrivateFolder() as folder:
        Ends(request, folder).close(root)
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
    return {key: {"cause": problem.cause, "message": str(problem)} for key, problem in ends.broken.items()}


def _secrets(request: Mapping[str, Any]) -> list[str]:
    """What a registry or a program could say again, longest first."""
    found: set[str] = set()
    for given in request.get("access", {}).values():
        pair = "%s:%s" % (given.get("username", ""), given.get("password", ""))
        found.add(base64.b64encode(pair.encode("utf-8")).decode("ascii") if given.get("password") else "")
        found.update(str(given.get(key) or "") for key in ("password", "identity_token"))
    return sorted(filter(None, found), key=len, reverse=True)


def _scrubbed(result: Any, secrets: list[str]) -> Any:
    if isinstance(result, dict):
        return {key: _scrubbed(value, secrets) if key != "digest" else value for key, value in result.items()}
    if isinstance(result, list):
        return [_scrubbed(value, secrets) for value in result]
    if isinstance(result, str):
        for secret in secrets:
            # A short one would take words apart that everybody may read.
            if len(secret) > 3:
                result = result.replace(secret, "********")
    return result
