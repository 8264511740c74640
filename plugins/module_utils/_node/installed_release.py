# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release of K3s or RKE2 is installed, and what that means for the wanted state."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules import release as rules
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.known_problems import known_problems
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import known_release

from . import files
from .command import run
from .paths import NodePaths

_VERSION = re.compile(r"\b(v\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?\+(?:k3s|rke2r?)[0-9a-z-]+)")

_NOTHING: Mapping[str, Any] = {"mirrors": {}, "configs": {}}


def installed(paths: NodePaths, *, keep: bool) -> str:
    """The installed release, such as ``v1.34.3+k3s1``; "" when the binary does not say.

    The answer is kept beside the record with the binary's size and time: K3s unpacks itself to answer, which
    would be the slowest part of a run over an unchanged fleet.

    :param keep: whether the answer may be written down.
    """
    try:
        status = os.stat(paths.binary)
    except OSError:
        return ""
    stamp = [paths.binary, status.st_size, status.st_mtime_ns]
    cache = os.path.join(paths.state_dir, "release.json")
    try:
        known = json.loads((files.read(cache).content or b"{}").decode("utf-8"))
        if known.get("stamp") == stamp:
            return str(known["release"])
    except (ValueError, KeyError, AttributeError):
        pass
    match = _VERSION.search(run([paths.binary, "--version"], 30.0).out)
    found = match.group(1) if match else ""
    # The folder alone says nothing: a run that has only just begun has made it for its lock.
    ours = any(os.path.exists(os.path.join(paths.state_dir, name)) for name in ("record.json", "candidate.json"))
    if keep and found and ours:
        files.write(cache, json.dumps({"stamp": stamp, "release": found}).encode("utf-8"), 0o600, through_link=False)
    return found


def writes_current_hosts_toml(node_release: str) -> bool:
    """Whether this release writes hosts.toml in exactly the current form. Not for an unknown release: that one is
    never certain."""
    release = known_release(node_release)
    if release is None or not rules.hosts_toml_is_exact(release):
        return False
    return rules.hosts_toml_style(release) == rules.hosts_toml_style(None)


def lacking(config: Mapping[str, Any] | None, settings: Mapping[str, Any], node_release: str) -> list[str]:
    """What the wanted state needs and this release does not have, as sentences."""
    return [item["message"] for item in _by_rule(rules.lacking_features, config, settings, node_release)]


def warnings(config: Mapping[str, Any] | None, settings: Mapping[str, Any], node_release: str) -> list[str]:
    """What this release is known to get wrong with the wanted state, as sentences that name the fixed release."""
    found = _by_rule(known_problems, config, settings, node_release)
    return ["%s: %s" % (item["path"], item["message"]) if item["path"] else item["message"] for item in found]


def _by_rule(
    rule: Callable[..., Any], config: Mapping[str, Any] | None, settings: Mapping[str, Any], node_release: str
) -> Any:
    """What a rule about releases finds; nothing for an unknown release."""
    release = known_release(node_release)
    if release is None:
        return []
    default_endpoint = not settings.get("disable_default_endpoint")
    return rule(config or _NOTHING, default_endpoint, bool(settings.get("embedded_registry")), release)
