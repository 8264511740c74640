# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node at the end of a slow link: a relay that passes TCP on late, no faster than the link is, and counts bytes.

No privileges and no kernel modules are needed for that. A connection waits for one round trip at its start, as TCP does
for its handshake; what TCP does besides (slow start, acknowledgements) is left out, so that a real link is a little
slower.
"""

from __future__ import annotations

import asyncio
import threading


class Lane:
    """One direction of a link. :param rate: bytes per second. :param delay: seconds until a byte arrives."""

    def __init__(self, rate: float, delay: float) -> None:
        self.rate, self.delay = rate, delay
        self.bytes = 0
        self._free_at = 0.0

    def send(self, now: float, size: int) -> tuple[float, float]:
        """Put so many bytes on the link: when it is free for the next ones, and when these have arrived."""
        self.bytes += size
        self._free_at = max(now, self._free_at) + size / self.rate
        return self._free_at, self._free_at + self.delay


class SlowLink:
    """A link to one host and port. :ivar port: where it is reached, on this machine's loopback.

    :param rate: bits per second, each way.
    :param round_trip: seconds.
    """

    def __init__(self, host: str, port: int, rate: float, round_trip: float) -> None:
        self.port = 0
        self.up, self.down = (Lane(rate / 8, round_trip / 2) for _direction in range(2))
        self._target, self._round_trip = (host, port), round_trip
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def bytes(self) -> int:
        """Both ways, so far."""
        return self.up.bytes + self.down.bytes

    def __enter__(self) -> SlowLink:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)
        return self

    def __exit__(self, *_error: object) -> None:
        # Ssh keeps its connection for the next run.
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, here: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._round_trip)
        there, ask = await asyncio.open_connection(*self._target)
        await asyncio.gather(
            self._pass_on(self.up, here, ask), self._pass_on(self.down, there, answer), return_exceptions=True
        )

    async def _pass_on(self, lane: Lane, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while True:
            data = await source.read(1 << 12)
            free_at, arrived_at = lane.send(self._loop.time(), len(data))
            # Timers go off in the order of their times, and later bytes never arrive sooner.
            if not data:
                self._loop.call_at(arrived_at, target.close)
                return
            self._loop.call_at(arrived_at, target.write, data)
            await asyncio.sleep(free_at - self._loop.time())
