# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a line of the log says about a pull.

Messages are those of containerd's ``internal/cri/instrument`` (1.x: ``pkg/cri/instrument``), ``image_pull.go``,
``remotes/docker/resolver.go`` and ``remotes/docker/config/hosts.go``, and the kubelet's, which repeats the error.
``Failed to handle event`` and ``Failed to handle backOff event`` are left out on purpose: for minutes after one failed
pull of something that is no image, containerd repeats them for the record that the pull left behind.
"""

from __future__ import annotations

import re
from typing import Callable, NamedTuple

from .logfmt import flatten, parse_line
from .moments import parse_time

STARTED = "started"
SUCCEEDED = "succeeded"
FAILED = "failed"
ATTEMPT = "attempt"
UNDECODED = "undecoded"
CANCELLED = "cancelled"
SANDBOX_FAILED = "sandbox_failed"
SANDBOX_STARTED = "sandbox_started"
KUBELET_FAILED = "kubelet_failed"
RESTARTED = "restarted"

# One of these stands in every line that read_event() can use: whole logs are read, so the rest must cost nothing.
_KEYWORDS = (
    b"PullImage",
    b"Pulled image",
    b"pulling image",
    b"pull image",
    b"pull and unpack",
    b"next host",
    b"fetch failed",
    b"hosts.toml",
    b"RunPodSandbox",
    b"starting containerd",
)

_STARTED = re.compile(r'PullImage "([^"]+)"$')
_FAILED = re.compile(r'PullImage "([^"]+)" failed')
_SUCCEEDED = re.compile(r'(?:PullImage "([^"]+)" returns image reference|Pulled image "([^"]+)" with image id)')
_CANCELLED = re.compile(r"cancel pulling image (\S{1,1000}) because of (no progress in .*)")
_AFTER_STATUS = re.compile(r"after status: (.*)")
_UNDECODED = re.compile(r"failed to decode (.*hosts\.toml)")
_UNPACK = re.compile(r'failed to pull and unpack image "([^"]+)"')
_PULL = re.compile(r'[Ff]ailed to pull image "([^"]+)"(?:: | err=)')
_KUBELET_ERROR = re.compile(r"(?:rpc error: code = |failed to pull and unpack image )")
_KUBELET_TAIL = re.compile(r'"(?: logger="[^"]{0,200}")?(?: \w{1,40}="[^"]{0,400}"){0,8}\s{0,16}\Z')
_LONGEST_TAIL = 2048


class Event(NamedTuple):
    """One thing a log says about a pull. `image` is as logged; empty strings if the line has no such part."""

    kind: str
    image: str
    host: str
    error: str
    path: str
    time: float | None
    line: str


def interesting(line: bytes) -> bool:
    """Whether a raw line can carry an event: a few substring searches, no parsing."""
    return any(keyword in line for keyword in _KEYWORDS)


def read_event(line: str) -> Event | None:
    """The event in one line of a log, or None. Never raises."""
    fields = parse_line(line)
    if fields is None:
        return _kubelet_event(flatten(line), line)
    if "klog" in fields:
        return _kubelet_event(fields["klog"], line)
    return _containerd_event(fields, line)


def _containerd_event(fields: dict[str, str], line: str) -> Event | None:
    message = fields.get("msg", "")
    error = fields.get("error", "")

    def event(kind: str, image: str = "", host: str = "", error: str = error, path: str = "") -> Event:
        return Event(kind, image, host, error, path, parse_time(fields.get("time", "")), line)

    if message.startswith(("trying next host", "fetch failed")):
        if "host" not in fields:
            return None
        status = _AFTER_STATUS.search(message)
        if "StatusNotFound" in message:
            error = "status: 404 Not Found"
        elif status:
            error = "status: " + status.group(1)
        return event(ATTEMPT, host=fields["host"], error=error)
    if message.startswith(("PullImage ", "Pulled image ")):
        match = _STARTED.match(message)
        if match:
            return event(STARTED, match.group(1))
        match = _FAILED.match(message)
        if match:
            return event(FAILED, match.group(1))
        match = _SUCCEEDED.match(message)
        if match:
            return event(SUCCEEDED, match.group(1) or match.group(2))
        return None
    if message.startswith("RunPodSandbox for "):
        return _sandbox_event(message, event)
    undecoded = _UNDECODED.match(message)
    if undecoded:
        path = undecoded.group(1)
        return event(UNDECODED, path=path if "/" in path else "")
    cancelled = _CANCELLED.match(message)
    if cancelled:
        return event(CANCELLED, cancelled.group(1), error=cancelled.group(2))
    if message.startswith("starting containerd"):
        return event(RESTARTED)
    if _UNPACK.search(message):
        # crictl's own last line, and K3s' when it pulls the images of a list in agent/images.
        repeated = _kubelet_event(message, line)
        return repeated and repeated._replace(time=parse_time(fields.get("time", "")))
    return None


def _sandbox_event(message: str, event: Callable[..., Event]) -> Event | None:
    if " returns sandbox id" in message:
        return event(SANDBOX_STARTED)
    if " failed, error" not in message:
        return None
    found: Event = event(SANDBOX_FAILED)
    image = _UNPACK.search(found.error) or _PULL.search(found.error)
    return found._replace(image=image.group(1)) if image else None


def _kubelet_event(text: str, line: str) -> Event | None:
    """The kubelet's repetition of a pull's error, wherever in its text that stands."""
    image = _UNPACK.search(text) or _PULL.search(text)
    if not image:
        return None
    start = _KUBELET_ERROR.search(text)
    if not start:
        return None
    error = text[start.start() :]
    tail = _KUBELET_TAIL.search(error, max(0, len(error) - _LONGEST_TAIL))
    return Event(
        KUBELET_FAILED, image.group(1), "", error[: tail.start() if tail else None].rstrip('"\n'), "", None, line
    )
