# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom templates of containerd's configuration, which may leave out what K3s would write about registries."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from . import files
from .paths import NodePaths

#: The one that K3s prefers first.
_NAMES = ("config-v3.toml.tmpl", "config.toml.tmpl")
_EXTENDS_BASE = re.compile(r"template\s+\"base\"")


class Template(NamedTuple):
    """``writes_auth``: whether it writes credentials; ``writes_config_path``: whether containerd finds certs.d. A
    template either extends K3s' base template, or has to carry both itself."""

    path: str
    writes_auth: bool
    writes_config_path: bool


def template_paths(paths: NodePaths) -> list[str]:
    """Where templates may be, the one that K3s prefers first."""
    return [os.path.join(os.path.dirname(paths.containerd_config), name) for name in _NAMES]


def read_templates(paths: NodePaths) -> list[Template]:
    """Those of this node, the one in use first."""
    found = []
    for path in template_paths(paths):
        try:
            content = files.read(path).content
        except files.FileProblem:
            continue
        if content is not None:
            text = content.decode("utf-8", "replace")
            extends = bool(_EXTENDS_BASE.search(text))
            found.append(Template(path, extends or "registry.configs" in text, extends or "config_path" in text))
    return found
