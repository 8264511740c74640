# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the run knows about its rollout: one small file that all of Ansible's worker processes share.

Ansible runs a task for many hosts in processes that share no memory, and its ``throttle`` goes on after a
failure. So the processes of one ``ansible-playbook`` meet in a file in Ansible's own temporary folder, which
only this user can read and which goes away with the process. It holds host names, counts and sentences,
never a secret.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from typing import Any, Iterator

_EMPTY: dict[str, Any] = {
    "staged": {}, "failed": {}, "refused": {}, "canary": [], "shown": False,
    "holder": "", "held": False, "server": "", "without": False, "refusal": "", "asked": [], "controller": 0,
}  # fmt: skip
_LOOK_EVERY = 0.2


class Ledger:
    """The shared state of the rollout over one cluster.

    :param folder: Ansible's temporary folder of this run (``C.DEFAULT_LOCAL_TMP``).
    :param cluster: what tells this cluster from others in the same run.
    """

    def __init__(self, folder: str, cluster: str) -> None:
        self._stem = os.path.join(folder, "k3sfleet-" + hashlib.sha256(cluster.encode("utf-8")).hexdigest()[:16])

    @contextlib.contextmanager
    def opened(self) -> Iterator[dict[str, Any]]:
        """The state, locked for as long as the block runs and written back at its end."""
        with self.exclusively("ledger"):
            path = self._stem + ".json"
            try:
                with open(path, encoding="utf-8") as handle:
                    state = json.load(handle)
            except FileNotFoundError:
                state = json.loads(json.dumps(_EMPTY))
            yield state
            temporary = path + ".new"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
                json.dump(state, handle)
            os.replace(temporary, path)

    @contextlib.contextmanager
    def exclusively(self, what: str) -> Iterator[None]:
        """Only one process of the run is inside at a time. The lock goes with its process, however that ends."""
        with self._locked(what, fcntl.LOCK_EX):
            yield

    @contextlib.contextmanager
    def turn_to_restart(self, server: bool, at_once: int) -> Iterator[None]:
        """Wait until this node may restart: a server alone, agents ``at_once`` at a time and never beside a server.

        Under the linear strategy the task's ``throttle`` has seen to that already. The free strategies give every host
        an include of its own, and ``throttle`` counts per task, so it would limit nothing there.
        """
        if server:
            with self._locked("restart", fcntl.LOCK_EX):
                yield
            return
        with self._one_of("agent", at_once), self._locked("restart", fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def _one_of(self, what: str, places: int) -> Iterator[None]:
        while True:
            for place in range(places):
                with contextlib.ExitStack() as stack:
                    try:
                        stack.enter_context(self._locked("%s-%d" % (what, place), fcntl.LOCK_EX | fcntl.LOCK_NB))
                    except BlockingIOError:
                        continue
                    yield
                    return
            time.sleep(_LOOK_EVERY)

    @contextlib.contextmanager
    def _locked(self, what: str, how: int) -> Iterator[None]:
        descriptor = os.open("%s.%s.lock" % (self._stem, what), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, how)
            try:
                yield
            finally:
                # Closing alone would leave it with a child that was forked meanwhile, such as the Lease's keeper.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)
