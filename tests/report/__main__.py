# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.report deps`` installs the browser; ``picture`` takes the pictures in docs/."""

from __future__ import annotations

import sys

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.report import chromium, pictures

COMMANDS = {"deps": chromium.ensure, "picture": pictures.take}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        sys.exit("usage: python -m tests.report deps|picture")
    COMMANDS[sys.argv[1]]()
