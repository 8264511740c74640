# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of k3s_image_preload."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import NODE_ARGUMENTS

COMPRESSIONS = ["gzip", "zstd", "none"]
STEPS = ["all", "look", "relay", "fetch", "end_relay"]
"""Of one node's way through a relay; ``all`` is without one."""

PRELOAD_ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    state={"type": "str", "choices": ["present", "absent", "archived"], "default": "present"},
    archive_dir={"type": "path", "default": "~/.cache/k3s_image_preload"},
    layouts={"type": "list", "elements": "raw", "default": []},
    archives={"type": "list", "elements": "path", "default": []},
    compression={"type": "str", "choices": COMPRESSIONS, "default": "gzip"},
    purge={"type": "bool", "default": False},
    chunk_size={"type": "int", "default": 16},
    bandwidth_limit={"type": "int", "default": 0},
    import_timeout={"type": "int", "default": 600},
    progress_interval={"type": "int", "default": 10},
    step={"type": "str", "choices": STEPS, "default": "all"},
    site={"type": "str", "default": ""},
    site_hosts={"type": "list", "elements": "str", "default": []},
    relay_address={"type": "str", "default": ""},
    relay_port={"type": "int", "default": 0},
    relay_timeout={"type": "int", "default": 7200},
    request={"type": "str", "no_log": True},
    secret={"type": "str", "no_log": True},
    key={"type": "str", "no_log": True},
)
