# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run of ansible-playbook knows about its rollout over one cluster. Its form in the ledger's file is in
``run_as_text``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STAGED = "staged"
WAITING = "waiting"
COMMITTING = "committing"
ENDED = "ended"
LEFT = "left"
STOPPED = "stopped"
"""How far a host's commit has come. ``left`` is untouched: the rollout had stopped, or its process went away first;
``stopped`` is untouched because the time for it was over."""


@dataclass
class Host:
    """A host as its staging has left it, and how far its commit has come.

    ``restart`` is set if it has anything to commit, ``live`` if that needs no restart. ``ill`` says what was wrong with
    it before anything was done to it, ``explained`` that the pending change mends just that. ``ready`` is set once it
    has joined the rollout: it is on its way to its commit. ``made_way`` counts how often it has given its fork to
    another cluster and comes again. ``member`` is etcd's name of a server that hangs on the registries.yaml in place.
    ``embedded_mirror`` is where a server has its embedded registry, "" for off, None for unknown. ``changed`` and
    ``restarted`` say what has come of it so far.

    ``reach`` says images of which registries are asked for where credentials change without a restart, empty if none
    do; ``judged`` is set once the pods on ``node_name``, its name in the cluster, have been looked at for that.

    ``kind`` is equal for nodes of one architecture that get the same configuration; "" if there is none to rehearse.
    """

    role: str = "agent"
    restart: bool = True
    live: bool = False
    reasons: list[str] = field(default_factory=list)
    ill: str = ""
    explained: bool = False
    member: str = ""
    embedded_mirror: str | None = None
    ready: bool = False
    progress: str = STAGED
    made_way: int = 0
    changed: bool = False
    restarted: bool = False
    reach: dict[str, Any] = field(default_factory=dict)
    node_name: str = ""
    judged: bool = False
    kind: str = ""


@dataclass
class Rehearsal:
    """What nodes have said of the configuration before the first of them is touched.

    ``chosen`` are the hosts that rehearse, ``announced`` those of them that somebody has been told of, ``covered`` the
    kinds and roles that have one, ``ended`` those that are through, ``problems`` why some have nothing to say.
    ``images`` are those with something to say about, each with its ``hosts``; ``verdicts`` are all images by verdict;
    ``effects`` what changes for pulls, in words, with the hosts. ``told`` is the host whose task has the whole refusal.
    """

    chosen: list[str] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)
    covered: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    images: list[dict[str, Any]] = field(default_factory=list)
    verdicts: dict[str, list[str]] = field(default_factory=dict)
    effects: dict[str, list[str]] = field(default_factory=dict)
    told: str = ""


@dataclass
class Lease:
    """The cluster's Lease, as far as this run has it.

    ``holder`` names the run to others, ``server`` is the one through which it was taken, ``asked`` are those that could
    not give it. ``without`` is set if the run goes on without it, ``refusal`` says why it must not. ``taker`` and
    ``releaser`` are the hosts whose tasks see to it for all hosts of the cluster.
    """

    holder: str = ""
    held: bool = False
    server: str = ""
    without: bool = False
    refusal: str = ""
    asked: list[str] = field(default_factory=list)
    taker: str = ""
    releaser: str = ""


@dataclass
class Pace:
    """How fast the rollout goes, in seconds; moments are those of ``time.time()``, 0 if there was none yet.

    ``took`` are the latest commits of each kind of host, from a host's turn to the end of its task. ``began`` has the
    hosts that are in their commit. ``first_restart`` is when the first of all restarted, ``agents_ended`` when the
    latest agent of a batch was through, ``stop_at`` the moment after which none is begun.

    ``turns`` are the agents that have had their turn, ``latest`` is when the last of them had it. For ``idle`` seconds
    in sum, places were free that the next agent could have taken. ``free`` has since when each is that nobody has.
    """

    took: dict[str, list[float]] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    first_restart: float = 0.0
    agents_ended: float = 0.0
    stop_at: float = 0.0
    turns: int = 0
    latest: float = 0.0
    idle: float = 0.0
    free: list[float] = field(default_factory=list)


@dataclass
class Run:
    """One rollout over one cluster.

    ``failed`` are hosts with the reason, those that failed while they were staged included; ``refused`` those whose
    configuration was, ``unreachable`` those that could not be reached while they were staged or in their commit.
    ``staged`` are those that the role has staged since it began with one of them anew, as it does when a play runs it
    again or rescues it. ``arrived`` are those that have been staged, or cannot be, with the state of their service.
    ``order`` are the hosts of the play's batch in the order in which Ansible takes them, from when the plan was shown.
    ``controller`` is the process of Ansible that all of this belongs to, ``in_order`` whether it takes hosts in the
    order of the play. ``began`` is when the first host was, ``follows`` whether this run restarts what it has staged,
    ``summed_up`` whether its summary was printed. ``pull_secrets`` is what a server has said of those who bring
    credentials of their own: ``error`` and ``found``; None before it was asked.
    """

    hosts: dict[str, Host] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    staged: list[str] = field(default_factory=list)
    arrived: dict[str, str] = field(default_factory=dict)
    canary: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    shown: bool = False
    controller: int = 0
    in_order: bool = False
    began: float = 0.0
    follows: bool = True
    summed_up: bool = False
    lease: Lease = field(default_factory=Lease)
    pull_secrets: dict[str, Any] | None = None
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
    pace: Pace = field(default_factory=Pace)


def begin(run: Run, host: str) -> None:
    """Enter that ``host`` has been staged, whatever came of it.

    If the play has applied the role before, the host is judged anew. If it failed after that, in its commit, it still
    stops the rollout: whoever applies the role again in the same play has not looked at that node.
    """
    if host not in run.hosts:
        run.failed.pop(host, None)
    run.refused = [name for name in run.refused if name != host]
    run.unreachable = [name for name in run.unreachable if name != host]
    run.lease.refusal, run.lease.asked, run.lease.taker = "", [], ""
    if host in run.staged:
        run.staged, run.order, run.rehearsal = [], [], Rehearsal()
    run.staged.append(host)
    # Hosts of the batch whose plan has been shown come later where the strategy lets each run on by itself.
    if host not in run.order:
        run.shown = False
