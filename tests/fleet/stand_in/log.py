# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines as logrus writes them, which is what K3s puts into the journal."""

from __future__ import annotations

import sys
import threading
import time

from stand_in.go_url import quote

LOCK = threading.Lock()


def log(level: str, message: str) -> None:
    """One line: `time="2026-01-31T12:00:00Z" level=info msg="..."`."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with LOCK:
        sys.stderr.write('time="%s" level=%s msg=%s\n' % (moment, level, quote(message)))
        sys.stderr.flush()


def info(message: str) -> None:
    log("info", message)


def fatal(message: str) -> None:
    """The last line of a K3s that gives up.

    :raises SystemExit: always, with code 1.
    """
    log("fatal", message)
    raise SystemExit(1)
