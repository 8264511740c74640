# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.fleet`: fleets of containers to try the collection on."""

from __future__ import annotations

import argparse
import sys

from tests.fleet import nodes, state, up
from tests.fleet.process import FleetError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("up", help="make a fleet, or do nothing when it is there")
    command.add_argument("name")
    command.add_argument("--servers", type=int, default=1)
    command.add_argument("--agents", type=int, default=2)
    command.add_argument("--distribution", choices=("k3s", "rke2"), default="k3s")
    command.add_argument("--k3s", choices=("auto", "stand-in"), default="auto", help="which K3s; auto: a real one if there is one")
    command.add_argument("--grace-seconds", type=int, default=40, help="after how long without a sign a node is NotReady")
    command.set_defaults(call=lambda o: up.up(o.name, o.servers, o.agents, o.distribution, o.k3s, o.grace_seconds))

    command = commands.add_parser("down", help="remove a fleet with everything it made")
    command.add_argument("name", nargs="?")
    command.add_argument("--all", action="store_true")
    command.set_defaults(call=_down)

    command = commands.add_parser("exec", help="run a command as root on a node")
    command.add_argument("name")
    command.add_argument("node")
    command.add_argument("words", nargs=argparse.REMAINDER)
    command.set_defaults(call=_exec)
    return parser


def _down(options: argparse.Namespace) -> None:
    if options.all:
        up.down_all()
    elif options.name:
        up.down(options.name)
    else:
        raise FleetError("which fleet? Name one, or say --all")


def _exec(options: argparse.Namespace) -> int:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    outcome = nodes.execute(state.load(options.name), options.node, words, check=False)
    sys.stdout.write(outcome.stdout)
    sys.stderr.write(outcome.stderr)
    return int(outcome.returncode)


def main() -> int:
    options = _parser().parse_args()
    try:
        result = options.call(options)
    except FleetError as error:
        sys.stderr.write("fleet: %s\n" % error)
        return 1
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
