# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every program that starts on this machine, in containers too, as the kernel's process connector tells it (proc(5),
linux/cn_proc.h). It misses none, however short it lives, and costs nothing while none starts."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

_NETLINK_CONNECTOR = 11
_PROCESSES = (1, 1)
_LISTEN = 1
_HEADER = struct.Struct("=IHHII")
_MESSAGE = struct.Struct("=IIIIHH")
_EVENT = struct.Struct("=IIQII")
_EXEC = 0x2
_BUFFER = 4 << 20


class Unavailable(Exception):
    """The kernel has no process connector, or tells this user nothing."""


class ExecEvents:
    """Process ids of programs that start from now on.

    :raises Unavailable: without the connector; it takes root, outside of containers.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_CONNECTOR)
        except OSError as problem:
            raise Unavailable(str(problem)) from None
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._socket.bind((0, _PROCESSES[0]))
            wish = _MESSAGE.pack(*_PROCESSES, 0, 0, 4, 0) + struct.pack("=I", _LISTEN)
            self._socket.send(_HEADER.pack(_HEADER.size + len(wish), 3, 0, 0, os.getpid()) + wish)
            # The kernel confirms, or is silent to whom it tells nothing.
            self._socket.settimeout(2)
            self._socket.recv(4096)
            self._socket.setblocking(False)
        except OSError as problem:
            self._socket.close()
            raise Unavailable(str(problem)) from None

    def started(self, seconds: float) -> tuple[list[int], bool]:
        """Those that have started, after ``seconds`` at most without any; and whether the kernel has dropped some,
        because they came faster than they were read."""
        found: list[int] = []
        select.select([self._socket], [], [], seconds)
        try:
            while True:
                message = self._socket.recv(4096)
                what, _cpu, _time, _thread, process = _EVENT.unpack_from(message, _HEADER.size + _MESSAGE.size)
                if what == _EXEC:
                    found.append(process)
        except BlockingIOError:
            return found, False
        except OSError as problem:
            if problem.errno != errno.ENOBUFS:
                raise
            return found, True

    def close(self) -> None:
        self._socket.close()
