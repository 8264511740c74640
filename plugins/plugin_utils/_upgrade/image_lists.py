# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a release, read on the controller: from files, or from where its list is published.

One process of a run fetches a list for all hosts, and notes that it cannot be had, so that a list behind a dead proxy
costs one timeout and not one for each host.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.download import fetch
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.lists import (
    ListProblem,
    holds_user,
    read_list,
    release_lists,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import Release
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror_request.wanted import text_of_list
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.once import once

ARCHITECTURES = ("amd64", "arm64")
"""Those for which RKE2 publishes lists. K3s has one list for all."""
VARIABLE = "k3s_registries_target_image_files"
_NO_SUCH = "Is there such a release? If its list is elsewhere, name the file with " + VARIABLE
_NO_INTERNET = "Without internet, download it elsewhere and name the file with " + VARIABLE

Fetch = Callable[[str, float], str]


def of_files(paths: Sequence[str], read_file: Callable[[str], bytes]) -> dict[str, list[str]]:
    """The images of files on the controller, for every architecture.

    :raises ListProblem: if one cannot be read, or is no list.
    """
    return {"": [name for path in paths for name in read_list(text_of_list(path, read_file, VARIABLE), path)]}


def of_release(
    release: Release, url: str, timeout: float, shared_folder: str, get: Fetch = fetch
) -> dict[str, list[str]]:
    """The images of a release's own lists, by architecture, "" for every one.

    :param url: the base URL of releases.
    :param shared_folder: where the processes of a run share what one of them has fetched.
    :raises ListProblem: if one cannot be had, or is no list.
    """
    if holds_user(url) or re.search(r"[?#;]", url):
        raise ListProblem(
            "the base URL of the releases holds a user name or a query, which messages would show. Lists are fetched "
            "without credentials: download the list, and name the file with " + VARIABLE
        )
    if release.distribution == "rke2":
        urls = dict(zip(ARCHITECTURES, release_lists(release.text, url, ARCHITECTURES)))
    else:
        urls = {"": release_lists(release.text, url)[0]}
    return {
        architecture: read_list(_text(address, timeout, shared_folder, get), address)
        for architecture, address in urls.items()
    }


def _text(url: str, timeout: float, shared_folder: str, get: Fetch) -> str:
    def answer() -> dict[str, Any]:
        try:
            return {"text": get(url, timeout)}
        except RegistryFailure as problem:
            advice = _NO_SUCH if problem.cause == "not_found" else _NO_INTERNET
            return {"problem": "the image list %s cannot be had: %s. %s" % (url, problem, advice)}

    found: Mapping[str, str] = once(shared_folder, ["image list", url, str(timeout)], answer)
    if "problem" in found:
        raise ListProblem(found["problem"])
    return found["text"]
