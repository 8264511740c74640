# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's fleet of twenty nodes over SSH, and timed runs of Ansible on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

import yaml

from tests.bench.ansible_run import Run, ansible
from tests.fleet import up
from tests.fleet.certificates import write_private
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet

NAME = "bench"
SERVERS, AGENTS = 1, 19
SITE, VERIFY, BUILTIN = "playbooks/site.yml", "playbooks/verify.yml", "tests/bench/builtin.yml"
FORKS = 10
_PATIENCE = 4
_USERS = 4


def bench_fleet() -> Fleet:
    """Made by the first bench that needs it, and found by the others."""
    return up.up(NAME, SERVERS, AGENTS, "k3s", "stand-in", 40)


def remove() -> None:
    up.down(NAME)


class FleetRuns:
    """Runs on one fleet, whose registries' configuration changes from run to run."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet, self._folder = fleet, folder
        self.variables: dict[str, Any] = yaml.safe_load((fleet.folder / "registries.yml").read_text(encoding="utf-8"))
        self._number = 0

    @property
    def nodes(self) -> int:
        return len(self.fleet.nodes)

    @property
    def registry(self) -> dict[str, Any]:
        """The registry's entry under ``configs``."""
        found: dict[str, Any] = next(iter(self.variables["k3s_registries"]["configs"].values()))
        return found

    def ping(self, *arguments: str, **options: Any) -> Run:
        return self.module("ping", "", *arguments, **options)

    def module(self, name: str, options: str, *arguments: str, **more: Any) -> Run:
        """One of Ansible's own modules on all nodes."""
        return self._ansible("ansible", ["all", "-m", "ansible.builtin." + name, "-a", options, *arguments], **more)

    def play(
        self, playbook: str, *arguments: str, notes: bool = False, environment: Mapping[str, str] | None = None,
        **variables: Any,
    ) -> Run:  # fmt: skip
        """One playbook with the variables as they are now.

        :param variables: more of the role's, for this run, without ``k3s_registries_``.
        """
        more = {"k3s_registries_" + key: value for key, value in variables.items()}
        path = self._folder / "variables.yml"
        write_private(path, yaml.safe_dump({**self.variables, **more}).encode())
        given = ["--extra-vars", "@%s" % path, *arguments, playbook]
        return self._ansible("ansible-playbook", given, notes=notes, environment=environment)

    def unchanged(self) -> Run:
        """``site.yml``, which has nothing to do.

        :raises FleetError: if it has something to do.
        """
        run = self.play(SITE)
        if set(run.changed.values()) != {0}:
            raise FleetError("site.yml was to change nothing:\n" + run.output[-3000:])
        return run

    def settle(self) -> None:
        """Run until nothing is left to do, all agents at once if they restart. The last two runs change nothing, as an
        unchanged one, too, may leave something for the next."""
        unchanged = 0
        for _number in range(_PATIENCE):
            run = self.play(SITE, agent_batch="100%")
            unchanged = unchanged + 1 if set(run.changed.values()) == {0} else 0
            if unchanged == 2:
                return
        raise FleetError("site.yml still changes nodes after %d runs:\n%s" % (_PATIENCE, run.output[-3000:]))

    def add_mirror(self) -> None:
        """A registry that no run has had yet, for this run and those that follow."""
        self._number += 1
        name = "bench-%d.test" % self._number
        self.variables["k3s_registries"]["mirrors"][name] = {"endpoint": [self.fleet.registry.url]}

    def remove_mirror(self) -> None:
        """The one that was added last."""
        del self.variables["k3s_registries"]["mirrors"]["bench-%d.test" % self._number]

    def change_login(self) -> None:
        """The next user of the registry. There are more than two, since a node may still have the last one loaded when
        the one after is in force by a header."""
        users = list(self.users())
        self.registry["auth"] = login = dict(self.registry["auth"])
        login["username"] = users[(users.index(login["username"]) + 1) % len(users)]
        login["password"] = self.users()[login["username"]]

    def users(self) -> Mapping[str, str]:
        """Who can log in: the fleet's own user first."""
        own = self.fleet.registry
        others = ("%s-%d" % (own.username, number) for number in range(1, _USERS))
        return {own.username: own.password, **{name: own.password + name for name in others}}

    def change_ca(self) -> None:
        """The CA's file with another content, by turns with one CA more: a certificate that is not restarted for."""
        pki = self.fleet.folder / "pki"
        alone, both = pki / "ca.crt", self._folder / "two-authorities.crt"
        if not both.exists():
            both.write_bytes(alone.read_bytes() + (pki / "bad" / "other-ca.crt").read_bytes())
        self.registry["tls"]["ca_src"] = str(both if self.registry["tls"]["ca_src"] == str(alone) else alone)

    def _ansible(self, program: str, arguments: list[str], **options: Any) -> Run:
        inventory = str(self.fleet.folder / "inventory.yml")
        return ansible(program, ["--forks", str(FORKS), "--inventory", inventory, *arguments], **options)


def must_all_change(run: Run, how: str) -> Run:
    """:param how: what the run says of each node, such as "changed without a restart"; "" if it restarts none.

    :raises FleetError: if a node was not changed, or another way.
    """
    said = run.output.count(how) if how else len(run.changed) - run.output.count("restarted and healthy")
    if 0 in run.changed.values() or said < len(run.changed):
        raise FleetError("not every node was changed (%s):\n%s" % (how or "without a restart", run.output[-3000:]))
    return run
