# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the user's ``k3s_registries_credential_providers`` to what nodes are to have: shapes, files, checksums.

All of it happens on the controller, before any node is touched.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any, Callable, Iterator, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import (
    kubelet_rules,
    program,
    programs,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import (
    ANY_ARCHITECTURE,
    Declared,
    Provider,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.provider_program import NAME

from .once import once

VARIABLE = "k3s_registries_credential_providers"

_KEYS = (
    "name", "src", "checksum", "path", "match_images", "default_cache_duration", "args", "env", "token_attributes",
)  # fmt: skip
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_CHUNK = 1 << 20


class ProviderProblem(Exception):
    """The providers cannot be used as they are given; the text has a sentence for each reason."""


class Providers(NamedTuple):
    """``sources`` are the files of the controller that hold the programs, by their checksums."""

    declared: tuple[Declared, ...] = ()
    sources: Mapping[str, str] = {}


def prepare_providers(given: Any, find: Callable[[str], str], shared_folder: str = "") -> Providers:
    """Check the providers that the user has declared, and find their programs.

    :param find: the path of a file on the controller, by what the user wrote; raises ValueError if there is none.
    :param shared_folder: where the processes of a run share what one of them has computed; "" computes all here.
    :raises ProviderProblem: if anything is wrong with them.
    """
    if not given:
        return Providers()
    found = list(_shape_problems(given))
    if found:
        raise ProviderProblem("; ".join(found))
    declared, sources = [], {}
    for entry in given:
        name = str(entry["name"])
        sums = {}
        for architecture, source in _sources(entry).items():
            try:
                path = find(source)
                sha256, head = _known(path, shared_folder)
            except (OSError, ValueError) as error:
                found.append("%s: src %s cannot be read on the controller: %s" % (name, source, error))
                continue
            found += ["%s: src %s: %s" % (name, source, said) for said in _file_problems(
                entry, architecture, sha256, head
            )]  # fmt: skip
            sums[architecture], sources[sha256] = sha256, path
        declared.append(Declared(_provider(entry), sums))
    found += kubelet_rules.problems([item.provider for item in declared])
    if found:
        raise ProviderProblem("; ".join("%s: %s" % (VARIABLE, sentence) for sentence in found))
    return Providers(tuple(declared), sources)


def _shape_problems(given: Any) -> Iterator[str]:
    if not isinstance(given, (list, tuple)) or not all(isinstance(entry, Mapping) for entry in given):
        yield "%s has to be a list of providers, each a mapping" % VARIABLE
        return
    for index, entry in enumerate(given):
        where = "%s[%d]" % (VARIABLE, index)
        unknown = sorted(str(key) for key in entry if key not in _KEYS)
        if unknown:
            yield "%s: there is no %s, only %s" % (where, ", ".join(unknown), ", ".join(_KEYS))
        if not isinstance(entry.get("name"), str):
            yield "%s: name is needed, a text" % where
        elif entry["name"] == NAME:
            yield "%s: the name %s is for the program of k3s_registries_credential_store" % (where, NAME)
        if bool(entry.get("src")) == bool(entry.get("path")):
            yield "%s: one of src (a file on the controller) and path (one that the node has) is needed" % where
        elif entry.get("path"):
            yield from _path_problems(where, entry)
        else:
            yield from _source_problems(where, entry)
        for key in ("match_images", "args"):
            if not _are_texts(entry.get(key) or []):
                yield "%s: %s has to be a list of texts" % (where, key)
        if not isinstance(entry.get("default_cache_duration", ""), str):
            yield "%s: default_cache_duration has to be a text such as 12h" % where
        env = entry.get("env") or {}
        # A value may be secret: its name is enough.
        if not isinstance(env, Mapping) or not _are_texts(list(env)):
            yield "%s: env has to be a mapping of names to texts" % where
        else:
            for name in sorted(name for name, value in env.items() if not isinstance(value, str)):
                yield "%s: env %s has to be a text: write it in quotes" % (where, name)
        if not isinstance(entry.get("token_attributes"), (Mapping, type(None))):
            yield "%s: token_attributes has to be a mapping" % where


def _path_problems(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    path = entry["path"]
    if not isinstance(path, str) or not os.path.isabs(path) or os.path.normpath(path) != path:
        yield "%s: path has to be an absolute path on the node" % where
    if entry.get("checksum"):
        yield "%s: checksum goes with src; a program that the node has is taken as it is" % where


def _source_problems(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    source, checksum = entry["src"], entry.get("checksum")
    if isinstance(source, Mapping):
        odd = sorted(str(key) for key in source if key not in program.ARCHITECTURES)
        if odd:
            yield "%s: src: %s is no architecture; those are %s" % (
                where, ", ".join(odd), ", ".join(program.ARCHITECTURES)
            )  # fmt: skip
    texts = list(source.values()) if isinstance(source, Mapping) else [source]
    if not _are_texts(texts) or not all(texts):
        yield "%s: src has to be a file's path, or a mapping of architectures to paths" % where
    if not checksum:
        return
    if isinstance(checksum, Mapping) != isinstance(source, Mapping):
        yield "%s: checksum has to be given like src, by architecture or as one text" % where
        return
    for value in checksum.values() if isinstance(checksum, Mapping) else [checksum]:
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            yield "%s: checksum has to be a SHA-256, 64 hexadecimal digits, with sha256: before it or not" % where


def _are_texts(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(value, str) for value in values)


def _sources(entry: Mapping[str, Any]) -> dict[str, str]:
    source = entry.get("src") or {}
    return dict(source) if isinstance(source, Mapping) else {ANY_ARCHITECTURE: source}


def _provider(entry: Mapping[str, Any]) -> Provider:
    tokens = entry.get("token_attributes")
    return Provider(
        name=entry["name"],
        sha256="",
        match_images=tuple(entry.get("match_images") or ()),
        default_cache_duration=entry.get("default_cache_duration") or "0s",
        args=tuple(entry.get("args") or ()),
        env=tuple((entry.get("env") or {}).items()),
        token_attributes=dict(tokens) if tokens else None,
        path=entry.get("path") or "",
    )


def _known(path: str, shared_folder: str) -> tuple[str, bytes]:
    """A file's checksum and its first bytes; many hosts of a run have the same."""
    status = os.stat(path)
    if not os.path.isfile(path):
        raise ValueError("it is not a regular file")
    if status.st_size > programs.LARGEST:
        raise ValueError("it is larger than %d MiB" % (programs.LARGEST >> 20))
    stamp = [path, str(status.st_size), str(status.st_mtime_ns), str(status.st_ino)]
    sha256, head = once(shared_folder, ["credential provider", *stamp], lambda: _read(path))
    return sha256, bytes.fromhex(head)


def _read(path: str) -> list[str]:
    digest = hashlib.sha256()
    head = b""
    with open(path, "rb") as handle:
        for chunk in iter(lambda: handle.read(_CHUNK), b""):
            head = head or chunk[: program.HEAD]
            digest.update(chunk)
    return [digest.hexdigest(), head.hex()]


def _file_problems(entry: Mapping[str, Any], architecture: str, sha256: str, head: bytes) -> Iterator[str]:
    trouble = program.problem(head, "" if architecture == ANY_ARCHITECTURE else architecture)
    if trouble:
        yield trouble
    checksum = entry.get("checksum")
    wanted = checksum.get(architecture, "") if isinstance(checksum, Mapping) else checksum or ""
    match = _SHA256.fullmatch(wanted)
    if match and match.group(1).lower() != sha256:
        yield "its SHA-256 is %s, and checksum says another" % sha256
