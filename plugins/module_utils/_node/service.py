# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service that runs K3s: systemd units and OpenRC scripts behind one small interface."""

from __future__ import annotations

import os
import re
import time
from typing import Mapping, NamedTuple

from .command import run
from .files import last_lines

# No call here waits for the service itself, so one that takes longer means that the init system is stuck.
_CALL_TIMEOUT = 30.0
_LOG_BYTES = 256 * 1024


class ServiceState(NamedTuple):
    """What the init system says. It never proves health: a K3s that hangs is ``running`` or ``starting``.

    ``state``: ``absent`` (no such service), ``stopped`` (by someone's decision), ``failed`` (given up on),
    ``starting`` or ``running``.
    ``started`` is the epoch time at which the main process began, 0.0 when there is none; with ``main_pid``
    it identifies one start of the service.
    ``restarts`` counts automatic restarts since the last deliberate one, if the init system counts them.
    """

    state: str
    main_pid: int
    started: float
    restarts: int

    @property
    def alive(self) -> bool:
        """Whether it is meant to run."""
        return self.state in ("starting", "running")


ABSENT = ServiceState("absent", 0, 0.0, 0)


class ServiceProblem(Exception):
    """The init system refused or does not answer."""


def process_started(pid: int) -> float:
    """The epoch time at which process ``pid`` began, 0.0 when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as handle:
            # The command name may contain anything, parentheses and spaces included; it ends at the last ")".
            fields = handle.read().rpartition(")")[2].split()
        with open("/proc/uptime", encoding="ascii") as handle:
            uptime = float(handle.read().split()[0])
        ticks = int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.time() - (uptime - ticks / os.sysconf("SC_CLK_TCK"))


def systemd_state(values: Mapping[str, str]) -> ServiceState:
    """A unit's state from what ``systemctl show`` says of it: ``LoadState``, ``ActiveState``, ``Job``, ``MainPID``,
    ``NRestarts``."""
    if values.get("LoadState") in ("not-found", None):
        return ABSENT
    main_pid = int(values.get("MainPID") or 0)
    state = {
        "active": "running",
        "reloading": "running",
        "activating": "starting",
        "deactivating": "starting",
        "failed": "failed",
    }.get(values.get("ActiveState", ""), "stopped")
    if state == "stopped" and values.get("Job", "0") not in ("", "0"):
        # In a restart a unit is inactive for a moment, with the job of its start waiting: nobody has stopped it.
        state = "starting"
    return ServiceState(state, main_pid, process_started(main_pid), int(values.get("NRestarts") or 0))


class Systemd:
    """A systemd unit."""

    def __init__(self, service: str) -> None:
        self.service = service

    def state(self) -> ServiceState:
        """One ``systemctl show``: some 5 ms."""
        wanted = "--property=LoadState,ActiveState,Job,MainPID,NRestarts"
        outcome = run(["systemctl", "show", wanted, self.service + ".service"], _CALL_TIMEOUT)
        if not outcome.ok:
            raise ServiceProblem("systemctl show %s failed: %s" % (self.service, outcome.err.strip()))
        return systemd_state(dict(line.split("=", 1) for line in outcome.out.splitlines() if "=" in line))

    def restart(self) -> None:
        """Ask for a restart and return at once: with a configuration that K3s cannot read, ``systemctl restart k3s``
        waits for ever (Type=notify, TimeoutStartSec=0)."""
        run(["systemctl", "reset-failed", self.service + ".service"], _CALL_TIMEOUT)
        outcome = run(["systemctl", "restart", "--no-block", self.service + ".service"], _CALL_TIMEOUT)
        if not outcome.ok:
            raise ServiceProblem("systemd refused to restart %s: %s" % (self.service, outcome.err.strip()))

    def mark(self) -> float:
        """This moment in the log, for :meth:`log`: the epoch time."""
        return time.time()

    def log(self, mark: float, lines: int) -> list[str]:
        """The last ``lines`` journal lines since ``mark``; 0.0 takes any."""
        outcome = run(
            [
                "journalctl", "--no-pager", "--quiet", "--output=cat", "--unit=" + self.service,
                "--since=@%.6f" % mark, "--lines=%d" % lines,
            ],
            _CALL_TIMEOUT,
        )  # fmt: skip
        return outcome.out.splitlines()


class OpenRC:
    """An OpenRC service as K3s' installer writes it: run by supervise-daemon, logging to ``/var/log/<name>.log``."""

    def __init__(self, service: str, root: str = "/") -> None:
        self.service = service
        self.root = root

    def state(self) -> ServiceState:
        if not os.path.exists(os.path.join(self.root, "etc/init.d", self.service)):
            return ABSENT
        outcome = run(["rc-service", "--nocolor", self.service, "status"], _CALL_TIMEOUT)
        text = outcome.out + outcome.err
        if "starting" in text:
            state = "starting"
        elif "started" in text:
            state = "running"
        elif "crashed" in text:
            state = "failed"
        elif "stopped" in text:
            state = "stopped"
        else:
            raise ServiceProblem("rc-service %s status says: %s" % (self.service, text.strip()))
        pid = self._main_pid()
        return ServiceState(state, pid, process_started(pid), 0)

    def _main_pid(self) -> int:
        """The supervised process: the child of supervise-daemon, whose own id is in the pid file."""
        try:
            with open(os.path.join(self.root, "run", self.service + ".pid"), encoding="ascii") as handle:
                supervisor = int(handle.read().strip())
            with open("/proc/%d/task/%d/children" % (supervisor, supervisor), encoding="ascii") as handle:
                children = handle.read().split()
        except (OSError, ValueError):
            return 0
        return int(children[0]) if children else supervisor

    def restart(self) -> None:
        """supervise-daemon returns as soon as the process has been started, ready or not."""
        outcome = run(["rc-service", "--nocolor", self.service, "restart"], 90.0)
        if not outcome.ok:
            raise ServiceProblem(
                "OpenRC refused to restart %s: %s" % (self.service, (outcome.err or outcome.out).strip())
            )

    def mark(self) -> float:
        """This moment in the log, for :meth:`log`: the file's size, since not every line has a time."""
        try:
            return float(os.path.getsize(self._log_file()))
        except OSError:
            return 0.0

    def log(self, mark: float, lines: int) -> list[str]:
        """The last ``lines`` lines of the service's log file since ``mark``; 0.0 takes any."""
        return last_lines(self._log_file(), lines, _LOG_BYTES, int(mark))

    def _log_file(self) -> str:
        return os.path.join(self.root, "var/log", self.service + ".log")


def service_of(name: str, root: str = "/") -> Systemd | OpenRC:
    """The service ``name`` under the init system that runs here.

    :raises ServiceProblem: under any other init system, and for a name that no unit can have.
    """
    if not re.match(r"^[A-Za-z0-9:_.@-]+$", name):
        raise ServiceProblem("%r is not a service name" % name)
    if os.path.isdir(os.path.join(root, "run/systemd/system")):
        return Systemd(name)
    if os.path.isdir(os.path.join(root, "run/openrc")):
        return OpenRC(name, root)
    raise ServiceProblem("neither systemd nor OpenRC runs on this node")
