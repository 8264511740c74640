# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cordon around one commit: when it begins, when it ends, and what the result says of it.

How a node is cordoned is the business of :mod:`cordon`, which is loaded only where there is something to do: most runs
cordon nothing.
"""

from __future__ import annotations

from typing import Any, Callable

from .memory import Memory
from .paths import NodePaths

# How long a healthy node waits for the API to be uncordoned, in seconds.
_PATIENCE = 60.0


class NotCordoned(Exception):
    """The node could not be cordoned; the text says why."""


class CordonAround:
    """
    :param patience: seconds that a healthy node waits for the API at the most.
    :param result: the module's, which gets ``cordoned``, ``uncordoned`` and ``warnings``.
    """

    def __init__(
        self,
        paths: NodePaths,
        memory: Memory,
        patience: float,
        result: dict[str, Any],
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._paths, self._memory, self._result = paths, memory, result
        self._sleep, self._clock = sleep, clock
        self._patience = min(patience, _PATIENCE)
        self._until: float | None = None

    def longest(self, wanted: bool) -> float:
        """For how long its end can keep a commit, in seconds.

        :param wanted: whether this commit cordons.
        """
        return _PATIENCE if wanted or self._memory.cordon_note() is not None else 0.0

    def begin(self, run: str) -> None:
        """Keep new pods away.

        :param run: names the run to people.
        :raises NotCordoned: if that is not possible.
        """
        from . import cordon

        try:
            self._result["cordoned"] = cordon.place(self._paths, self._memory, run, self._sleep)
        except cordon.NotPossible as problem:
            raise NotCordoned(str(problem)) from problem

    def lift(self) -> str:
        """Uncordon a healthy node that this run or an earlier one has cordoned; why it still is, "" if it is not."""
        if self._memory.cordon_note() is None:
            return ""
        from . import cordon

        if self._until is None:
            self._until = self._clock() + self._patience
        lifted, why = cordon.lift_until(self._paths, self._memory, self._until, self._sleep, self._clock)
        self._result["uncordoned"] = self._result["uncordoned"] or lifted
        return why

    def end(self, proven: bool) -> None:
        """At the end of a commit, however that came: a node that is not proven healthy stays cordoned."""
        why = self.lift() if proven else "it is not proven healthy"
        if why and self._memory.cordon_note() is not None:
            from . import cordon

            self._result["warnings"].append("the node stays cordoned: %s. %s" % (why, cordon.by_hand(self._paths)))
