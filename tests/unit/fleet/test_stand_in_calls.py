# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the stand-in's commands ask containerd: what is no answer is never taken for one."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest
from stand_in import unary_call

DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM = 1


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def message(content: bytes) -> bytes:
    return b"\0" + struct.pack("!I", len(content)) + content


WHOLE = message(b"containerd")
SAID = frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 4, 1, b"\x88")
TRAILERS = frame(HEADERS, 4 | END_STREAM, 1, b"")


def listening(folder: Path, answer: bytes) -> str:
    """A socket that takes one call, says ``answer`` and hangs up."""
    path = str(folder / "socket")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def one() -> None:
        connection, _address = server.accept()
        with server, connection:
            connection.recv(65536)
            connection.sendall(answer)

    threading.Thread(target=one, daemon=True).start()
    return path


@pytest.mark.parametrize("parts", [(WHOLE,), (WHOLE[:3], WHOLE[3:])])
def test_the_message_comes_in_one_frame_or_several(tmp_path: Path, parts: tuple[bytes, ...]) -> None:
    data = b"".join(frame(DATA, 0, 1, part) for part in parts)
    path = listening(tmp_path, SAID + data + frame(DATA, 0, 3, b"of another stream") + TRAILERS)
    assert unary_call.call(path, "/runtime.v1.RuntimeService/Version", b"", 5) == b"containerd"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(SAID + TRAILERS, id="an error, which has no message"),
        pytest.param(SAID + frame(DATA, 0, 1, WHOLE[:-1]) + TRAILERS, id="half a message"),
        pytest.param(SAID + frame(DATA, 0, 1, WHOLE), id="hung up before the end"),
        pytest.param(SAID + frame(DATA, 0, 1, WHOLE)[:-2], id="hung up within a frame"),
        pytest.param(SAID + frame(RST_STREAM, 0, 1, b"\0\0\0\7"), id="refused"),
    ],
)
def test_anything_else_is_no_answer(tmp_path: Path, answer: bytes) -> None:
    path = listening(tmp_path, answer)
    with pytest.raises(unary_call.NoAnswer):
        unary_call.call(path, "/runtime.v1.RuntimeService/Version", b"", 5)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(unary_call.NoAnswer):
        unary_call.call(str(tmp_path / "socket"), "/runtime.v1.RuntimeService/Version", b"", 5)
