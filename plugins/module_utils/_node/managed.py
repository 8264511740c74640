# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the managed files lie on a node: which of them may be links, and whose folders nobody else may look into.

There are two kinds. registries.yaml and the drop-in carry the marker, and K3s reads them through a link, so they are
written through one. Certificates and keys, ``<cert_dir>/<registry>/<name>``, and the credential store are the
collection's own in folders of its own, and a link there is refused.
"""

from __future__ import annotations

import os

from . import files
from .paths import CREDENTIAL_STORE_NAME

_CERTIFICATE_NAMES = ("ca.crt", "client.crt", "client.key")


def is_certificate(path: str) -> bool:
    """Whether a managed path is a certificate's or a key's; the others begin with the marker."""
    return os.path.basename(path) in _CERTIFICATE_NAMES


def may_be_linked(path: str) -> bool:
    """Whether a managed file is read, written and removed through a symbolic link at its path."""
    return not is_certificate(path) and os.path.basename(path) != CREDENTIAL_STORE_NAME


def add(writes: files.Writes, path: str, content: bytes, mode: int) -> None:
    """Prepare a managed file, unless it is there already; folders of certificates that are missing are made for root
    alone.

    :raises FileProblem: if it cannot be written.
    """
    if files.matches(path, content, mode):
        return
    if is_certificate(path):
        files.make_directory(os.path.dirname(os.path.dirname(path)), 0o700)
        files.make_directory(os.path.dirname(path), 0o700)
    writes.add(path, content, mode, through_link=may_be_linked(path))


def remove(path: str) -> None:
    """Remove a managed file, with what it leads to if it is a link, and certificates' folders that it leaves empty.

    :raises FileProblem: if it cannot be removed.
    """
    files.remove(path, through_link=may_be_linked(path))
    if is_certificate(path):
        files.remove_empty_directory(os.path.dirname(path))
        files.remove_empty_directory(os.path.dirname(os.path.dirname(path)))
