# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.monitoring deps`` brings promtool and node_exporter."""

from __future__ import annotations

import sys

from tests.monitoring import programs

if __name__ == "__main__":
    if sys.argv[1:] != ["deps"]:
        sys.exit("usage: python -m tests.monitoring deps")
    try:
        programs.ensure()
    except programs.Missing as problem:
        sys.exit(str(problem))
