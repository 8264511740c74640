# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A prediction in one word, so that a node on which all is as usual need not work it out.

The controller predicts once for the circumstances that nearly every node has, and ships the fingerprints. A node whose
generated files have the fingerprint of its own circumstances has loaded the configuration; in every other case it
predicts by itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Mapping


def settings_of(text: str) -> list[str]:
    """The lines of a hosts.toml that matter. Releases differ in blank lines and in an empty ``[host]`` table before the
    others."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and line.strip() != "[host]"]


def fingerprint(hosts: Mapping[str, str]) -> str:
    """Equal for sets of hosts.toml texts between which :func:`prediction.compare` finds no difference."""
    # A key with a scheme or with dots in its path ends in a cleaned directory name.
    settings = {os.path.normpath(host): settings_of(text) for host, text in hosts.items()}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode("utf-8")).hexdigest()


def circumstances_key(distribution: str, agent_dir: str, default_endpoint: bool, address: str) -> str:
    """Names the circumstances that a prediction depends on, for releases whose texts can be told."""
    return json.dumps([distribution, agent_dir, default_endpoint, address])
