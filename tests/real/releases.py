# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases in ``releases.txt``. Python's standard library is enough: CI asks before anything is installed."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).with_name("releases.txt")


def releases(text: str | None = None) -> list[str]:
    """The oldest first, ``latest`` at the end."""
    lines = (FILE.read_text(encoding="utf-8") if text is None else text).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
