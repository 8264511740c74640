# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearses a wanted state on its node: which images the node uses, and whether it could still pull them.

Nothing is written, neither to the node's live files nor elsewhere: the new configuration's texts, credentials,
certificates and keys stay in this process's memory.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import configured, match_images
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.on_the_node import (
    folders_of_others,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.pause_image import pause_images
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import TextHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import generated_address
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.environment import service_environment
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import read_node
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.asking import SECONDS
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.effect import Situation, effect
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import (
    MAY_BRING,
    NONE,
    InUse,
    Used,
    in_use,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.question import Side
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import Rehearsal, rehearse
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise

from . import expectation, files, installed_release, kubernetes, placing
from .desired import Desired, from_text
from .generated import read_generated
from .generations import GenerationDamaged, Generations
from .managed import is_certificate
from .memory import Memory
from .paths import NodePaths

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

PAUSE, CANARY = "pause image", "canary or verify image"
_LIST_TIMEOUT = 20.0


class NotRehearsed(Exception):
    """It cannot be told what the node would ask; the text says why."""


def rehearse_on(
    node: Identity, wanted: str, images: Sequence[str] = (), allow: Iterable[str] = (), seconds: float = SECONDS
) -> Rehearsal:
    """What a wanted state, as it was shipped, does to the pulls of its node.

    :param images: more images that the node must be able to pull: canaries, those that verify asks for.
    :param allow: patterns of images that may be lost.
    :param seconds: for all questions to registries together.
    :raises NotRehearsed: if there is no telling.
    :raises DesiredProblem: if the wanted state is damaged.
    :raises FileProblem: if a file cannot be read.
    """
    paths = node.paths
    if node.state != "running":
        raise NotRehearsed("%s does not run there (%s), so it uses no images" % (paths.service, node.state))
    desired = from_text(wanted).at(paths)
    after = side_after(node, desired, installed_release.installed(paths, keep=False))
    try:
        before = Side(read_node(paths.certs_d, paths.containerd_config))
    except OSError as error:
        raise NotRehearsed("%s cannot be read: %s" % (paths.containerd_config, error.strerror)) from None
    if not before.node.auth_readable:
        raise NotRehearsed("a template of containerd's configuration writes the credentials, so they are not known")
    used = images_of(paths, [(name, CANARY) for name in images], desired)
    environment = service_environment(paths.data_dir, [paths.service]).variables
    found = rehearse(used, before, after, environment, allow, seconds)
    return found._replace(effect=_effect(node, desired, used))


def images_of(paths: NodePaths, images: Iterable[tuple[str, str]], desired: Desired) -> InUse:
    """The images that the node uses, and those that the run names.

    :param images: those of the run, each with who uses it.
    :raises NotRehearsed: if containerd does not tell.
    """
    # containerd's own, which it takes if its configuration names none, comes without the tag that its release has.
    pause = [name for name in pause_images(paths) if ":" in name.rpartition("/")[2]]
    named = [*((name, PAUSE) for name in pause), *images]
    found = in_use(_listed(paths, "ps"), _listed(paths, "images"), _pods(paths), named)
    patterns, unknown = _providers(paths, desired)
    return found._replace(images=[_with_providers(item, patterns, unknown) for item in found.images])


def _listed(paths: NodePaths, what: str) -> Any:
    outcome = kubernetes.crictl(paths, what, "--output", "json", timeout=_LIST_TIMEOUT)
    try:
        if outcome.ok:
            return json.loads(outcome.out)
    except ValueError:
        pass
    raise NotRehearsed("containerd does not say what the node has (crictl %s): %s" % (what, outcome.err.strip()[:200]))


def _pods(paths: NodePaths) -> list[Mapping[str, Any]] | None:
    """The node's own, which its kubelet may list; None if the API does not answer."""
    selector = "--field-selector=spec.nodeName=%s" % kubernetes.node_name(paths)
    found = kubernetes.get_object(paths, "pods", "--all-namespaces", selector)
    items = (found or {}).get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else None


def _providers(paths: NodePaths, desired: Desired) -> tuple[list[str], bool]:
    """For which images the kubelet asks credential providers, now or afterwards, and whether there may be others."""
    known = configured.known(paths)
    providers = [*known.providers, *desired.on_node]
    return [pattern for provider in providers for pattern in provider.match_images], bool(known.problem)


def _with_providers(used: Used, patterns: Sequence[str], unknown: bool) -> Used:
    if used.credentials != NONE or set(used.users) <= {PAUSE, CANARY}:
        return used
    name = "%s/%s" % (used.image.registry, used.image.repository)
    brings = unknown or any(match_images.matches(pattern, name) for pattern in patterns)
    return used._replace(credentials=MAY_BRING) if brings else used


def side_after(node: Identity, desired: Desired, release: str) -> Side:
    """What containerd will have: what K3s generates, with what others have put beside it, and the new certificates.

    :param release: the one that generates it.
    :raises NotRehearsed: if there is no telling.
    """
    paths = node.paths
    if desired.config is None:
        raise NotRehearsed("the new state leaves registries.yaml as it is, or is one that was found on the node")
    found = read_generated(paths)
    predicted = expectation.prediction(node, desired, release, found)
    if not predicted.certain:
        raise NotRehearsed("what %s generates from the configuration is not known for its release" % paths.service)
    texts = dict(predicted.hosts[0])
    for folder in folders_of_others(paths, found):
        path = os.path.join(paths.certs_d, folder)
        if folder not in texts and os.path.isdir(path):
            content = files.read(os.path.join(path, "hosts.toml")).content
            texts[folder] = (content or b"").decode("utf-8", "surrogateescape")
    contents = {
        item.path: item.content
        for item in desired.files
        if is_certificate(item.path) and files.read(item.path).content != item.content
    }
    return Side(TextHosts(texts, predicted.auth, paths.certs_d), contents)


def _effect(node: Identity, desired: Desired, used: InUse) -> list[str]:
    """What the change means for pulls, in words; nothing if the configuration that is in force cannot be told."""
    paths = node.paths
    config = _config_in_force(paths)
    if config is None or desired.config is None:
        return []
    found = read_generated(paths)
    around = expectation.around(node, desired, installed_release.installed(paths, keep=False), found)
    here = generated_address(found.hosts, paths.agent_dir, paths.distribution)
    old = Situation(config, not node.settings.flag("disable-default-registry-endpoint"), here)
    new = Situation(desired.config, around.default_endpoint, around.embedded[0])
    return effect([item.image.text for item in used.images], old, new).sentences


def _config_in_force(paths: NodePaths) -> Config | None:
    """What registries.yaml says, if the collection has written it or it is not there."""
    if files.read(paths.registries_yaml).content is None:
        return normalise({})
    state = state_in_force(paths)
    return state.config if state is not None else None


def state_in_force(paths: NodePaths) -> Desired | None:
    """The state whose registries.yaml is in place; None if that is not the collection's, or was edited since."""
    record = Memory(paths).record()
    if not record["generation"] or placing.is_edited(paths, record):
        return None
    try:
        return Generations(paths).desired(int(record["generation"]))
    except GenerationDamaged:
        return None
