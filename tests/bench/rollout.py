# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over a fleet takes: unchanged beside a ping and beside builtin modules, a live change beside restarts.

Everything is measured on the same fleet in the same run, each the best of a few, with ten forks and pipelining.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.bench.measurement import Measurement
from tests.fleet import up
from tests.fleet.podman import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fleet.state import Fleet

NAME = "bench"
SERVERS, AGENTS = 1, 19
BUILTIN = "tests/bench/builtin.yml"
SITE = "playbooks/site.yml"


class Runs:
    """Timed runs of Ansible on one fleet."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self.folder = folder
        self.variables: dict[str, Any] = yaml.safe_load((fleet.folder / "registries.yml").read_text(encoding="utf-8"))

    def ansible(self, program: str, *arguments: str) -> float:
        """Seconds of one run.

        :raises RuntimeError: when it fails, with the end of what it said.
        """
        command = [
            str(Path(sys.executable).with_name(program)), "--forks", "10",
            "--inventory", str(self.fleet.folder / "inventory.yml"), *arguments,
        ]  # fmt: skip
        paths = {"ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible" / "collections")}
        began = time.monotonic()
        outcome = subprocess.run(
            command, cwd=CHECKOUT, env={**os.environ, **paths}, capture_output=True, text=True, check=False
        )
        if outcome.returncode:
            raise RuntimeError("%s:\n%s" % (" ".join(command), (outcome.stdout + outcome.stderr)[-3000:]))
        return time.monotonic() - began

    def play(self, playbook: str, mirror: str = "", **more: Any) -> float:
        """Seconds of one playbook with a mirror of this name, and role variables."""
        variables = yaml.safe_load(yaml.safe_dump(self.variables))
        if mirror:
            variables["k3s_registries"]["mirrors"][mirror] = {"endpoint": [self.fleet.registry.url]}
        variables.update({"k3s_registries_" + key: value for key, value in more.items()})
        path = self.folder / "variables.yml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(variables), encoding="utf-8")
        return self.ansible("ansible-playbook", "--extra-vars", "@%s" % path, playbook)


def measurements() -> Iterator[Measurement]:
    """The lines of the report, as they come."""
    up.down(NAME)
    fleet = up.up(NAME, SERVERS, AGENTS, "k3s", "stand-in", 40)
    try:
        with tempfile.TemporaryDirectory(prefix="k3sfleet-bench-") as folder:
            yield from _measured(Runs(fleet, Path(folder)))
    finally:
        up.down(NAME)


def _measured(runs: Runs) -> Iterator[Measurement]:
    nodes = len(runs.fleet.nodes)
    runs.play(SITE)
    runs.play(BUILTIN)
    ping = min(runs.ansible("ansible", "all", "-m", "ansible.builtin.ping") for _number in range(3))
    unchanged = min(runs.play(SITE) for _number in range(3))
    builtin = min(runs.play(BUILTIN) for _number in range(2))
    yield Measurement("ansible -m ping, %d nodes" % nodes, ping, "s")
    yield Measurement("site.yml unchanged", unchanged, "s")
    yield Measurement("  as a multiple of the ping", unchanged / ping, "times", 1.5)
    yield Measurement("the same with builtin modules, unchanged", builtin, "s")
    yield Measurement("  site.yml is faster by", builtin / unchanged, "times", 5.0, at_least=True)
    changed = min(runs.play(SITE, "staged-%d.test" % number, apply="stage") for number in range(2))
    rewritten = min(runs.play(BUILTIN, "builtin-%d.test" % number) for number in range(2))
    yield Measurement("a change, staged, without the restarts", changed, "s")
    yield Measurement("  faster than builtin modules by", rewritten / changed, "times", 3.0, at_least=True)
    restarted = runs.play(SITE, "restarted.test")
    live = runs.play(SITE, "live.test", apply="live")
    yield Measurement("a new mirror by restarts, one node at a time", restarted, "s")
    yield Measurement("a new mirror live (apply: live)", live, "s")
    yield Measurement("  live is faster by", restarted / live, "times", 2.0, at_least=True)
