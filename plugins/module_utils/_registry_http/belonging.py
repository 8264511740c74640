# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server a credential belongs to: the scheme, the host and the port it was configured for, and nothing else."""

from __future__ import annotations

from urllib.parse import urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http import origin as addresses
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin

__all__ = ["Origin", "OriginError", "belongs_to", "joined", "leaves_tls", "origin_of"]


class OriginError(ValueError):
    """A URL names no server that can be asked. The message never repeats the URL: it may hold a password."""


def origin_of(url: str) -> Origin:
    """The server that a URL leads to, as the probe reads it too.

    A URL from a registry (a redirect, a realm, the place of an upload) has no user name either: whose would it be?

    :raises OriginError: if it is no absolute http or https URL.
    """
    try:
        found = addresses.origin_of(url)
    except addresses.AddressError as error:
        raise OriginError("the address cannot be asked: %s" % error) from None
    if "@" in urlsplit(url).netloc:
        raise OriginError("the address holds a user name or a password")
    if found.port == 0:
        raise OriginError("the address has port 0")
    return found


def joined(url: str, location: str) -> str:
    """Where a redirect leads, relative ones too.

    :raises OriginError: if that is no absolute http or https URL.
    """
    try:
        target = addresses.joined(url, location)
    except addresses.AddressError as error:
        raise OriginError("the address cannot be asked: %s" % error) from None
    origin_of(target)
    return target


def belongs_to(owner: Origin, asked: Origin) -> bool:
    """Whether what was configured for one server (credentials, client certificate, exceptions) may go to another."""
    return owner == asked


def leaves_tls(first: Origin, then: Origin) -> bool:
    """Whether everybody on the way could read and change what passes, from the second server on."""
    return first.scheme == "https" and then.scheme == "http"
