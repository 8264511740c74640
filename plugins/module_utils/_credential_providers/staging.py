# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between the wanted providers and a node: what cannot work there, and whether the kubelet has to read its
configuration anew.

With a configuration that the kubelet refuses, or a program that it cannot start, K3s ends at every start. So a node
where that would happen is refused before anything on it is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING, Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files, folders
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import MARKER, NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import known_release

from . import program, programs
from .provider import Provider

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired

# K3s' own setting is a key with a colon, or begins with dashes; an argument of the kubelet is written like this.
_OF_KUBELET = re.compile(r"(?<!--)\bimage-credential-provider-(?:config|bin-dir)=")
_FLAGS = ("image-credential-provider-config", "image-credential-provider-bin-dir")
VARIABLE = "k3s_registries_credential_providers"


def content(paths: NodePaths) -> bytes | None:
    """The kubelet's configuration on this node, None if there is none, or nothing that could be read as one."""
    with contextlib.suppress(files.FileProblem):
        return files.read(paths.provider_config).content
    return None


def is_ours(text: bytes | None) -> bool:
    """Whether a configuration begins with the collection's marker."""
    return text is not None and text.startswith(MARKER.encode("ascii"))


def foreign(paths: NodePaths, desired: Desired) -> bytes | None:
    """The configuration of somebody else's that the wanted providers would replace, None if there is none to be asked
    about."""
    found = content(paths) if desired.providers else None
    if found is None or is_ours(found) or hashlib.sha256(found).hexdigest() == desired.settings.get("same_providers"):
        return None
    return found


def refusals(node: Identity, desired: Desired, release: str) -> list[str]:
    """Why the wanted providers cannot work on this node, as sentences."""
    if not desired.providers:
        return []
    # Imported here: most nodes have no providers.
    from . import kubelet_rules

    found = [*_of_flags(node), *_of_architecture(desired)]
    known = known_release(release)
    if known is not None:
        found += kubelet_rules.lacking([item.provider for item in desired.providers], known)
    found += _of_places(node.paths)
    for provider in desired.on_node:
        found += ["%s: %s" % (provider.name, said) for said in _of_program(node.paths, provider)]
    if not found and foreign(node.paths, desired) is not None:
        found.append(
            "%s was not written by this collection. Put its providers into %s, and set k3s_registries_adopt: true to "
            "take it over if it says the same; or remove it" % (node.paths.provider_config, VARIABLE)
        )
    return found


def _of_flags(node: Identity) -> Iterator[str]:
    texts = {item.path: item.text for item in node.config_files}
    texts["the command line of " + node.paths.service] = "\n".join(node.unit.command) if node.unit else ""
    for place, text in texts.items():
        if any(_OF_KUBELET.search(line) for line in text.splitlines() if not line.lstrip().startswith("#")):
            yield (
                "%s gives the kubelet image-credential-provider flags of its own (kubelet-arg), which count more than "
                "K3s' settings. Give them to K3s as --%s and --%s" % (place, *_FLAGS)
            )
    for key in _FLAGS:
        value = node.settings.value(key)
        if value and not os.path.isabs(str(value)):
            yield "%s sets %s to %s, which is no absolute path" % (node.settings.source(key), key, value)


def _of_architecture(desired: Desired) -> Iterator[str]:
    here = program.architecture()
    for declared in desired.providers:
        if declared.on(here) is None:
            yield "%s: it has no program for %s, only for %s: add one to its src" % (
                declared.provider.name, here, ", ".join(sorted(declared.programs))
            )  # fmt: skip


def _of_places(paths: NodePaths) -> Iterator[str]:
    if os.path.isdir(paths.provider_config):
        yield "%s is a directory, and K3s then gives the kubelet no providers" % paths.provider_config
    folder = paths.provider_bin_dir
    while not os.path.isdir(folder) and folder != os.sep:
        folder = os.path.dirname(folder)
    with contextlib.suppress(OSError):
        if os.statvfs(folder).f_flag & os.ST_NOEXEC:
            yield (
                "no program can be started from %s, which is mounted with noexec: set K3s' %s to a folder elsewhere"
                % (paths.provider_bin_dir, _FLAGS[1])
            )


def _of_program(paths: NodePaths, provider: Provider) -> Iterator[str]:
    if programs.in_the_way(paths.provider_bin_dir, provider):
        yield (
            "%s is another program than the wanted one, and was not put there by this collection: remove it, or name "
            "it as this provider's path" % os.path.join(paths.provider_bin_dir, provider.name)
        )
    if provider.path:
        trouble = _trouble_with_path(provider.path)
        if trouble:
            yield trouble
            return
    begins = programs.head(paths.provider_bin_dir, provider)
    if not begins and not provider.path:
        # It has not arrived yet; when it has, it is looked at again before anything is placed.
        return
    trouble = program.problem(begins, program.architecture())
    name = program.interpreter(begins)
    if not trouble and name and not os.access(name, os.X_OK):
        trouble = "it is a script for %s, which is not on this node" % name
    if trouble:
        yield trouble


def _trouble_with_path(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError as error:
        return "%s: %s" % (path, error.strerror)
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        return "%s is no program that can be started" % path
    trouble = folders.trouble_with(status, path)
    if trouble:
        return "the kubelet starts it as root, and %s" % trouble
    return ""


def reasons(paths: NodePaths, desired: Desired, started: float) -> list[str]:
    """Why the kubelet has to be started anew; empty if it has read what is wanted, in these bytes or in others."""
    found = content(paths)
    wanted = _wanted(paths, desired)
    if wanted is None:
        return ["%s will be removed" % paths.provider_config] if is_ours(found) else []
    if found != wanted and not _says_the_same(paths, desired, found):
        return ["%s will be changed" % paths.provider_config]
    if started and os.stat(paths.provider_config).st_mtime > started + 1:
        return ["%s is newer than the running %s" % (paths.provider_config, paths.service)]
    if not is_ours(found) and not _was_there(paths, desired, started):
        return ["whether the running %s has read %s cannot be seen" % (paths.service, paths.provider_config)]
    return []


def says_the_same_since(paths: NodePaths, desired: Desired) -> int | None:
    """The time (ns) of a configuration that says what is wanted in other bytes, None if the one there is no such."""
    found, wanted = content(paths), _wanted(paths, desired)
    if wanted is None or found == wanted or not _says_the_same(paths, desired, found):
        return None
    return os.stat(paths.provider_config).st_mtime_ns


def _wanted(paths: NodePaths, desired: Desired) -> bytes | None:
    return next((item.content for item in desired.files if item.path == paths.provider_config), None)


def _says_the_same(paths: NodePaths, desired: Desired, found: bytes | None) -> bool:
    """Whether the kubelet does the same with what is there as with what is wanted. Of somebody else's configuration
    the controller has said so, which can read YAML; of its own the collection knows what it says."""
    if found is None or not desired.on_node:
        return False
    if hashlib.sha256(found).hexdigest() == desired.settings.get("same_providers"):
        return True
    # Imported here: an unchanged node needs none of it.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generations import (
        GenerationDamaged,
        Generations,
    )
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory

    from . import config_yaml

    try:
        ours = Generations(paths).desired(int(Memory(paths).record()["generation"]))
    except GenerationDamaged:
        return False
    # Of what was found on the node, only the programs are known.
    if _wanted(paths, ours) != found or not all(provider.match_images for provider in ours.on_node):
        return False
    return config_yaml.equal_in_effect(config_yaml.document(ours.on_node), desired.on_node)


def _was_there(paths: NodePaths, desired: Desired, started: float) -> bool:
    """Whether somebody else's providers were in their places when K3s started, which looks at them only then: without
    the programs' folder it takes no notice of the configuration."""
    places = [paths.provider_config]
    places += [os.path.join(paths.provider_bin_dir, provider.name) for provider in desired.on_node]
    try:
        return all(os.stat(place, follow_symlinks=False).st_ctime <= started for place in places)
    except OSError:
        return False
