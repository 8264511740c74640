# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of pods' sandboxes, which containerd pulls by itself: the kubelet hands out nothing for it."""

from __future__ import annotations

import re

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

# Version 2 of containerd's configuration, and version 3.
_NAMED = re.compile(r"""^\s*sandbox(?:_image)?\s*=\s*(["'])([^"'\n]+)\1\s*$""", re.MULTILINE)
_CONTAINERDS_OWN = "registry.k8s.io/pause"


def pause_images(paths: NodePaths) -> list[str]:
    """The image as containerd's configuration names it; its own if nothing is named.

    :raises FileProblem: if that cannot be read.
    """
    text = (files.read(paths.containerd_config).content or b"").decode("utf-8", "replace")
    return [match.group(2) for match in _NAMED.finditer(text)] or [_CONTAINERDS_OWN]
