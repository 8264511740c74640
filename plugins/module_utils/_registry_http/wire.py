# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections with a deadline: TLS shaken, bytes sent and received.

TLS works on memory, not on the socket, so that what a server sends first can be looked at when it is no TLS, and so
that TLS can run inside TLS through a proxy.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import socket
import ssl
from functools import partial
from typing import Any, Callable, Union

from .deadline import Deadline
from .failure import Failure, TooLarge, Unverified, connection_failure, tls_failure

_CHUNK = 1 << 16


class Plain:
    """A TCP connection.

    :ivar doing: set by whoever uses it, for the text of failures.
    :ivar gone: the other side takes nothing any more: what it said last is still to be read.
    """

    def __init__(self, opened: socket.socket, deadline: Deadline) -> None:
        self._socket = opened
        self._deadline = deadline
        self._silence: float | None = None
        self.doing = "connect"
        self.gone = False

    def within(self, deadline: Deadline, silence: float | None = None) -> None:
        """From now on everything ends by then, and no step waits longer than ``silence`` seconds."""
        self._deadline, self._silence = deadline, silence

    def send(self, data: bytes) -> None:
        """Sends all of it, or nothing any more if the other side has gone."""
        view = memoryview(data)
        try:
            while view and not self.gone:
                self._socket.settimeout(self._deadline.left(self.doing, self._silence))
                view = view[self._socket.send(view) :]
        except OSError as error:
            failure = self._failure(error)
            if failure.cause != "connection_reset":
                raise failure from None
            self.gone = True

    def receive_into(self, buffer: Any) -> int:
        """How many bytes have come; 0 at the end."""
        try:
            self._socket.settimeout(self._deadline.left(self.doing, self._silence))
            return self._socket.recv_into(buffer)
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> Failure:
        failure = connection_failure(error, self.doing)
        return self._deadline.passed(self.doing) if failure.cause == "timeout" else failure

    def stop(self) -> None:
        """End whatever another thread waits for here."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


class Tls:
    """TLS on top of a connection. :meth:`shake` first."""

    def __init__(self, below: Plain | Tls, context: ssl.SSLContext, host: str, certificate_sent: bool) -> None:
        self._below = below
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._came = memoryview(bytearray(_CHUNK))
        self._host = host
        self._certificate_sent = certificate_sent
        self._first = b""
        try:
            name = host if context.check_hostname else _server_name(host)
            self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        except (ValueError, UnicodeError):
            raise Failure("unknown", f"{host} is no name for TLS") from None

    @property
    def doing(self) -> str:
        return self._below.doing

    @doing.setter
    def doing(self, text: str) -> None:
        self._below.doing = text

    @property
    def gone(self) -> bool:
        return self._below.gone

    def within(self, deadline: Deadline, silence: float | None = None) -> None:
        self._below.within(deadline, silence)

    def stop(self) -> None:
        self._below.stop()

    def shake(self, check: Callable[[bytes], None] | None = None) -> None:
        """
        :param check: gets the server's certificate and raises if it will not do. With TLS 1.3 that is before the
            server has seen anything of a client certificate: what the handshake has to say last is still in memory.
        :raises Unverified: if the server's certificate does not verify.
        :raises Failure: for everything else.
        """
        self.doing = f"TLS handshake with {self._host}"

        def step() -> None:
            self._object.do_handshake()
            if check is not None:
                check(self.certificate)

        self._run(step)

    @property
    def certificate(self) -> bytes:
        """The server's certificate, DER; b"" if it has none."""
        return self._object.getpeercert(True) or b""

    @property
    def protocol(self) -> str:
        """Such as ``TLSv1.3``."""
        return self._object.version() or ""

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self.gone:
            view = view[self._run(partial(self._object.write, view)) :]

    def receive_into(self, buffer: Any) -> int:
        try:
            return int(self._run(lambda: self._object.read(len(buffer), buffer)))
        except Failure as failure:
            # Without a closing alert: where an answer ends is told by HTTP, not by TLS.
            if failure.cause == "connection_reset" and failure.detail.endswith("was closed"):
                return 0
            raise

    def close(self) -> None:
        self._below.close()

    def _run(self, step: Any) -> Any:
        while True:
            try:
                done = step()
                self._flush()
                return done
            except ssl.SSLWantReadError:
                self._flush()
                count = self._below.receive_into(self._came)
                self._first = self._first or bytes(self._came[: min(count, 8)])
                if count:
                    self._incoming.write(self._came[:count])
                else:
                    self._incoming.write_eof()
            except ssl.SSLCertVerificationError as error:
                self._flush()
                raise Unverified(error.verify_code, self.doing) from None
            except ssl.SSLError as error:
                self._flush()
                raise tls_failure(error, self._first, self.doing, self._certificate_sent) from None

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._below.send(data)


def _server_name(host: str) -> str | None:
    """Go names the server in the handshake only if it is a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.rstrip(".")
    return None


Stream = Union[Plain, Tls]


class Reader(io.RawIOBase):
    """A connection as a file to read from, for ``http.client``, which sets no bounds to headers, ``100 Continue`` and
    what may follow a body.

    :ivar left: how many bytes may still come.
    """

    def __init__(self, connection: Stream, left: int) -> None:
        super().__init__()
        self._connection = connection
        self.left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._connection.receive_into(memoryview(buffer)[: max(self.left, 1)])
        self.left -= count
        if self.left < 0:
            raise TooLarge(f"{self._connection.doing}: more than 64 KiB of headers")
        return count
