# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's client load balancers: 127.0.0.1:6444 leads to the first supervisor that answers, and where the API has a
port of its own, as RKE2's has, 127.0.0.1:6443 to the first API."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import threading
from typing import Any

SUPERVISOR = 6444
API = 6443


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def serve(port: int, servers: list[tuple[str, int]]) -> None:
    """Listen on the loopback ``port`` and forward, in threads."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            for server in servers:
                try:
                    upstream = socket.create_connection(server, timeout=2)
                except OSError:
                    continue
                with upstream:
                    upstream.settimeout(60)
                    back = threading.Thread(target=_copy, args=(upstream, self.request), daemon=True)
                    back.start()
                    _copy(self.request, upstream)
                    back.join(60)
                return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    threading.Thread(target=Server(("127.0.0.1", port), Handler).serve_forever, daemon=True).start()


def write_state(path: str, servers: list[tuple[str, int]]) -> None:
    """Where the load balancer leads, kept for the next start."""
    addresses = ["%s:%d" % server for server in servers]
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        json.dump({"ServerURL": "https://" + addresses[0], "ServerAddresses": addresses}, handle, indent=2)
