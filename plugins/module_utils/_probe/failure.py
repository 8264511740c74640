# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe finds beyond a failure: a credential that would go astray, and an answer that is no success."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.causes import status_cause
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure, status_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin


class Exposure(Failure):
    """containerd would give a credential to somebody to whom it does not belong; the probe has not.

    :ivar credential: its name, such as ``the password of registry.example.com:5000``.
    :ivar place: who would get it.
    :ivar reason: why it does not belong there, as the end of a sentence.
    """

    def __init__(self, credential: str, place: Origin, detail: str, status: int | None, reason: str = "") -> None:
        super().__init__("unauthorized", detail, status)
        self.credential = credential
        self.place = place
        self.reason = reason or "to which a redirect leads"

    @property
    def sentence(self) -> str:
        """The finding."""
        clear = " in clear text" if self.place.scheme == "http" else ""
        return f"containerd will send {self.credential} to {self.place.text}{clear}, {self.reason}."


def status_failure(status: int, url: str, where: str, **more: Any) -> Failure:
    """The failure that an HTTP status stands for."""
    return Failure(status_cause(status, url), f"{where}: {status_text(status)}", status, **more)
