# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of k3s_image_mirror, for its action plugin and its module."""

from __future__ import annotations

from typing import Any

MIRROR_ARGUMENTS: dict[str, dict[str, Any]] = {
    "config": {"type": "raw", "no_log": True},
    "images": {"type": "list", "elements": "str", "default": []},
    "image_files": {"type": "list", "elements": "path", "default": []},
    "releases": {"type": "list", "elements": "str", "default": []},
    "release_url": {"type": "str", "default": "https://github.com"},
    "archives": {"type": "list", "elements": "path", "default": []},
    "layouts": {"type": "list", "elements": "path", "default": []},
    "import_from": {"type": "list", "elements": "path", "default": []},
    "export_to": {"type": "path"},
    "source_registries": {"type": "dict", "default": {}},
    "source_configs": {"type": "dict", "no_log": True, "default": {}},
    "mapping": {"type": "dict", "default": {}},
    "endpoint": {"type": "str", "default": ""},
    "system_default_registry": {"type": "str", "default": ""},
    "platforms": {"type": "list", "elements": "str", "default": []},
    "overwrite": {"type": "bool", "default": False},
    "parallel": {"type": "int", "default": 4},
    "retries": {"type": "int", "default": 3},
    "timeout": {"type": "int", "default": 30},
    "copy_timeout": {"type": "int", "default": 3600},
    "progress_interval": {"type": "int", "default": 10},
    "request": {"type": "str", "no_log": True},
}
