# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.fleet`: fleets of containers to try the collection on."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from typing import Any

from tests.fleet import access_log, deps, events, faults, image, nodes, official_k3s, podman, registry, state, up
from tests.fleet.process import FleetError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("up", help="make a fleet, or do nothing when it is there")
    command.add_argument("name")
    command.add_argument("--servers", type=int, default=1)
    command.add_argument("--agents", type=int, default=2)
    command.add_argument("--distribution", choices=("k3s", "rke2"), default="k3s")
    command.add_argument(
        "--k3s", choices=("auto", "stand-in"), default="auto", help="which K3s; auto: a real one if there is one"
    )
    command.add_argument(
        "--grace-seconds", type=int, default=40, help="after how long without a sign a node is NotReady"
    )
    command.add_argument("--init", choices=("systemd", "openrc"), default="systemd", help="what starts the services")
    command.add_argument(
        "--containerd", default="", metavar="VERSION", help="the stand-in's, such as v2.2.9; by default Debian's 1.6"
    )
    command.add_argument("--suite", choices=image.SUITES, default=image.SUITE, help="Debian's release of all nodes")
    command.set_defaults(
        call=lambda o: up.up(
            o.name, o.servers, o.agents, o.distribution, o.k3s, o.grace_seconds, o.init, o.containerd, o.suite
        )
    )

    command = commands.add_parser("down", help="remove a fleet with everything it made")
    command.add_argument("name", nargs="?")
    command.add_argument("--all", action="store_true")
    command.set_defaults(call=_down)

    command = commands.add_parser("exec", help="run a command as root on a node")
    command.add_argument("name")
    command.add_argument("node")
    command.add_argument("words", nargs=argparse.REMAINDER)
    command.set_defaults(call=_exec)
    _add_trouble(commands)
    _add_reports(commands)
    return parser


def _add_trouble(commands: Any) -> None:
    command = commands.add_parser("fault", help="make a node's stand-in misbehave from its next start on")
    command.add_argument("name")
    command.add_argument("node")
    command.add_argument("fault", help="clear, or one of: " + ", ".join(faults.FAULTS))
    command.add_argument(
        "--while", dest="mentions", default="", metavar="TEXT", help="only while registries.yaml contains TEXT"
    )
    command.add_argument("--once", action="store_true", help="for one start only")
    command.set_defaults(call=lambda o: faults.set_fault(state.load(o.name), o.node, o.fault, o.mentions, o.once))

    calls = {
        "power-off": ("pull the plug", faults.power_off),
        "power-on": ("and put it back", faults.power_on),
        "heal": ("undo cut", faults.heal),
    }
    for name, (text, call) in calls.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("name")
        command.add_argument("node")
        command.set_defaults(call=lambda o, call=call: call(state.load(o.name), o.node))
    command = commands.add_parser("cut", help="cut a node off from the controller")
    command.add_argument("name")
    command.add_argument("node")
    command.add_argument("--everything", action="store_true", help="from the cluster as well")
    command.set_defaults(call=lambda o: faults.cut(state.load(o.name), o.node, o.everything))

    command = commands.add_parser("reissue", help="give the registry a new server certificate")
    command.add_argument("name")
    command.add_argument("--new-ca", action="store_true", help="of a new CA")
    command.set_defaults(call=lambda o: print(registry.reissue(state.load(o.name), o.new_ca)))


def _add_reports(commands: Any) -> None:
    command = commands.add_parser(
        "events", help="JSON: when each K3s stopped, started and was ready; who was away at once"
    )
    command.add_argument("name")
    command.add_argument("--since", type=float, default=0.0, help="epoch seconds")
    command.set_defaults(call=lambda o: _print(events.report(state.load(o.name), o.since)))
    command = commands.add_parser("access-log", help="JSON: what the registry was asked, by whom, and what it answered")
    command.add_argument("name")
    command.add_argument("--since", type=float, default=0.0, help="epoch seconds")
    command.set_defaults(call=lambda o: _print(access_log.entries(state.load(o.name), o.since)))

    command = commands.add_parser("k3s", help="download an official release of K3s, and print where it is")
    command.add_argument("release", help="such as v1.34.3+k3s1, or latest")
    command.set_defaults(call=_k3s)
    command = commands.add_parser("deps", help="install what the fleet needs, or say what is missing")
    command.set_defaults(call=lambda o: deps.ensure())
    command = commands.add_parser("clean", help="every fleet of this checkout, the node image and the cache")
    command.set_defaults(call=_clean)


def _print(content: Any) -> None:
    print(json.dumps(content, indent=2))


def _k3s(options: argparse.Namespace) -> None:
    try:
        print(official_k3s.fetch(official_k3s.resolve(options.release)))
    except OSError as error:
        raise FleetError("K3s %s cannot be downloaded: %s" % (options.release, error)) from error


def _clean(_unused: argparse.Namespace) -> None:
    if shutil.which("podman"):
        up.down_all()
        image.remove()
    shutil.rmtree(podman.CHECKOUT / ".cache", ignore_errors=True)


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
