# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines as Kubernetes' parts write them, which in K3s go to the same journal as K3s' own."""

from __future__ import annotations

import os
import sys
import time

from stand_in.go_url import quote
from stand_in.log import LOCK


def error(place: str, message: str, **values: str) -> None:
    """A structured line: `E0131 12:00:00.000000 1 place] "message" key="value"`."""
    pairs = "".join(" %s=%s" % (name, quote(value)) for name, value in values.items())
    _write("%s] %s%s" % (place, quote(message), pairs))


def plain_error(place: str, message: str) -> None:
    _write("%s] %s" % (place, message))


def _write(text: str) -> None:
    now = time.time()
    moment = time.strftime("%m%d %H:%M:%S", time.gmtime(now)) + ".%06d" % (now % 1 * 1e6)
    with LOCK:
        sys.stderr.write("E%s %7d %s\n" % (moment, os.getpid(), text))
        sys.stderr.flush()
