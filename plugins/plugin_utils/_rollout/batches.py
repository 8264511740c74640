# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The batches in which agents restart: how many at once, where one ends, and how long the pause after it is. Pure.

A batch that is followed by one of another size, or by a pause, ends before the next begins. Otherwise the next agent
begins as soon as one has ended: a single slow agent then holds up nobody.
"""

from __future__ import annotations

from typing import NamedTuple

from . import plan
from .run import COMMITTING, ENDED, Run


class Place(NamedTuple):
    """The batch of the next agent: its ``size``, and whether the agent ``opens`` it once the one before has ended."""

    size: int
    opens: bool


class Batches(NamedTuple):
    """``sizes`` of the batches, the last of them for all further ones, and seconds of ``pause`` between them."""

    sizes: tuple[int, ...] = (1,)
    pause: float = 0.0

    def place(self, begun: int) -> Place:
        """Where the next agent belongs after ``begun`` agents."""
        for size in self.sizes[:-1]:
            if begun < size:
                return Place(size, begun == 0)
            begun -= size
        size = self.sizes[-1]
        if self.pause:
            return Place(size, begun % size == 0)
        return Place(size, begun == 0 and len(self.sizes) > 1)

    def words(self, forks: int) -> str:
        """``1, then 5, then 40 at a time, 60 s between batches``, no more than ``forks``."""
        sizes = [min(size, forks) for size in self.sizes]
        # Two batches of one size are no news.
        said = [size for number, size in enumerate(sizes) if number == 0 or size != sizes[number - 1]]
        pause = ", %g s between batches" % self.pause if self.pause else ""
        return "%s at a time%s" % (", then ".join(map(str, said)), pause)


def begun(run: Run) -> list[str]:
    """The agents that have had their turn in a batch, in this run of Ansible."""
    return [
        name
        for name, host in run.hosts.items()
        if host.progress in (COMMITTING, ENDED) and host.restart and plan.phase(run, name) == plan.AGENTS
    ]


def places(run: Run, batches: Batches, now: float) -> int:
    """How many further agents may begin at this moment, if nobody but agents is at work."""
    agents = begun(run)
    at_work = sum(run.hosts[name].progress == COMMITTING for name in agents)
    size, opens = batches.place(len(agents))
    if not opens or not agents:
        return size - at_work
    return 0 if at_work or pause_left(run, batches, now) > 0 else size


def pause_left(run: Run, batches: Batches, now: float) -> float:
    """Seconds until the pause after the latest agent is over."""
    since = now - run.pace.agents_ended
    # If the clock was set back, nobody waits for it to catch up.
    return max(0.0, batches.pause - since) if since >= 0 else 0.0


def pause_line(run: Run, batches: Batches, to_come: int) -> str:
    """``pause of 60 s before the next 40 agents (k3s_registries_batch_pause)`` once a batch is through, "" otherwise.

    :param to_come: how many agents have yet to begin.
    """
    agents = begun(run)
    at_work = any(run.hosts[name].progress == COMMITTING for name in agents)
    size, opens = batches.place(len(agents))
    if not batches.pause or not opens or not agents or at_work or not to_come:
        return ""
    number = min(size, to_come)
    return "pause of %g s before the next %s (k3s_registries_batch_pause)" % (
        batches.pause,
        "agent" if number == 1 else "%d agents" % number,
    )
