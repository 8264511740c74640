# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `k3s` (or `rke2`) of a node without the real one."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> int:
    from stand_in import log
    from stand_in.flags import FlagError
    from stand_in.node import COMMIT, Node

    command = arguments[0] if arguments else "help"
    try:
        if command in ("server", "agent"):
            return _run(command, arguments[1:])
        node = Node()
    except FlagError as error:
        log.fatal(str(error))
    if command in ("--version", "-v", "version"):
        print("%s version %s (%s)\ngo version go1.24.11" % (node.program, node.release, COMMIT))
        return 0
    if command == "crictl":
        from stand_in.crictl import Crictl, endpoint

        return Crictl(endpoint(node)).main(arguments[1:])
    if command == "kubectl":
        from stand_in.kubectl import Kubectl

        return Kubectl(node).main(arguments[1:])
    if command == "ctr":
        os.execv("/usr/bin/ctr", ["ctr", "--address", node.socket, "--namespace", "k8s.io", *arguments[1:]])  # noqa: S606
    print("NAME:\n   %s - Kubernetes, but small and simple (the test fleet's stand-in)" % node.program)
    return 0 if command in ("help", "--help", "-h") else 1


def _run(command: str, arguments: list[str]) -> int:
    """K3s itself.

    :raises FlagError: where it does not start.
    """
    from stand_in.node import Node
    from stand_in.supervisor import Supervisor

    if os.geteuid():
        print("%s must be run as root" % command, file=sys.stderr)
        return 1
    Supervisor(Node(command, arguments)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
