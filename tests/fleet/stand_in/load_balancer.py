# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's client load balancer: 127.0.0.1:6444 leads to the first server that answers."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Any

PORT = 6444


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def serve(servers: list[str]) -> None:
    """Listen and forward, in threads."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            for address in servers:
                try:
                    upstream = socket.create_connection((address, 6443), timeout=2)
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

    threading.Thread(target=Server(("127.0.0.1", PORT), Handler).serve_forever, daemon=True).start()
