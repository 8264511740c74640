# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes how long tasks take, what nodes are asked, and the ledger: a line of JSON each in the file that BENCH_NOTES
names.

``{"task": name, "seconds"}``; ``{"remote": host, "seconds"}`` for each module or command on a node, from its being
packed to its answer; ``{"payload": bytes}`` for each program that is sent to a node, which is kept as a file of its own
in the folder that BENCH_PAYLOADS names, if it does; ``{"ledger": "held", "seconds", "waited"}`` for each time that a
process has had the ledger's lock; at the end ``{"ledger": "size", "bytes"}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Iterator

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger

DOCUMENTATION = """
name: bench_notes
type: aggregate
short_description: What a run spends its time on
description: For the bench.
"""


def _note(**what: Any) -> None:
    # Lines of several workers: each is one write.
    with open(os.environ["BENCH_NOTES"], "a", encoding="utf-8") as kept:
        kept.write(json.dumps(what) + "\n")


class _Remote:
    """Times what an action does on its node; what one call does by way of another counts once."""

    depth = 0

    @classmethod
    def timed(cls, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(action: Any, *arguments: Any, **more: Any) -> Any:
            cls.depth += 1
            began = time.monotonic()
            try:
                return original(action, *arguments, **more)
            finally:
                cls.depth -= 1
                if not cls.depth:
                    _note(remote=action._play_context.remote_addr, seconds=time.monotonic() - began)

        return call


def _weighed(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(action: Any, *arguments: Any, **more: Any) -> Any:
        sent = more.get("in_data")
        if sent:
            sent = sent if isinstance(sent, bytes) else str(sent).encode()
            _note(payload=len(sent))
            folder = os.environ.get("BENCH_PAYLOADS")
            if folder:
                # Its arguments are in it, and secrets may be among them.
                path = os.path.join(folder, "%d-%d" % (os.getpid(), time.monotonic_ns()))
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as kept:
                    kept.write(sent)
        return original(action, *arguments, **more)

    return call


def _timed_lock(original: Callable[..., Any]) -> Callable[..., Any]:
    @contextlib.contextmanager
    def exclusively(ledger: Ledger, what: str) -> Iterator[None]:
        began = time.monotonic()
        with original(ledger, what):
            held = time.monotonic()
            yield
            seconds = time.monotonic() - held
        if what == "ledger":
            _note(ledger="held", seconds=seconds, waited=held - began)

    return exclusively


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_notes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._task, self._began = "", 0.0
        # Workers are forks of this process.
        Ledger.exclusively = _timed_lock(Ledger.exclusively)  # type: ignore[method-assign]
        ActionBase._low_level_execute_command = _weighed(ActionBase._low_level_execute_command)
        for name in ("_execute_module", "_low_level_execute_command"):
            setattr(ActionBase, name, _Remote.timed(getattr(ActionBase, name)))

    def _next(self, name: str) -> None:
        now = time.monotonic()
        if self._task:
            _note(task=self._task, seconds=now - self._began)
        self._task, self._began = name, now

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._next(task.get_name())

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._next("")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._next("")
        files = Path(C.DEFAULT_LOCAL_TMP).glob("k3sfleet-rollout-*")
        sizes = [path.stat().st_size for path in files]
        _note(ledger="size", bytes=sum(sizes))
