# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods and service accounts bring credentials of their own, asked of the whole cluster through a server.

containerd uses a pod's imagePullSecret only after a 401, and there is none if the registry takes the header of
hosts.toml. The secrets themselves are not read, so any of them may be for any registry of the pod's images.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, NamedTuple
from urllib.parse import quote

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import admin
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

ANY = "*"
"""Among registries: it cannot be told from which."""

# Well below the time for which a Lease that was just taken is held.
_TIMEOUT = 30.0
# Of 40 KB each at the most; a page that is longer than what is read of an answer is none.
_PAGE = 100
_ENDED = ("Succeeded", "Failed")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


class Unavailable(Exception):
    """The API does not answer, or with something else than was asked for; the text says what."""


class Bringer(NamedTuple):
    """Somebody who brings credentials: ``pod default/app`` on a ``node``, ``service account default/app`` on any (""),
    for images of these ``registries``."""

    who: str
    node: str
    registries: tuple[str, ...]


def asked(paths: NodePaths) -> list[Bringer]:
    """All of the cluster that this server belongs to, each registry of a node once.

    :raises Unavailable: if they cannot be listed.
    """
    try:
        access = admin.credentials(paths)
    except admin.NoCredentials as problem:
        raise Unavailable(str(problem)) from None
    deadline = Deadline(_TIMEOUT)
    return collected(_listed(access, "serviceaccounts", deadline), _listed(access, "pods", deadline))


def _listed(access: admin.Credentials, kind: str, deadline: Deadline) -> Iterator[Mapping[str, Any]]:
    page = ""
    while True:
        path = "/api/v1/%s?limit=%d" % (kind, _PAGE) + ("&continue=" + quote(page, safe="") if page else "")
        try:
            answer = admin.get(access, access.address, path, deadline.left("list the " + kind))
        except Failure as failure:
            raise Unavailable(failure.detail) from None
        found = answer.json()
        if not isinstance(found, dict) or not isinstance(found.get("items"), list):
            said = answer.text[:200] if answer.status == 0 else "the API answers with status %d" % answer.status
            raise Unavailable("%s: %s" % (kind, said))
        yield from (item for item in found["items"] if isinstance(item, dict))
        page = str(_of(found, "metadata").get("continue") or "")
        if not page:
            return


def collected(accounts: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]) -> list[Bringer]:
    """Those who bring credentials among these objects of the API."""
    with_secrets = {_name(item) for item in accounts if item.get("imagePullSecrets")}
    used: dict[str, set[str]] = {name: set() for name in with_secrets}
    seen: set[tuple[str, str]] = set()
    found = []
    for pod in pods:
        spec = _of(pod, "spec")
        account = "%s/%s" % (_of(pod, "metadata").get("namespace"), spec.get("serviceAccountName"))
        registries = _registries(spec)
        if account in used:
            used[account] |= registries
        if not spec.get("imagePullSecrets") or _of(pod, "status").get("phase") in _ENDED:
            continue
        node = str(spec.get("nodeName") or "")
        new = {registry for registry in registries if (node, registry) not in seen}
        seen.update((node, registry) for registry in new)
        if new:
            found.append(Bringer("pod " + _name(pod), node, tuple(sorted(new))))
    found += [
        Bringer("service account " + name, "", tuple(sorted(registries)) or (ANY,))
        for name, registries in sorted(used.items())
    ]
    return found


def _registries(spec: Mapping[str, Any]) -> set[str]:
    """The registries of a pod's images, as their names have them."""
    images = [item.get("image") for kind in _CONTAINERS for item in _items(spec, kind)]
    images += [_of(item, "image").get("reference") for item in _items(spec, "volumes")]
    found = set()
    for image in images:
        if isinstance(image, str) and image:
            try:
                found.add(parse_image(image).registry)
            except ImageError:
                found.add(ANY)
    return found


def _name(item: Mapping[str, Any]) -> str:
    metadata = _of(item, "metadata")
    return "%s/%s" % (metadata.get("namespace"), metadata.get("name"))


def _of(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def _items(spec: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = spec.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
