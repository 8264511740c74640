# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the run knows about its rollout: one small file that all of Ansible's worker processes share.

Ansible runs a task for many hosts in processes that share no memory, and goes on after a failure. So the processes of
one ``ansible-playbook`` meet in a file in Ansible's own temporary folder, which only this user can read and which goes
away with the process. It holds host names, counts and sentences, never a secret.

Hosts that have been staged are added to a second file, and entered into the first by whoever opens it next.

A host that waits for its turn or is in its commit occupies its place: a lock that goes with its process, however that
ends. So nobody waits for a process that is gone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import os
import time
from typing import Callable, Collection, ContextManager, Iterator, TypeVar

from . import arrivals, rehearsal, time_left
from .arrivals import Arrival
from .run import COMMITTING, ENDED, LEFT, WAITING, Run
from .run_as_text import decode, encode

_NAME = "k3sfleet-rollout-"
# Of each cluster: the run, how much of the next one is in it, the hosts that have been staged, a byte for each answer,
# and a file that is there if anything is left to do.
_RUN = ".json"
_ARRIVALS = ".arrivals"
_ANSWERS = ".answers"
_GOES_ON = ".goes-on"
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
            run, before, entered = _read(self._stem)
            yield run
            self._write(_text(run, entered), before)

    @contextlib.contextmanager
    def entered(self, arrival: Arrival, hosts: Collection[str]) -> Iterator[Run | None]:
        """Enter a host that has been staged, or cannot be.

        :param hosts: those of its cluster that are to come in this play.
        :returns: None, or if it is the last of them, the run as :meth:`opened` has it.
        """
        if arrival.goes_on or not arrival.in_order:
            # First: whoever sees the host there sees this too.
            _add(self._stem + _GOES_ON, b"")
        with self.exclusively("ledger"):
            _add(self._stem + _ARRIVALS, arrivals.encode(arrival))
            if not arrivals.all_there(_content(self._stem + _ARRIVALS), hosts):
                yield None
                return
            run, before, entered = _read(self._stem)
            yield run
            self._write(_text(run, entered), before)

    @staticmethod
    def goes_on(folder: str) -> bool:
        """Whether the role has anything left to do with any host that this run has staged, in whichever cluster.

        If the play's strategy lets each host run on by itself, nobody knows that of the others, and it counts as so.
        """
        return bool(glob.glob(os.path.join(glob.escape(folder), _NAME + "*" + _GOES_ON)))

    def read(self) -> Run:
        """The run as it is at this moment. The file is replaced in one step, and what is added to the other one stays
        there, so whoever only reads needs no lock."""
        return _read(self._stem)[0]

    def _write(self, after: str, before: str) -> None:
        """Replace the run's file, if what it is to be is not what it was."""
        if after == before:
            return
        path = self._stem + _RUN
        temporary = path + ".new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(after)
        os.replace(temporary, path)

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
        return self._read_all(but=self._stem)

    def all(self) -> list[Run]:
        """The rollouts over all clusters in this run of Ansible, as they are at this moment."""
        return self._read_all()

    def _read_all(self, but: str = "") -> list[Run]:
        folder = glob.escape(os.path.dirname(self._stem))
        found = {
            path[: -len(suffix)]
            for suffix in (_RUN, _ARRIVALS)
            for path in glob.glob(os.path.join(folder, _NAME + "*" + suffix))
        }
        return [_read(stem)[0] for stem in sorted(found - {but})]

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
        _add(self._stem + _ANSWERS, b".")

    def _answers(self) -> int:
        return _size(self._stem + _ANSWERS)

    def _stamp(self) -> str:
        added = _size(self._stem + _ARRIVALS)
        try:
            found = os.stat(self._stem + _RUN)
        except FileNotFoundError:
            return "%d" % added
        return "%d %d %d" % (added, found.st_ino, found.st_mtime_ns)

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


def _read(stem: str) -> tuple[Run, str, int]:
    """A run with everybody who has arrived, its file's text, and how many bytes of the arrivals are in it now."""
    try:
        with open(stem + _RUN, encoding="utf-8") as handle:
            text = handle.read()
    except FileNotFoundError:
        run, entered = Run(), 0
        text = _text(run, entered)
    else:
        head, _end, rest = text.partition("\n")
        run, entered = decode(rest), int(head)
    added = _content(stem + _ARRIVALS, entered)
    # Without a lock, somebody may be at its last line.
    added = added[: added.rfind(b"\n") + 1]
    for arrival in arrivals.decode(added):
        arrivals.enter(run, arrival)
    return run, text, entered + len(added)


def _text(run: Run, entered: int) -> str:
    return "%d\n%s" % (entered, encode(run))


def _content(path: str, begin: int = 0) -> bytes:
    try:
        with open(path, "rb") as handle:
            handle.seek(begin)
            return handle.read()
    except FileNotFoundError:
        return b""


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _add(path: str, content: bytes) -> None:
    """Add all of ``content`` to a file, or nothing.

    :raises OSError: if that fails, as on a full disk.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if os.write(descriptor, content) < len(content):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, "cannot write all of it", path)
    finally:
        os.close(descriptor)


def _place(host: str) -> str:
    return "place-" + _short(host)


def _short(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8")).hexdigest()[:16]
