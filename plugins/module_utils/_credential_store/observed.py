# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node can say of its credential store without a word of what is in it."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

from .on_the_node import read
from .pause_image import pause_images
from .store import EMPTY, StoreDamaged


def observed(paths: NodePaths) -> dict[str, Any]:
    """``{registries, since, pause_images}``: the registries whose credentials the kubelet hands out, ``since`` when it
    has these, and the images that are pulled without it."""
    try:
        store = read(paths)
    except (files.FileProblem, StoreDamaged):
        store = EMPTY
    return {
        "registries": list(store.registries),
        "since": os.stat(paths.credential_store).st_mtime,
        "pause_images": pause_images(paths),
    }
