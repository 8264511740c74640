# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the certificates of a configuration come from, and which files on the node they become."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Callable, Iterable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials import stated

PARTS = (("ca", "ca.crt", 0o644), ("cert", "client.crt", 0o644), ("key", "client.key", 0o600))
"""Part, file name on the node, mode there."""

SHIPPING_KEYS = tuple(part + suffix for part, _name, _mode in PARTS for suffix in ("_src", "_content"))
"""The keys of ``tls`` that the collection adds to K3s' own."""


_SUFFIX = "~"
# A file name has 255 bytes, and the suffix needs 17 of them.
_LONGEST = 238


class SourceProblem(Exception):
    """A source cannot be read; the text names the path in the configuration, the file and what to do."""


class Source(NamedTuple):
    """One certificate or key to ship: ``where`` names it in messages, ``text`` is its content."""

    registry: str
    part: str
    where: str
    text: str


def config_path(registry: str, *keys: str) -> str:
    """``configs."registry.example.com:5000".tls.ca_src``"""
    return ".".join(('configs."%s"' % registry,) + keys)


def folder_names(registries: Iterable[str]) -> dict[str, str]:
    """The folder of each registry's certificates: its name with ``:`` as ``_``, ``wildcard`` for ``*``, and nothing
    that leaves ``cert_dir``.

    Two registries never share one: where they would, such as ``reg:5000`` and ``reg_5000``, the one that is named like
    the folder but for the colon has it, and the other's gets a suffix made from its name, whatever their order is.
    """
    by_folder: dict[str, list[str]] = {}
    for registry in dict.fromkeys(registries):
        by_folder.setdefault(_plain_folder(registry), []).append(registry)
    found = {}
    for folder, sharing in by_folder.items():
        # The wildcard first, then the registry that the folder is named after, then by name.
        sharing.sort(key=lambda name: (name != "*", folder != name.replace(":", "_"), name))
        for position, registry in enumerate(sharing):
            found[registry] = _own_folder(folder, registry) if position or _SUFFIX in folder else folder
    return found


def _plain_folder(registry: str) -> str:
    name = "".join("_" if letter in ":/\\" or not letter.isprintable() else letter for letter in registry)
    name = "wildcard" if name == "*" else name.lstrip(".") or "_"
    return name.encode("utf-8")[:_LONGEST].decode("utf-8", "ignore")


def _own_folder(folder: str, registry: str) -> str:
    digest = hashlib.sha256(registry.encode("utf-8", "surrogatepass")).hexdigest()
    return folder + _SUFFIX + digest[:16]


def collect(config: Mapping[str, Any], read_file: Callable[[str], bytes]) -> list[Source]:
    """Every source that ``config`` names, read.

    :param read_file: reads a path of the controller, decrypting vault files; raises OSError or ValueError.
    :raises SourceProblem: for the first one that cannot be read or is no text.
    """
    found = []
    for registry, entry in (config.get("configs") or {}).items():
        tls = (entry or {}).get("tls") or {} if isinstance(entry, Mapping) else {}
        if not isinstance(tls, Mapping):
            continue
        for part, _name, _mode in PARTS:
            content, path = tls.get(part + "_content"), tls.get(part + "_src")
            if content:
                where = config_path(registry, "tls", part + "_content")
                if not isinstance(content, str):
                    raise SourceProblem("%s: PEM text is needed, not a %s" % (where, type(content).__name__))
                found.append(Source(registry, part, where, content))
            elif path:
                where = "%s (%s)" % (config_path(registry, "tls", part + "_src"), path)
                found.append(Source(registry, part, where, _read(read_file, str(path), where)))
    return found


def _read(read_file: Callable[[str], bytes], path: str, where: str) -> str:
    try:
        data = read_file(path)
    except (OSError, ValueError) as error:
        raise SourceProblem("%s: cannot be read on the controller: %s" % (where, error)) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Left to the certificate check, which tells DER and PKCS#12 apart and says how to convert them.
        return data.decode("latin-1")


def on_the_node(cert_dir: str, sources: Iterable[Source]) -> dict[Source, tuple[str, int]]:
    """Path and mode on the node of each source's file."""
    sources = list(sources)
    folders = folder_names(source.registry for source in sources)
    names = {part: (name, mode) for part, name, mode in PARTS}
    return {
        source: (os.path.join(cert_dir, folders[source.registry], names[source.part][0]), names[source.part][1])
        for source in sources
    }


def with_node_paths(config: Mapping[str, Any], sources: list[Source], cert_dir: str) -> dict[str, Any]:
    """``config`` as K3s reads it: the collection's own keys gone, the paths of shipped files in their place."""
    configs: dict[str, Any] = {}
    places = on_the_node(cert_dir, sources)
    for registry, entry in (config.get("configs") or {}).items():
        entry = dict(entry or {})
        if entry.get("tls") is not None:
            tls = {key: value for key, value in entry["tls"].items() if key not in SHIPPING_KEYS}
            for source in sources:
                if source.registry == registry:
                    tls[source.part + "_file"] = places[source][0]
            entry["tls"] = tls
        if entry.get("auth") is not None:
            entry["auth"] = {key: value for key, value in entry["auth"].items() if key != stated.KEY}
        configs[registry] = entry
    return {"mirrors": dict(config.get("mirrors") or {}), "configs": configs}
