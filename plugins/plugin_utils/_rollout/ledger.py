# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the run knows about its rollout: one small file that all of Ansible's worker processes share.

Ansible runs a task for many hosts in processes that share no memory, and goes on after a failure. So the processes of
one ``ansible-playbook`` meet in a file in Ansible's own temporary folder, which only this user can read and which goes
away with the process. It holds host names, counts and sentences, never a secret.

A host that waits for its turn or is in its commit occupies its place: a lock that goes with its process, however that
ends. So nobody waits for a process that is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import os
import time
from typing import Callable, ContextManager, Iterator, TypeVar

from . import rehearsal, time_left
from .run import COMMITTING, ENDED, LEFT, WAITING, Run
from .run_as_text import decode, encode

_NAME = "k3sfleet-rollout-"
_PAUSE = 0.05
# A process that is gone changes no file, so those who wait look for that every now and then; those who wait behind many
# others less often, since there are many of them.
_LOOK_ANYWAY = 0.5
_LOOK_ANYWAY_FROM_AFAR = 2.0
_FEW = 3
_GONE_REHEARSING = "its process on the controller was killed"
_GONE = "its process on the controller was killed during the commit; nobody knows yet how it ended"

Answer = TypeVar("Answer")


class Ledger:
    """The shared state of the rollout over one cluster.

    :param folder: Ansible's temporary folder of this run (``C.DEFAULT_LOCAL_TMP``).
    :param cluster: what tells this cluster from others in the same run.
    """

    def __init__(self, folder: str, cluster: str) -> None:
        self._stem = os.path.join(folder, _NAME + _short(cluster))

    @contextlib.contextmanager
    def opened(self) -> Iterator[Run]:
        """The run, locked for as long as the block lasts, and written back at its end if that has changed it."""
        with self.exclusively("ledger"):
            path = self._stem + ".json"
            try:
                with open(path, encoding="utf-8") as handle:
                    before = handle.read()
            except FileNotFoundError:
                before = encode(Run())
            run = decode(before)
            yield run
            after = encode(run)
            if after == before:
                return
            temporary = path + ".new"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
                handle.write(after)
            os.replace(temporary, path)

    def read(self) -> Run:
        """The run as it is at this moment. The file is replaced in one step, so whoever only reads needs no lock."""
        try:
            with open(self._stem + ".json", encoding="utf-8") as handle:
                return decode(handle.read())
        except FileNotFoundError:
            return Run()

    def exclusively(self, what: str) -> ContextManager[None]:
        """Only one process of the run is inside at a time. The lock goes with its process, however that ends."""
        return self._locked(what, fcntl.LOCK_EX)

    def place_of(self, host: str) -> ContextManager[None]:
        """Occupy the place of ``host``: while it rehearses, and from when it waits for its turn until its commit has
        ended."""
        return self._locked(_place(host), fcntl.LOCK_EX)

    def first_answer(
        self,
        ask: Callable[[Run], Answer | None],
        ahead: Callable[[Run], int] = lambda _run: 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Answer:
        """What ``ask`` says once it says anything; it is asked again whenever something changes in the run.

        :param ahead: how many others need an answer before this one can get its own. As long as they are more than a
            few, most changes are not looked at: a hundred hosts that wait would all read the file at each.
        :raises FileNotFoundError: when Ansible has removed its folder; the run has ended.
        """
        seen, asked, answers_needed, anyway = "", float("-inf"), 0, 0.0
        while True:
            stamp, waited = self._stamp(), time.monotonic() - asked
            if waited >= anyway or (stamp != seen and self._answers() >= answers_needed):
                with self.opened() as run:
                    if waited >= anyway:
                        self._give_up_lost(run)
                    answer = ask(run)
                    before = ahead(run) if answer is None else 0
                    if answer is not None:
                        self._count_answer()
                if answer is not None:
                    return answer
                seen, asked, anyway = stamp, time.monotonic(), _LOOK_ANYWAY_FROM_AFAR if before > _FEW else _LOOK_ANYWAY
                answers_needed = self._answers() + before - _FEW
            sleep(_PAUSE)

    def others(self) -> list[Run]:
        """The rollouts over other clusters in the same run of Ansible, as they are at this moment."""
        return self._read_all(but=self._stem + ".json")

    def all(self) -> list[Run]:
        """The rollouts over all clusters in this run of Ansible, as they are at this moment."""
        return self._read_all()

    def _read_all(self, but: str = "") -> list[Run]:
        runs = []
        folder = glob.escape(os.path.dirname(self._stem))
        for path in sorted(glob.glob(os.path.join(folder, _NAME + "*.json"))):
            if path != but:
                with open(path, encoding="utf-8") as handle:
                    runs.append(decode(handle.read()))
        return runs

    def _give_up_lost(self, run: Run) -> None:
        """Nobody waits for a host whose process is gone; one that was in its commit has failed."""
        for name, host in run.hosts.items():
            if host.progress not in (WAITING, COMMITTING) or self._occupied(name):
                continue
            if host.progress == COMMITTING:
                run.failed[name] = _GONE
                time_left.end(run, name, time.time(), counts=False)
            host.progress = ENDED if host.progress == COMMITTING else LEFT
        for name in rehearsal.pending(run):
            if not self._occupied(name):
                rehearsal.enter(run, name, None, _GONE_REHEARSING)

    def _occupied(self, host: str) -> bool:
        try:
            with self._locked(_place(host), fcntl.LOCK_EX | fcntl.LOCK_NB):
                return False
        except BlockingIOError:
            return True

    def _count_answer(self) -> None:
        """A byte for each answer, so that the number of them is the size of a file, which nobody needs to read."""
        descriptor = os.open(self._stem + ".answers", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, b".")
        finally:
            os.close(descriptor)

    def _answers(self) -> int:
        try:
            return os.stat(self._stem + ".answers").st_size
        except FileNotFoundError:
            return 0

    def _stamp(self) -> str:
        try:
            found = os.stat(self._stem + ".json")
        except FileNotFoundError:
            return ""
        return "%d %d" % (found.st_ino, found.st_mtime_ns)

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


def _place(host: str) -> str:
    return "place-" + _short(host)


def _short(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8")).hexdigest()[:16]
