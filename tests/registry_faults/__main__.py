# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real faults on a real node, named by probe and diagnosis: ``python -m tests.registry_faults [--containerd2]``.

One fleet, one configuration with every fault, all pulls by the node's own containerd. Prints a table, and exits with 1
where a cause is not named as it should be.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.fleet import containerd_source, podman, up
from tests.fleet.process import FleetError, say
from tests.registry_faults import page, servers
from tests.registry_faults.cases import CASES, ROBOT, SERVERS, Case, certificates, registries
from tests.registry_faults.node import FaultyNode
from tests.registry_faults.registries import CONTAINER, Registries, address
from tests.registry_faults.tokens import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterable

FLEET = "probe"


class Named(NamedTuple):
    """What was named for a case, beside what should be."""

    case: Case
    probe: str
    diagnosis: str
    without_config: str
    problems: list[str]
    seen: dict[str, str]


def small_servers(host: str, issued: Any, folder: Path) -> Iterable[Any]:
    """The servers of the test's own, listening at this machine's address in the fleet's network.

    The token server has TLS, or the probe would not tell it the password of a registry with TLS.
    """
    issued["token-server"].write(folder / "token-server")
    secure = {"tokens": servers.server_context(folder / "token-server")}
    users = {"robot": (ROBOT["password"], True), "reader": (ROBOT["password"], False)}
    apps: dict[str, Any] = {
        "page": servers.web_page,
        "busy": servers.status(429),
        "unavailable": servers.status(503),
        "forbidding": servers.status(403),
        "tokens": TokenServer(issued["tokens"], users),
    }
    for name, app in apps.items():
        yield servers.HttpServer(app, secure.get(name), host=host, port=SERVERS[name])
    for name, behave in (("ssh", servers.ssh), ("silent", servers.silent), ("reset", servers.reset)):
        yield servers.RawServer(behave, host=host, port=SERVERS[name])


def judge(
    case: Case, probe: list[dict[str, Any]], pulls: dict[str, list[dict[str, Any]]], pulled: bool, unused: str
) -> Named:
    """Holds what was named against what the case says."""
    attempts = [entry for entry in probe if entry["image"] == case.full_image and entry["kind"] == "mirror"]
    found = attempts[0]["cause"] if attempts else "nothing"
    verdicts = {}
    for name, entries in pulls.items():
        verdicts[name] = next((entry for entry in entries if entry["image"] == case.full_image), None)
    diagnosis, blind = (verdicts[name]["cause"] if verdicts[name] else "ok" for name in ("with", "without"))
    problems = []
    if found != case.cause:
        problems.append(f"the probe says {found}")
    for named, words in ((diagnosis, "the diagnosis says"), (blind, "the diagnosis without a configuration says")):
        if named != case.cause:
            problems.append(f"{words} {named}")
    if pulled != (case.cause == "ok"):
        problems.append("the pull " + ("went well" if pulled else "failed"))
    host = case.mirror_host.replace("{unused}", unused)
    verdict = verdicts["with"]
    if verdict and case.blamed and verdict["endpoint"] != host:
        problems.append(f"the diagnosis blames {verdict['endpoint']} instead of {host}")
    if verdict and not verdict["fix"]:
        problems.append("no fix")
    return Named(case, found, diagnosis, blind, problems, page.seen(case, verdict, host) if verdict else {})


def leaks(answers: Any) -> list[str]:
    """The secrets of the cases that stand anywhere in what the modules returned."""
    text = json.dumps(answers)
    known = {case.auth["password"] for case in CASES if case.auth}
    return [secret for secret in known if secret in text]


def run(fleet: Any) -> list[Named]:
    """Makes the faults, pulls, asks; returns what was named."""
    gateway, unused = address(fleet, 1), address(fleet, 250)
    issued = certificates(gateway)
    config = registries(unused)
    agent = next(node for node in fleet.nodes if node.role == "agent")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-faults-")))
        for server in small_servers(gateway, issued, folder):
            stack.enter_context(server)
        made = stack.enter_context(Registries(fleet, issued))
        say(f"{len(CASES)} registries: {len(CASES) - sum(case.cause == 'ok' for case in CASES)} with a fault each")
        node = FaultyNode(fleet, agent, config)
        node.configure(issued, made.address, gateway)
        say(f"{agent.name} is configured with all of them; pulling")
        pulled = node.pull_all()
        say("Pulled; asking probe and diagnosis")
        probe, pulls = node.ask_modules(folder)
        found = leaks([probe, pulls])
        if found:
            raise FleetError(f"{len(found)} passwords stand in what the modules returned")
        return [judge(case, probe["endpoints"], pulls, pulled[case.name], unused) for case in CASES]


def report(named: list[Named]) -> int:
    """Prints the table; returns how many cases are not as they should be."""
    widths = [max(len(row[column]) for row in [(n.case.name, n.case.cause) for n in named]) for column in (0, 1)]
    for entry in named:
        case = entry.case
        verdict = "ok" if not entry.problems else "WRONG: " + "; ".join(entry.problems)
        print(f"{case.name:<{widths[0]}}  {case.cause:<{widths[1]}}  {verdict}")
    wrong = sum(bool(entry.problems) for entry in named)
    print(f"{len(named) - wrong} of {len(named)} cases named right by the pull, the probe and the diagnosis")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.registry_faults", description=str(__doc__).splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="keep the fleet for another run")
    parser.add_argument("--containerd2", action="store_true", help="on a containerd 2, which is built for it")
    parser.add_argument("--write", action="store_true", help="write what was seen into docs/troubleshooting.md")
    arguments = parser.parse_args()
    started = time.monotonic()
    wrong = 1
    try:
        # What a killed run has left: a fleet that is taken up again would start it.
        podman.podman("rm", "--force", "--time", "0", "--ignore", f"{FLEET}-{CONTAINER}")
        containerd = containerd_source.RECENT if arguments.containerd2 else ""
        fleet = up.up(FLEET, 1, 1, "k3s", "auto", 40, containerd=containerd)
        named = run(fleet)
        wrong = report(named)
        if arguments.write and not wrong:
            page.remember({entry.case.name: entry.seen for entry in named if entry.case.cause != "ok"})
            page.write()
    except FleetError as error:
        print(f"registry-faults: {error}", file=sys.stderr)
    finally:
        if not arguments.keep:
            up.down(FLEET)
    print(f"{time.monotonic() - started:.0f} s")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
