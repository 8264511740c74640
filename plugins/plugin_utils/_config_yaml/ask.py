# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a node that may not be able to read its own configuration: the second question, with the controller's help."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import SealBroken, new_key, unseal

from .yaml_entries import LARGEST_TOGETHER, NoYaml, yaml_entries

_UNREADABLE = "%s on the node cannot be read: %s. K3s does not start with it; correct the file"


def ask(execute: Callable[[dict[str, Any]], dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The module's answer; asked once more if the node was unsure of a configuration file.

    :param execute: runs the module on the node with these arguments.
    """
    key = new_key()
    answer = execute(dict(arguments, key=key))
    if "unsure" not in answer:
        return answer
    try:
        texts = unseal(answer["unsure"], key)
    except SealBroken as problem:
        return {"failed": True, "msg": "the node's answer is damaged (%s); run it again" % problem}
    if not isinstance(texts, dict) or sum(len(str(text)) for text in texts.values()) > LARGEST_TOGETHER:
        return {
            "failed": True,
            "msg": "K3s' configuration files on the node are larger than anybody's; see what they are",
        }
    read: dict[str, Any] = {}
    for path, text in texts.items():
        try:
            entries = yaml_entries(str(text))
        except NoYaml as problem:
            return {"failed": True, "msg": _UNREADABLE % (path, problem)}
        digest = hashlib.sha256(str(text).encode("utf-8", "surrogateescape")).hexdigest()
        read[str(path)] = {"digest": digest, "entries": entries}
    again = execute(dict(arguments, key=new_key(), settings_read=read))
    if "unsure" in again:
        return {"failed": True, "msg": "K3s' configuration files on the node changed while they were read; run again"}
    return again
