# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the task's arguments to the images with their two places, before anything is asked of a registry."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import Answer, Item, Source, Target
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.lists import (
    LIST_LIMIT,
    NO_USER,
    ListProblem,
    holds_user,
    read_list,
    release_lists,
    unique,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.manifest import is_checkable
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import (
    TargetProblem,
    source_of,
    target_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


class WantedProblem(ValueError):
    """The arguments do not fit together; the text says which and what to do."""


def check(arguments: Mapping[str, Any]) -> None:
    """:raises WantedProblem: if the arguments do not fit together."""
    names = ("images", "image_files", "releases", "archives", "layouts", "import_from")
    if not any(arguments[name] for name in names):
        raise WantedProblem("nothing to mirror: give one of %s" % ", ".join(names))
    if arguments["export_to"] and (arguments["archives"] or arguments["import_from"]):
        raise WantedProblem("export_to does not go with archives and import_from: carry the tarball as it is")
    paths = [path for name in ("archives", "layouts", "import_from") for path in arguments[name]]
    for path in [*paths, arguments["export_to"] or "/"]:
        if not os.path.isabs(path):
            raise WantedProblem("%s is a path on the host that copies: write it in full, from / on" % path)
    _refuse_credentials(arguments)
    if not arguments["export_to"] and not arguments["config"] and not arguments["mapping"]:
        raise WantedProblem("config (the nodes' k3s_registries) or mapping has to say where the images go")


def _refuse_credentials(arguments: Mapping[str, Any]) -> None:
    """These options are shown in plans, results and messages, so nothing secret may be in them."""
    release_url = str(arguments["release_url"] or "")
    if release_url and not re.match(r"https?://[^/]", release_url):
        raise WantedProblem("release_url has to begin with http:// or https://, and a host")
    addresses = {"release_url": [release_url]}
    addresses.update({name: [arguments[name] or ""] for name in ("endpoint", "system_default_registry")})
    for name in ("source_registries", "mapping"):
        addresses[name] = [str(text) for pair in arguments[name].items() for text in pair]
    addresses["images"] = [str(image) for image in arguments["images"]]
    for name, values in addresses.items():
        what = ""
        if any(map(holds_user, values)):
            what = "an @ in it, and no digest after it, as in user:password@host"
        elif any(re.search(r"[?#;]", value) for value in values):
            what = "a query (?, # or ;) in it, as in ?token="
        if what:
            instead = NO_USER if name != "release_url" else _NO_LOGIN
            raise WantedProblem("%s: there is %s. It would be shown in results: %s" % (name, what, instead))


_NO_LOGIN = "lists are fetched without credentials; where they are needed, download the list and name it in image_files"


def urls_of(arguments: Mapping[str, Any]) -> list[str]:
    """The lists of the wanted releases. RKE2 has one for each architecture.

    :raises ListProblem: if one is not a release.
    """
    platforms = [name.split("/") for name in arguments["platforms"]] or [["amd64"], ["arm64"]]
    architectures = tuple(dict.fromkeys(parts[1] if len(parts) > 1 else parts[0] for parts in platforms))
    found = []
    for version in arguments["releases"]:
        found += release_lists(version, arguments["release_url"], architectures)
    return found


def wanted(
    arguments: Mapping[str, Any],
    config: Config,
    gathered: Answer,
    read_file: Callable[[str], bytes],
    engine: Any = None,
) -> list[Item]:
    """Every image once, with its two places; those without a target have failed already.

    :param gathered: ``texts`` of the lists behind :func:`urls_of`, ``items`` of tarballs and layouts.
    :raises ListProblem: if a list cannot be understood.
    :raises WantedProblem: if a name is not that of an image.
    """
    try:
        images = unique(list(_names(arguments, gathered, read_file)))
    except ImageError as error:
        raise WantedProblem("images: %s" % error) from error
    items = {found.image: found for found in gathered.items}
    for image in images:
        if image.text not in items:
            try:
                place = source_of(image, arguments["source_registries"])
            except TargetProblem as error:
                raise WantedProblem(str(error)) from error
            items[image.text] = Item(image.text, Source("registry", place))
    for item in items.values():
        _aim(item, arguments, config, engine)
        _keep_pinned(item)
    _refuse_collisions(items.values())
    return list(items.values())


def _names(arguments: Mapping[str, Any], gathered: Answer, read_file: Callable[[str], bytes]) -> Iterable[str]:
    yield from arguments["images"]
    for path in arguments["image_files"]:
        yield from read_list(text_of_list(path, read_file, "image_files"), path)
    for url, text in zip(urls_of(arguments), gathered.texts):
        yield from read_list(text, url)


def text_of_list(path: str, read_file: Callable[[str], bytes], option: str) -> str:
    """The text of an image list on the controller.

    :param option: what has named it, for the message.
    :raises ListProblem: if it cannot be read.
    """
    try:
        content = read_file(path)
        # The limit is that of lists behind URLs, of which no more is read.
        return content[: LIST_LIMIT + 4].decode("utf-8", "strict" if len(content) <= LIST_LIMIT else "replace")
    except (OSError, ValueError) as error:
        raise ListProblem("%s: %s cannot be read on the controller: %s" % (option, path, error)) from error


def export_folder(path: str) -> tuple[str, str]:
    """The folder that an export fills, and the tarball it is packed into ("" where the folder is the export)."""
    if path.endswith(".tar"):
        return path + ".partial", path
    return os.path.normpath(path), ""


def _aim(item: Item, arguments: Mapping[str, Any], config: Config, engine: Any) -> None:
    if arguments["export_to"]:
        item.target = Target(layout=export_folder(arguments["export_to"])[0])
        return
    try:
        item.target.place = target_of(
            parse_image(item.image), config, arguments["mapping"], arguments["endpoint"],
            arguments["system_default_registry"], engine,
        )  # fmt: skip
    except (TargetProblem, ImageError) as error:
        item.fail("no_target", str(error))


def _keep_pinned(item: Item) -> None:
    """An image that is asked for by its digest is that, or fails: whatever else goes by its name is another."""
    pinned, source = parse_image(item.image).digest, item.source
    if not pinned or item.state:
        return
    why = ""
    if not is_checkable(pinned):
        why = "only SHA-256 digests can be checked: ask for it by its sha256 digest"
    elif source.kind == "archive":
        why = "a tarball of one platform has no digest of an index: take it from a registry or an export"
    elif source.kind == "layout" and source.digest != pinned:
        why = "%s has %s under this name" % (source.path, source.digest)
    if why:
        item.fail("digest_mismatch", "it is asked for by its digest: " + why)


def _refuse_collisions(items: Iterable[Item]) -> None:
    """Two images that a rewrite sends to one place would overwrite each other, run after run."""
    taken: dict[str, str] = {}
    for item in items:
        if item.target.place is None:
            continue
        first = taken.setdefault(item.target.text, item.image)
        if first != item.image:
            why = "it would go to the same place as %s (%s): the rewrites make them one" % (first, item.target.text)
            item.fail("no_target", why)


def hosts_of(items: Iterable[Item]) -> dict[str, str]:
    """``src:host`` and ``dest:host`` of all images, with the scheme of each."""
    found = {}
    for item in items:
        for side, place in (("src", item.source.place), ("dest", item.target.place)):
            if place is not None:
                found["%s:%s" % (side, place.host)] = place.scheme
    return found
