# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client certificate and its key for Python's TLS, which takes them by path only and opens whatever lies there."""

from __future__ import annotations

import contextlib
import os
import ssl
from typing import Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import regular_only

LARGEST = 1 << 20
"""Bytes that are read of either file."""


def load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Take a pair of files into ``context``. A key with a passphrase is refused: containerd cannot use it either.

    Both are read here, so that a FIFO does not hold the run, and handed on in memory, so that what was looked at is
    what is used.

    :raises OSError: when one cannot be read, is no regular file or is larger than a megabyte.
    :raises ssl.SSLError: when they are no pair. ``reason`` says why.
    """
    with contextlib.ExitStack() as stack:
        certificate, key = (stack.enter_context(_in_memory(path)) for path in (certificate, key))
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")


@contextlib.contextmanager
def _in_memory(path: str) -> Iterator[str]:
    """A path under which a copy of the file can be opened for as long as the block runs, and by this process only."""
    with open(path, "rb", opener=regular_only) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError("it is larger than %d KiB" % (LARGEST >> 10))
    if not hasattr(os, "memfd_create"):
        # Not Linux, so not a node: the file has been looked at, and nobody is to be kept from exchanging it.
        yield path
        return
    descriptor = os.memfd_create("k3sfleet")
    with os.fdopen(descriptor, "wb") as copy:
        copy.write(content)
        copy.flush()
        yield "/proc/self/fd/%d" % descriptor
