# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs targets of the Makefile side by side, and says at the end what took how long.

What needs a fleet waits more than it computes, so that two cores carry more of these than two. The words of a target
come in one piece, when it has ended; a line a minute says what is still running. All targets run, whatever fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType
from typing import Callable, Sequence

#: Seconds between two lines that say what is still running.
PROGRESS = 60.0


@dataclass(frozen=True)
class Ended:
    """One target that has ended, ``seconds`` after it began."""

    target: str
    code: int
    seconds: float


class Lanes:
    """``at_once`` targets at the same time, in their order.

    :param command: what runs a target.
    :param say: takes what is to be read: a progress line, or the words of a target.
    """

    def __init__(self, at_once: int, command: Callable[[str], Sequence[str]], say: Callable[[str], None]) -> None:
        self._at_once = at_once
        self._command = command
        self._say = say
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, subprocess.Popen[bytes]]] = {}
        self._stopped = False

    def run(self, targets: Sequence[str]) -> list[Ended]:
        """What has become of each target, in the given order; one that was never begun is left out."""
        over = threading.Event()
        clock = threading.Thread(target=self._tell, args=(over,), daemon=True)
        clock.start()
        with ThreadPoolExecutor(self._at_once) as pool:
            ended = [result for result in pool.map(self._one, targets) if result is not None]
        over.set()
        clock.join()
        return ended

    def stop(self) -> None:
        """End what runs, with everything that it has started, and begin nothing more."""
        with self._lock:
            self._stopped = True
            running = [process for _began, process in self._running.values()]
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)

    def _one(self, target: str) -> Ended | None:
        with tempfile.TemporaryFile() as words:
            with self._lock:
                if self._stopped:
                    return None
                process = subprocess.Popen(
                    self._command(target), stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
                began = time.monotonic()
                self._running[target] = (began, process)
            code = process.wait()
            ended = Ended(target, code, time.monotonic() - began)
            words.seek(0)
            text = words.read().decode("utf-8", "replace")
        with self._lock:
            del self._running[target]
            self._say("=== %s: %s after %s\n%s" % (target, "FAILED" if code else "passed", length(ended.seconds), text))
        return ended

    def _tell(self, over: threading.Event) -> None:
        while not over.wait(PROGRESS):
            with self._lock:
                now = time.monotonic()
                running = ["%s (%s)" % (name, length(now - began)) for name, (began, _one) in self._running.items()]
                if running:
                    self._say("--- running: %s" % ", ".join(running))


def length(seconds: float) -> str:
    """``seconds`` as people read a clock: ``48 s``, ``3:07 min``."""
    whole = round(seconds)
    return "%d s" % whole if whole < 60 else "%d:%02d min" % divmod(whole, 60)


def table(ended: Sequence[Ended], seconds: float) -> str:
    """What took how long, the longest first, and the whole."""
    lines = [
        "%10s  %s%s" % (length(one.seconds), one.target, "  FAILED" if one.code else "")
        for one in sorted(ended, key=lambda one: -one.seconds)
    ]
    return "\n".join([*lines, "%10s  altogether" % length(seconds)])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, default=3, help="how many targets run at the same time (default 3)")
    parser.add_argument("--first", nargs="*", default=[], help="targets that run one by one, before all others")
    parser.add_argument(
        "--beside", nargs="*", default=[], help="targets that begin with those, and need nothing of them"
    )
    parser.add_argument("--then", nargs="+", required=True, help="targets that run side by side, the longest first")
    parser.add_argument("--left-out", default="", help="what has been left out and why, said at the end")
    options = parser.parse_args(arguments)

    def say(text: str) -> None:
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()

    def command(target: str) -> list[str]:
        return [os.environ.get("MAKE", "make"), "--no-print-directory", target]

    began = time.monotonic()
    alone, beside, together = (Lanes(number, command, say) for number in (1, len(options.beside) or 1, options.lanes))

    def stop(signum: int, _frame: FrameType | None) -> None:
        for one in (alone, beside, together):
            one.stop()
        sys.exit(128 + signum)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with ThreadPoolExecutor(1) as early:
        begun = early.submit(beside.run, options.beside)
        ended = alone.run(options.first)
        if any(one.code for one in ended):
            beside.stop()
        else:
            say("=== %d at a time: %s" % (options.lanes, " ".join(options.then)))
            ended += together.run(options.then)
        ended += begun.result()
    say(table(ended, time.monotonic() - began))
    failed = [one.target for one in ended if one.code]
    if failed:
        say("FAILED: %s. Their words are above, each under === and its name." % ", ".join(failed))
    else:
        say("everything that ran has passed" if options.left_out else "everything passed")
    if options.left_out:
        say("LEFT OUT: %s" % options.left_out)
    if failed:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
