# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a provider as the kubelet does, and takes what it says without ever keeping it.

Source: ``ExecPlugin`` in ``pkg/credentialprovider/plugin/plugin.go`` of kubernetes/kubernetes: the request on the
standard input, a minute to answer, the kubelet's own environment with the configured variables behind it. What differs:
a provider that goes on writing or leaves children behind is ended with them.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import Any, Mapping, NamedTuple, Sequence

TIMEOUT = 60.0
"""The kubelet gives up on a provider after so many seconds."""

_LARGEST_ERRORS = 64 << 10
_PIECE = 64 << 10


class Started(NamedTuple):
    """How a provider ended. ``problem`` is "" if it ended with status 0; ``out`` and ``errors`` may hold secrets."""

    out: bytes
    errors: bytes
    seconds: float
    problem: str
    cause: str


def start(
    command: Sequence[str],
    question: bytes,
    environment: Mapping[str, str],
    largest: int,
    timeout: float = TIMEOUT,
) -> Started:
    """Run a provider's program with a question on its standard input.

    :param environment: all of it: nothing of this process's own is added.
    :param largest: bytes of an answer; a provider that writes more is ended.
    """
    began = time.monotonic()
    try:
        # With a group of its own, so that it can be ended with all that it has started.
        process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(environment), cwd="/", close_fds=True, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "an argument or a variable cannot be passed on"
        return Started(b"", b"", 0.0, "it cannot be started: %s" % reason, "provider_not_started")
    talk = _Talk(process, question, largest, timeout)
    try:
        problem, cause = talk.until_the_end()
    finally:
        _end(process)
    return Started(bytes(talk.out), bytes(talk.errors), time.monotonic() - began, problem, cause)


class _Talk:
    """The exchange with a provider, under its deadline."""

    def __init__(self, process: subprocess.Popen[bytes], question: bytes, largest: int, timeout: float) -> None:
        self._process, self._question, self._largest, self._timeout = process, question, largest, timeout
        self._until = time.monotonic() + timeout
        self.out, self.errors = bytearray(), bytearray()

    def until_the_end(self) -> tuple[str, str]:
        """What went wrong and its cause, "" and "" if nothing did."""
        pipes = self._process.stdin, self._process.stdout, self._process.stderr
        with selectors.DefaultSelector() as selector:
            for pipe, event in zip(pipes, (selectors.EVENT_WRITE, selectors.EVENT_READ, selectors.EVENT_READ)):
                if pipe is None:
                    raise AssertionError("the process was started with all three pipes")
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, event)
            while selector.get_map():
                ready = selector.select(max(0.0, self._until - time.monotonic()))
                if not ready and time.monotonic() >= self._until:
                    return "it has not answered within %g s" % self._timeout, "provider_timeout"
                for key, _events in ready:
                    if not self._goes_on(key.fileobj):
                        selector.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
                if len(self.out) > self._largest:
                    return "", ""
        return self._status()

    def _goes_on(self, pipe: Any) -> bool:
        """Do what a pipe is ready for; whether there is more to come."""
        try:
            to_it = self._process.stdin
            if to_it is not None and pipe is to_it:
                self._question = self._question[os.write(to_it.fileno(), self._question[:_PIECE]) :]
                return bool(self._question)
            piece = os.read(pipe.fileno(), _PIECE)
        except BlockingIOError:
            return True
        except OSError:
            # It does not want to hear the question: the kubelet does not mind.
            return False
        if pipe is self._process.stdout:
            self.out += piece
        elif len(self.errors) < _LARGEST_ERRORS:
            self.errors += piece
        return bool(piece)

    def _status(self) -> tuple[str, str]:
        try:
            status = self._process.wait(max(0.0, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "it has not ended within %g s" % self._timeout, "provider_timeout"
        if status == 0:
            return "", ""
        if status < 0:
            return "it was ended by signal %d" % -status, "provider_failed"
        return "it ended with status %d" % status, "provider_failed"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a provider's whole group, and forget its pipes."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
