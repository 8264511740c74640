# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client certificate and its key for Python's TLS, which takes them by path only and opens whatever lies there."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from typing import Iterator

from .files import regular_only

LARGEST = 1 << 20
"""Bytes that are read of either file."""


def load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Take a pair of files into ``context``. A key with a passphrase is refused: containerd cannot use it either.

    Both are read here, so that a FIFO does not hold the run, and handed on in memory, so that what was looked at is
    what is used.

    :raises OSError: if one cannot be read, is no regular file or is larger than a megabyte.
    :raises ssl.SSLError: if they are no pair. ``reason`` says why.
    """
    load_texts(context, content_of(certificate), content_of(key))


def content_of(path: str) -> bytes:
    """:raises OSError: if it cannot be read, is no regular file or is larger than a megabyte."""
    with open(path, "rb", opener=regular_only) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError("it is larger than %d KiB" % (LARGEST >> 10))
    return content


def load_texts(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """:func:`load` for what the two files hold.

    :raises ssl.SSLError: if they are no pair.
    """
    with _file_with(certificate) as certificate_path, _file_with(key) as key_path:
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate_path, key_path, password=lambda: "")


@contextlib.contextmanager
def _file_with(content: bytes) -> Iterator[str]:
    """A path under which a content can be opened for as long as the block runs, and by this process only.

    On Linux it is memory without a name in any folder: it ends with the process, however that ends. Elsewhere it is a
    file of mode 0600 in a folder of mode 0700.
    """
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with os.fdopen(os.memfd_create("k3sfleet"), "wb") as memory:
            memory.write(content)
            memory.flush()
            yield "/proc/self/fd/%d" % memory.fileno()
        return
    with tempfile.TemporaryDirectory(prefix="k3sfleet-") as folder:
        path = os.path.join(folder, "pem")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield path
