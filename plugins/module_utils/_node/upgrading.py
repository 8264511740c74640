# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade of K3s does to a node's registries: its configuration under the new release's rules, the hosts.toml
that this release will write, and whether the node can pull the images that it needs then.

Nothing is written, and nothing is pulled: see ``rehearsing.py``.
"""

from __future__ import annotations

import os
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import ERROR
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import examine
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import explained
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import (
    DIFFERS,
    MISSING,
    UNEXPECTED,
    Difference,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.environment import service_environment
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import read_node
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.asking import SECONDS
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import InUse
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.question import Side
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import rehearse
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.known_up_to import is_known, known_up_to
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import Release, known_release
from ansible_collections.k3sfleet.registries.plugins.module_utils._upgrade import images as upgrade

from . import expectation, files, installed_release, kubernetes
from .desired import FOUND, Desired
from .generated import read_generated
from .paths import NodePaths
from .rehearsing import NotRehearsed, images_of, side_after, state_in_force

RELEASE = "release %s"
_NOT_OURS = (
    "%s was not written by this collection, or edited since: what the new release makes of it is not known, and images "
    "were asked for as the node is configured now"
)


class Wanted(NamedTuple):
    """What is to be checked.

    :ivar lists: names of images by architecture, "" for every one.
    :ivar images: further images, asked for by just these names.
    :ivar allow: patterns of images that need not be there.
    :ivar default_registry: ``system-default-registry``, "" to take the node's own.
    """

    target: Release
    lists: Mapping[str, Sequence[str]]
    images: Sequence[str] = ()
    allow: Sequence[str] = ()
    default_registry: str = ""
    seconds: float = SECONDS


def check_on(node: Identity, wanted: Wanted) -> dict[str, Any]:
    """What is found, for JSON.

    :raises NotRehearsed: if nothing can be said about the node.
    :raises FileProblem: if a file cannot be read.
    :raises ImageError: if a list names no image.
    """
    paths, target = node.paths, wanted.target
    if target.distribution != paths.distribution:
        raise NotRehearsed("it runs %s, which %s is no release of" % (_NAMES[paths.distribution], target.text))
    if node.state != "running":
        raise NotRehearsed("%s does not run there (%s)" % (paths.service, node.state))
    listed = _listed(wanted.lists)
    installed = installed_release.installed(paths, keep=False)
    state = _state(paths)
    desired = (state or _NOTHING).at(paths)
    default_registry = wanted.default_registry or _default_registry(node, desired)
    of_the_release = upgrade.as_asked_for(listed, default_registry) + list(wanted.images)
    with_controller = upgrade.upgrade_image(target)
    before = _now(paths)
    after = before if state is None else side_after(node, desired, target.text)
    user = RELEASE % target.text
    named = [*((name, user) for name in of_the_release), (with_controller, upgrade.CONTROLLER)]
    used = images_of(paths, named, desired)
    environment = service_environment(paths.data_dir, [paths.service]).variables
    found = rehearse(used, before, after, environment, wanted.allow, wanted.seconds)
    described = _described(found.images, used, user, wanted.allow)
    return {
        "target": target.text,
        "installed": installed,
        "known_up_to": "" if is_known(target) else known_up_to(target),
        "findings": [] if state is None else _findings(node, desired, installed, target, of_the_release),
        "hosts": [] if state is None else _hosts(node, desired, installed, target),
        "not_known": _NOT_OURS % paths.registries_yaml if state is None else "",
        "default_registry": visible(default_registry),
        "images": described,
        "upgrade_image": with_controller,
        "sees_controller": _sees_controller(paths, used),
        "unreadable": found.unreadable,
        "asked": found.asked,
    }


_NAMES = {"k3s": "K3s", "rke2": "RKE2"}
#: The state of a node without a registries.yaml; its settings are those that it has.
_NOTHING = Desired(FOUND, (), None, {"mirrors": {}, "configs": {}}, {}, "", (), ())


def _state(paths: NodePaths) -> Desired | None:
    """The state that is in place, None if its configuration is not known."""
    found = state_in_force(paths)
    if found is not None and found.config is not None:
        return found
    return _NOTHING if files.read(paths.registries_yaml).content is None else None


def _default_registry(node: Identity, desired: Desired) -> str:
    """What stands before the names of K3s' own images. Agents are told by their server, so it is nowhere on them, but
    in the state that this collection has given them."""
    found = node.settings.value("system-default-registry") or desired.settings.get("system_default_registry")
    return str(found or "")


def _listed(lists: Mapping[str, Sequence[str]]) -> Sequence[str]:
    machine = _machine()
    found = lists.get("", lists.get(_ARCHITECTURES.get(machine, machine), ()))
    if not found:
        raise NotRehearsed("there is no list of the release's images for its architecture (%s)" % machine)
    return found


def _machine() -> str:
    return os.uname().machine


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def _now(paths: NodePaths) -> Side:
    try:
        found = Side(read_node(paths.certs_d, paths.containerd_config))
    except OSError as error:
        raise NotRehearsed("%s cannot be read: %s" % (paths.containerd_config, error.strerror)) from None
    if not found.node.auth_readable:
        raise NotRehearsed("a template of containerd's configuration writes the credentials, so they are not known")
    return found


def _described(
    images: Iterable[Mapping[str, Any]], used: InUse, user: str, allow: Sequence[str]
) -> list[dict[str, Any]]:
    """In the order in which they were asked for, which is that of the images in use."""
    return [
        upgrade.described(image, item, user in item.users or set(item.users) == {upgrade.CONTROLLER}, allow)
        for image, item in zip(images, used.images)
    ]


def _sees_controller(paths: NodePaths, used: InUse) -> bool:
    """Whether the system-upgrade-controller runs: on this node or, if this is a server, in its cluster."""
    if any(upgrade.is_controller(item.image) for item in used.images):
        return True
    if paths.node_role != "server":
        return False
    selector = "--selector=upgrade.cattle.io/controller=" + upgrade.CONTROLLER
    outcome = kubernetes.kubectl(
        paths, "get", "pods", "--all-namespaces", selector, "--output=name", kubeconfig=paths.admin_kubeconfig
    )
    return outcome.ok and bool(outcome.out.strip())


def _findings(
    node: Identity, desired: Desired, installed: str, target: Release, images: Sequence[str]
) -> list[dict[str, Any]]:
    """What is wrong with the configuration under the new release: errors, and whatever is not so today."""
    now = _examined(node, desired, installed, ()) if installed else []
    today = [(finding["code"], finding["path"]) for finding in now]
    found = []
    for finding in _examined(node, desired, target.text, images):
        is_new = (finding["code"], finding["path"]) not in today
        if is_new or finding["level"] == ERROR:
            found.append({key: visible(str(value)) for key, value in finding.items()})
    return found


def _examined(node: Identity, desired: Desired, release: str, images: Sequence[str]) -> list[dict[str, Any]]:
    here = expectation.around(node, desired, release, read_generated(node.paths))
    facts = NodeFacts(
        k3s_version=release, default_endpoint=here.default_endpoint, embedded_mirror=here.embedded[0], images=images
    )
    return examine((), dict(desired.config or {}), {}, facts)


def _hosts(node: Identity, desired: Desired, installed: str, target: Release) -> list[dict[str, Any]]:
    """The hosts.toml that the new release writes otherwise than the installed one, with a diff each."""
    found = read_generated(node.paths)
    after = expectation.prediction(node, desired, target.text, found).hosts[0]
    before: Mapping[str, str] = found.hosts
    if known_release(installed) is not None:
        predicted = expectation.prediction(node, desired, installed, found)
        # What an older release has written is what is there.
        before = predicted.hosts[0] if predicted.certain else before
    differences = [
        Difference("certs.d/%s/hosts.toml" % host, host, _kind(before.get(host), after.get(host)),
                   before.get(host, ""), after.get(host, ""))
        for host in sorted({*before, *after})
        if before.get(host) != after.get(host)
    ]  # fmt: skip
    names = ("now", "with " + target.text)
    return explained.listed(differences, node.paths.certs_d, node.paths.containerd_config, names)


def _kind(before: str | None, after: str | None) -> str:
    return MISSING if before is None else UNEXPECTED if after is None else DIFFERS
