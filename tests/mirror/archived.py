# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an export says of itself."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path


def digests_of(tar: Path) -> dict[str, str]:
    """Image to digest, out of the manifest in an export's tarball."""
    with tarfile.open(tar) as archive:
        handle = archive.extractfile("k3sfleet-mirror.json")
        content = json.load(handle) if handle is not None else {"images": []}
    return {item["image"]: item["digest"] for item in content["images"]}
