# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which K3s the nodes run: the one in K3S_BINARY, the official release, or the stand-in."""

from __future__ import annotations

import os
import re
import socket
import threading
import urllib.request
from pathlib import Path

from tests.fleet import official_k3s
from tests.fleet.process import FleetError, say

DEFAULT_RELEASE = {"k3s": "v1.34.3+k3s1", "rke2": "v1.34.2+rke2r1"}
_ANSWER_SECONDS = 5.0


def release(distribution: str) -> str:
    """K3S_VERSION or a recent stable release; the stand-in says that it is this one too.

    :raises FleetError: for what is no release name.
    """
    name = os.environ.get("K3S_VERSION", "") if distribution == "k3s" else ""
    name = name or DEFAULT_RELEASE[distribution]
    if not re.match(r"^v\d+\.\d+\.\d+([-.a-z0-9]*)\+(k3s|rke2r)\d+$", name):
        raise FleetError("K3S_VERSION=%s is no release name; %s is one" % (name, DEFAULT_RELEASE[distribution]))
    return name


def choose(distribution: str, wish: str) -> Path | None:
    """The file or folder with a real K3s, None for the stand-in. Says which and why in one line.

    ``wish``: `auto` or `stand-in`.

    :raises FleetError: when K3S_BINARY names nothing, or a download has the wrong checksum.
    """
    if wish == "stand-in" or distribution != "k3s":
        return None
    given = os.environ.get("K3S_BINARY", "")
    if given:
        path = Path(given).resolve()
        if not path.is_file() and not (path / "usr/local/bin/k3s").is_file():
            raise FleetError("K3S_BINARY=%s is neither a file nor a folder with usr/local/bin/k3s" % given)
        return path
    name = release(distribution)
    try:
        if not (official_k3s.CACHE / name / "k3s").is_file():
            _knock()
        return official_k3s.fetch(name)
    except OSError as error:
        say("GitHub does not give K3s %s within %d s (%s): the nodes run the stand-in" % (name, _ANSWER_SECONDS, error))
        return None


def _knock() -> None:
    """Whether GitHub answers in time, the name server's time included, which no timeout of a connection covers.

    :raises OSError: when it does not.
    """
    if urllib.request.getproxies().get("https"):
        return
    outcome: list[OSError | None] = []

    def connect() -> None:
        try:
            socket.create_connection(("github.com", 443), _ANSWER_SECONDS).close()
            outcome.append(None)
        except OSError as error:
            outcome.append(error)

    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(_ANSWER_SECONDS)
    problem = outcome[0] if outcome else TimeoutError("no answer")
    if problem is not None:
        raise problem
