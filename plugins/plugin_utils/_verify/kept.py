# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found on a host, kept on the controller until the whole fleet's result is written.

Ansible prints all of a result that fails. So a node's task returns only a mark. What belongs to it is in a file of
Ansible's own temporary folder, which only this user can read and which goes away with the process.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from typing import Any, Mapping

_NAME = "k3sfleet-verified-%s.json"
_MARK = re.compile(r"[0-9a-f]{32}")


def keep(folder: str, found: Mapping[str, Any]) -> str:
    """Keep it, and return the mark under which it can be read.

    :param folder: Ansible's temporary folder of this run (``C.DEFAULT_LOCAL_TMP``).
    :raises OSError: if it cannot be written.
    """
    mark = uuid.uuid4().hex
    descriptor = os.open(_path(folder, mark), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(found, handle)
    return mark


def read(folder: str, mark: str) -> dict[str, Any]:
    """What was kept.

    :raises OSError: if there is nothing under this mark.
    """
    if not _MARK.fullmatch(mark):
        raise FileNotFoundError("no result was kept")
    with open(_path(folder, mark), encoding="utf-8") as handle:
        found: dict[str, Any] = json.load(handle)
        return found


def _path(folder: str, mark: str) -> str:
    return os.path.join(folder, _NAME % mark)
