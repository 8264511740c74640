# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH keys: one for the controller, one host key per node, all new for each fleet."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.fleet.certificates import write_private


def make(path: Path, comment: str) -> str:
    """Write ``path`` and ``path.pub``; returns the public line."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    line = public.decode() + " " + comment + "\n"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, private)
    path.with_name(path.name + ".pub").write_text(line, encoding="utf-8")
    return line
