# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came back to one question of the probe, after redirects."""

from __future__ import annotations

import http.client
from typing import NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import (
    host_of,
    location_of,
    media_type_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin, origin_of


class Answer(NamedTuple):
    """What came back: ``url`` is that of the last request, after redirects; ``complete``: whether ``body`` is all."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    url: str
    complete: bool = True

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return media_type_of(self.headers)

    @property
    def host(self) -> str:
        """As it stands in the URL, byte for byte: that is what containerd looks for in ``configs``."""
        return host_of(self.url)

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        return location_of(self.headers)

    @property
    def origin(self) -> Origin:
        return origin_of(self.url)
