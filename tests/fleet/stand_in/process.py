# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes that live and die with K3s, as its containerd does, and word to systemd."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
from typing import IO, Any, Mapping

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command: list[str], output: IO[Any], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a child that the kernel kills when this process ends, however it ends. Only from the main thread: the
    kernel means the death of the thread that forked."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=dict(environment),
        preexec_fn=_die_with_parent,
        process_group=0,
    )


def notify(message: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.connect(address)
        connection.sendall(message.encode())
