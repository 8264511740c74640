# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry of this machine as it would be some milliseconds away."""

from __future__ import annotations

import asyncio
import copy
import threading

from tests.mirror.registries import LocalRegistry


class Distance:
    """Passes TCP on to registries of this machine, every byte late by half of ``round_trip`` seconds each way."""

    def __init__(self, round_trip: float) -> None:
        self._delay = round_trip / 2
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def to(self, registry: LocalRegistry) -> LocalRegistry:
        """The same registry at the far end."""
        far = copy.copy(registry)
        future = asyncio.run_coroutine_threadsafe(self._listen(registry.port), self._loop)
        far.port = future.result(timeout=10)
        return far

    async def _listen(self, port: int) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(2 * self._delay)
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer), return_exceptions=True)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            data = await reader.read(1 << 16)
            # Timers of the same delay go off in the order in which they were set.
            self._loop.call_later(self._delay, writer.write if data else writer.close, *([data] if data else []))
            if not data:
                return

    def __enter__(self) -> Distance:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
