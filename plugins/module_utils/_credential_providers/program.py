# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a provider's program is: for which machine it was built. The wrong one is named before a pod needs it."""

from __future__ import annotations

import os
import re

# The numbers of ELF's e_machine, by the names that Go and container images have for them.
_MACHINES = {3: "386", 40: "arm", 62: "amd64", 183: "arm64", 22: "s390x", 21: "ppc64le", 243: "riscv64"}
_NAMES = {
    "x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm", "armv6l": "arm",
    "i686": "386", "i386": "386", "s390x": "s390x", "ppc64le": "ppc64le", "riscv64": "riscv64",
}  # fmt: skip
# What a machine runs beside what is its own.
_RUNS_TOO = {"amd64": ("386",), "arm64": ("arm",)}
ARCHITECTURES = tuple(_MACHINES.values())

HEAD = 256
"""So many bytes of a program tell what it is."""

SCRIPT = "script"


def architecture(machine: str = "") -> str:
    """This machine's architecture as images name it, or that of ``machine`` as ``uname -m`` says it."""
    machine = machine or os.uname().machine
    return _NAMES.get(machine, machine)


def kind(head: bytes) -> str:
    """The architecture that a program is for, by its first bytes; :data:`SCRIPT` for one that names an interpreter, ""
    for what Linux does not start."""
    if head[:2] == b"#!":
        return SCRIPT if interpreter(head) else ""
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return ""
    number = int.from_bytes(head[18:20], "big" if head[5] == 2 else "little")
    return _MACHINES.get(number, "unknown")


def interpreter(head: bytes) -> str:
    """The interpreter that a script names, "" if it names none by its path."""
    match = re.match(rb"#![ \t]*(/[^\s\0]+)", head)
    return match.group(1).decode("utf-8", "replace") if match else ""


def problem(head: bytes, wanted: str) -> str:
    """Why a machine of the architecture ``wanted`` does not start a program; "" if nothing is seen.

    :param wanted: "" if it is for machines of any architecture, and so has to be a script.
    """
    found = kind(head)
    if not found:
        return "it is no program: it begins neither like one (ELF) nor with #! and an interpreter's path"
    if found != SCRIPT and not wanted:
        return "it is a program for %s only: name it by its architecture, such as {%s: ...}" % (found, found)
    if found not in (SCRIPT, wanted, *_RUNS_TOO.get(wanted, ())):
        return "it is a program for %s, and the node is %s" % (found, wanted)
    return ""
