# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node asks back before it can have its credential providers: programs that it lacks, and whether somebody
else's configuration says what is wanted."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Callable, Mapping

import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.config_yaml import (
    equal_in_effect,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import SealBroken, unseal

# It is asked once for each of both at the most.
_ROUNDS = 3
_LARGEST = 256 << 10
QUESTIONS = ("lacks_programs", "foreign_providers")
"""The keys of an answer that asks back."""

_Execute = Callable[[dict[str, Any]], dict[str, Any]]


def answered(
    execute: _Execute, arguments: dict[str, Any], desired: Desired | None, send: Callable[[list[str]], dict[str, str]]
) -> dict[str, Any]:
    """The module's answer, after what the node has asked back.

    :param execute: runs the module on the node with these arguments.
    :param send: brings the programs with these checksums to the node, and returns where each is there.
    """
    for _round in range(_ROUNDS):
        answer = execute(arguments)
        if desired is None or not any(question in answer for question in QUESTIONS):
            return answer
        if "lacks_programs" in answer:
            wanted = {sha256 for declared in desired.providers for sha256 in declared.programs.values()}
            lacking = answer["lacks_programs"]
            if not isinstance(lacking, list) or not lacking or not wanted.issuperset(map(str, lacking)):
                return _failed("the node asks for programs that are not meant for it; see whether it is still yours")
            arguments = dict(arguments, programs=send([str(sha256) for sha256 in lacking]))
            continue
        try:
            found = _found(answer["foreign_providers"], arguments["key"])
        except SealBroken as problem:
            return _failed("the node's answer is damaged (%s); run it again" % problem)
        path, text = found
        if not _says_the_same(text, desired):
            return _failed(
                "%s was not written by this collection and does not say what k3s_registries_credential_providers says. "
                "Bring that in line, or remove the file. Nothing on the node has been touched" % path
            )
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        desired = replace(desired, settings={**desired.settings, "same_providers": digest})
        arguments = dict(arguments, prepared=desired.text())
    return _failed("the node keeps asking for what it has been given; run it again")


def _found(sealed: Any, key: str) -> tuple[str, str]:
    content: Any = unseal(sealed, key)
    if not isinstance(content, Mapping) or not all(isinstance(content.get(part), str) for part in ("path", "text")):
        raise SealBroken("it is none that a node gives")
    return content["path"], content["text"]


def _says_the_same(text: str, desired: Desired) -> bool:
    if len(text) > _LARGEST:
        return False
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    # What a node of any architecture reads is the same; only the programs differ.
    return equal_in_effect(found, [declared.provider for declared in desired.providers])


def _failed(message: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "msg": message}
