# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls to containerd's CRI service that a kubelet and crictl make here."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from stand_in import unary_call
from stand_in.protobuf import field, fields, first, text


class CRIError(Exception):
    """Worded as Go's grpc status: `rpc error: code = NotFound desc = ...`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__("rpc error: code = %s desc = %s" % (code, message))
        self.code = code
        self.message = message


class Condition(NamedTuple):
    type: str
    status: bool
    reason: str
    message: str


class Image(NamedTuple):
    id: str
    tags: list[str]
    digests: list[str]
    size: int
    pinned: bool


class Runtime:
    """containerd at a unix socket."""

    def __init__(self, socket: str) -> None:
        self.socket = socket

    def _read(self, method: str, request: bytes, timeout: float) -> bytes:
        """A call that changes nothing, and may be made again."""
        try:
            return unary_call.call(self.socket, "/runtime.v1." + method, request, timeout)
        except unary_call.NoAnswer:
            return self._call(method, request, timeout)

    def _call(self, method: str, request: bytes, timeout: float) -> bytes:
        # Only where a call is made: it takes a while, and whoever tests the rest may not have it.
        import grpc

        with grpc.insecure_channel("unix://" + self.socket) as channel:
            call = channel.unary_unary("/runtime.v1." + method, lambda data: data, lambda data: data)
            try:
                return bytes(call(request, timeout=timeout))
            except grpc.RpcError as error:
                code = "".join(part.capitalize() for part in error.code().name.split("_"))
                message = error.details() or ""
                if message == "Deadline Exceeded":
                    message = "context deadline exceeded"
                elif code == "Unavailable":
                    message = (
                        'connection error: desc = "transport: Error while dialing: dial unix %s: '
                        'connect: no such file or directory"' % self.socket
                    )
                raise CRIError(code, message) from None

    def version(self, timeout: float) -> dict[str, str]:
        answer = self._read("RuntimeService/Version", field(1, "0.1.0"), timeout)
        names = {1: "Version", 2: "RuntimeName", 3: "RuntimeVersion", 4: "RuntimeApiVersion"}
        return {names[number]: text(value) for number, value in fields(answer) if number in names}

    def status(self, timeout: float) -> tuple[list[Condition], dict[str, Any]]:
        """The conditions and the verbose part of `crictl info`."""
        answer = self._read("RuntimeService/Status", field(1, 1), timeout)
        conditions = []
        for number, value in fields(first(answer, 1)):
            if number == 1 and isinstance(value, bytes):
                parts = dict(fields(value))
                conditions.append(
                    Condition(
                        text(parts.get(1, b"")), bool(parts.get(2, 0)), text(parts.get(3, b"")), text(parts.get(4, b""))
                    )
                )
        info: dict[str, Any] = {}
        for number, value in fields(answer):
            if number == 2 and isinstance(value, bytes):
                content = text(first(value, 2))
                try:
                    info[text(first(value, 1))] = json.loads(content)
                except ValueError:
                    info[text(first(value, 1))] = content
        return conditions, info

    def pull(self, image: str, timeout: float, login: tuple[str, str] | None = None) -> str:
        """Pull and return the image's id.

        :param login: user and password, as a kubelet hands them over: without a word about whom they are for.
        """
        request = field(1, field(1, image))
        if login is not None:
            request += field(2, field(1, login[0]) + field(2, login[1]))
        return text(first(self._call("ImageService/PullImage", request, timeout), 1))

    def images(self, timeout: float) -> list[Image]:
        answer = self._read("ImageService/ListImages", b"", timeout)
        return [_image(value) for number, value in fields(answer) if number == 1 and isinstance(value, bytes)]

    def image(self, name: str, timeout: float) -> Image | None:
        answer = first(self._read("ImageService/ImageStatus", field(1, field(1, name)), timeout), 1)
        return _image(answer) if answer else None

    def remove(self, name: str, timeout: float) -> None:
        self._call("ImageService/RemoveImage", field(1, field(1, name)), timeout)


def _image(message: bytes) -> Image:
    identity, tags, digests, size, pinned = "", [], [], 0, False
    for number, value in fields(message):
        if number == 1:
            identity = text(value)
        elif number == 2:
            tags.append(text(value))
        elif number == 3:
            digests.append(text(value))
        elif number == 4 and isinstance(value, int):
            size = value
        elif number == 8:
            pinned = bool(value)
    return Image(identity, tags, digests, size, pinned)
