# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One credential provider of the kubelet: a program on the node that the kubelet starts for a pod's pull, and that
answers with the credentials for the image."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.kept_shapes import (
    fits,
    is_path,
    is_text,
    optional,
)

API_VERSION = "credentialprovider.kubelet.k8s.io/v1"
"""In which version the kubelet and a provider talk: the one that every release since v1.26 has."""

ANY_ARCHITECTURE = "*"


class Provider(NamedTuple):
    """A provider as one node has it.

    ``name`` is the name of its program in the kubelet's folder. ``sha256`` names the program's content, "" for one that
    the node has already at ``path``. ``env`` may hold secrets. ``token_attributes`` has the kubelet's own keys, None
    for none.
    """

    name: str
    sha256: str
    match_images: tuple[str, ...]
    default_cache_duration: str = "0s"
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    token_attributes: Mapping[str, Any] | None = None
    path: str = ""


class Declared(NamedTuple):
    """A provider as the inventory declares it, for nodes of any architecture.

    ``programs`` are the checksums of its program by architecture, :data:`ANY_ARCHITECTURE` for a script; ``provider``
    is the rest.
    """

    provider: Provider
    programs: Mapping[str, str]

    def on(self, architecture: str) -> Provider | None:
        """The provider for nodes of this architecture; None if there is no program for it."""
        if self.provider.path:
            return self.provider
        sha256 = self.programs.get(architecture) or self.programs.get(ANY_ARCHITECTURE)
        return self.provider._replace(sha256=sha256) if sha256 else None

    def as_json(self) -> dict[str, Any]:
        """What :func:`declared_from` reads back."""
        return {**self.provider._asdict(), "sha256": "", "programs": dict(self.programs)}

    def secrets(self) -> list[str]:
        """What no text may show. Which of the variables are secret is not known, so none is shown."""
        return [value for _name, value in self.provider.env if value]


def of_record(programs: Mapping[str, str]) -> tuple[Provider, ...]:
    """Providers of which only the programs are known: see :func:`record_of`."""
    return tuple(
        Provider(name, "", (), path=known) if known.startswith("/") else Provider(name, known, ())
        for name, known in sorted(programs.items())
    )


def record_of(providers: Iterable[Provider]) -> dict[str, str]:
    """The programs of providers, as a node remembers them: the checksum of each, or its path."""
    return {provider.name: provider.path or provider.sha256 for provider in providers}


#: The shape of what :meth:`Declared.as_json` makes.
DECLARED = {
    "name": is_text, "match_images": [is_text], "default_cache_duration": is_text, "args": [is_text],
    "env": [lambda pair: isinstance(pair, list) and len(pair) == 2 and fits(pair, [is_text])],
    "token_attributes": optional(dict), "path": lambda path: path == "" or is_path(path), "programs": {"*": is_text},
}  # fmt: skip


def declared_from(item: Mapping[str, Any]) -> Declared:
    """Read a provider back that has the shape :data:`DECLARED`."""
    provider = Provider(
        name=item["name"],
        sha256="",
        match_images=tuple(item["match_images"]),
        default_cache_duration=item["default_cache_duration"],
        args=tuple(item["args"]),
        env=tuple((name, value) for name, value in item["env"]),
        token_attributes=item["token_attributes"],
        path=item["path"],
    )
    return Declared(provider, dict(item["programs"]))
