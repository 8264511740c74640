# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pull with the stored credentials, asked of a real gRPC server in containerd's place."""

from __future__ import annotations

import threading
from concurrent import futures
from pathlib import Path
from typing import Iterator

import grpc
import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.pull import pull, request
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.store import Login
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome

CANARY = "canary-of-the-test"
IMAGE = "harbor.example.com/team/app:1"
LOGIN = Login("robot$k3s", CANARY)


class Containerd(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Notes what it is asked, and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.fails = False
        self.released = threading.Event()
        self.released.set()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def answer(message: bytes, context: grpc.ServicerContext) -> bytes:
            self.asked.append((details.method, message))
            self.released.wait(20)
            if self.fails:
                context.abort(grpc.StatusCode.UNKNOWN, "failed to pull " + CANARY)
            return b"\x0a\x06sha256"

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def containerd(tmp_path: Path) -> Iterator[tuple[Containerd, str]]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    handler = Containerd()
    server.add_generic_rpc_handlers((handler,))
    path = str(tmp_path / "containerd.sock")
    server.add_insecure_port("unix:" + path)
    server.start()
    yield handler, path
    handler.released.set()
    server.stop(None).wait()


def test_containerd_gets_the_image_and_the_login(containerd: tuple[Containerd, str]) -> None:
    handler, path = containerd
    assert pull(IMAGE, LOGIN, 10.0, path) == Outcome(0, "", "")
    image = b"\x0a\x1d" + IMAGE.encode()
    auth = b"\x0a\x09robot$k3s\x12\x12" + CANARY.encode()
    assert handler.asked == [
        ("/runtime.v1.ImageService/PullImage", b"\x0a\x1f" + image + b"\x12" + bytes([len(auth)]) + auth)
    ]


def test_a_pull_that_fails_says_nothing_of_the_login(containerd: tuple[Containerd, str]) -> None:
    handler, path = containerd
    handler.fails = True
    outcome = pull(IMAGE, LOGIN, 10.0, path)
    assert outcome.status == 1
    assert CANARY not in repr(outcome)


def test_a_pull_that_takes_too_long_is_given_up_on(containerd: tuple[Containerd, str]) -> None:
    handler, path = containerd
    handler.released.clear()
    outcome = pull(IMAGE, LOGIN, 0.3, path)
    assert (outcome.status, outcome.err) == (None, "containerd did not answer within 0.3 s")


def test_without_containerd_there_is_a_sentence(tmp_path: Path) -> None:
    outcome = pull(IMAGE, LOGIN, 1.0, str(tmp_path / "none"))
    assert outcome.status is None
    assert "No such file" in outcome.err


def test_a_key_file_fits_and_more_is_refused(containerd: tuple[Containerd, str]) -> None:
    handler, path = containerd
    key = "k" * 4000
    assert pull(IMAGE, Login("_json_key_base64", key), 10.0, path).ok
    assert key.encode() in handler.asked[0][1]
    outcome = pull(IMAGE, Login("u", "k" * 20000), 1.0, path)
    assert outcome.status is None
    assert "kkk" not in outcome.err


def test_no_server_is_named_with_the_login() -> None:
    # The kubelet names none either, so that containerd answers every host with it: the fields 1 and 2 are all.
    assert request("a", Login("u", "p")) == b"\x0a\x03\x0a\x01a\x12\x06\x0a\x01u\x12\x01p"
