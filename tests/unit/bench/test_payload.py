# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import io
import socket
import threading
import time
import zipfile

import pytest

from tests.bench.payload import module_in, packed_in
from tests.bench.slow_link import Lane, SlowLink


def test_a_lane_is_as_slow_as_its_rate_and_as_late_as_its_delay() -> None:
    lane = Lane(1000.0, 0.1)
    assert lane.send(10.0, 500) == pytest.approx((10.5, 10.6))
    assert lane.send(10.1, 500) == pytest.approx((11.0, 11.1)), "after the bytes before it"
    assert lane.send(20.0, 0) == pytest.approx((20.0, 20.1))
    assert lane.bytes == 1000


def test_a_link_passes_everything_on_and_counts_it() -> None:
    content = bytes(range(256)) * 40
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _address = server.accept()
            with connection:
                received = b""
                while len(received) < len(content):
                    received += connection.recv(1 << 16)
                connection.sendall(received[::-1])

        threading.Thread(target=answer, daemon=True).start()
        with SlowLink("127.0.0.1", server.getsockname()[1], rate=1e6, round_trip=0.1) as link:
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", link.port), timeout=20) as connection:
                connection.sendall(content)
                received = b""
                while len(received) < len(content):
                    received += connection.recv(1 << 16)
            seconds = time.monotonic() - began
    assert received == content[::-1]
    assert (link.up.bytes, link.down.bytes, link.bytes) == (len(content), len(content), 2 * len(content))
    # Two round trips, the handshake's among them, and the bytes at 125 kB/s each way.
    assert seconds >= 0.2 + 2 * len(content) / 125_000


def _packed(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name in names:
            packed.writestr(name, "#" * 3000)
    return content.getvalue()


def test_the_packed_modules_are_found_in_what_is_sent() -> None:
    folder = "ansible_collections/k3sfleet/registries/plugins/"
    packed = _packed("ansible/module_utils/basic.py", folder + "modules/__init__.py", folder + "modules/k3s_x.py")
    program = b"#!/usr/bin/python\nOTHER = '%s'\nZIP = b'''%s'''\n" % (b"A" * 5000, base64.b64encode(packed))
    assert packed_in(program) == packed
    assert module_in(packed) == "ansible_collections.k3sfleet.registries.plugins.modules.k3s_x"
    assert module_in(_packed("ansible/modules/ping.py")) == "ansible.modules.ping"
    with pytest.raises(LookupError, match="no packed modules"):
        packed_in(b"echo hello")
