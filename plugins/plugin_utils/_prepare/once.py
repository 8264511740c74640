# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that every worker process of a run would do anew, done by the first one.

Ansible runs a task for each host in a process of its own, so nothing that one has computed reaches the next. What is
worth it goes through a file in Ansible's temporary folder of this run, which only this user can read and which goes
away with the run. Only results without secrets are kept; what they were computed from is known by its digest.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from typing import Any, Callable, Iterable


def once(folder: str, parts: Iterable[str], compute: Callable[[], Any]) -> Any:
    """What ``compute`` returns for ``parts``, computed by one process of the run and read by the others.

    :param folder: Ansible's temporary folder of this run; "" computes it here.
    :param parts: everything that the result depends on; secrets may be among them.
    :param compute: returns something that JSON can express and that holds no secret.
    """
    if not folder:
        return compute()
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(encoded) + encoded)
    path = os.path.join(folder, "k3sfleet-once-%s.json" % digest.hexdigest())
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        text = handle.read()
        if text:
            return json.loads(text)
        result = compute()
        handle.write(json.dumps(result))
        return result
