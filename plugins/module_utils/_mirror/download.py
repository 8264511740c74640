# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches an image list, without credentials and within limits."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure, TooLarge
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import REDIRECTS, location_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    AddressError,
    Origin,
    bare_origin_of,
    joined,
    leaves_tls,
)

from .access import Access
from .failures import RegistryFailure, of_failure
from .lists import LIST_LIMIT
from .session import Question, Session
from .tls import TlsSettings

_MOST_REDIRECTS = 5


def fetch(url: str, timeout: float) -> str:
    """The text behind a URL. GitHub redirects downloads to another host.

    :param timeout: seconds for all of it.
    :raises RegistryFailure: ``not_found``, or why else it cannot be had.
    """
    deadline, first = Deadline(timeout), _origin(url)
    session = Session(TlsSettings(Access(first.netloc, first.scheme)), _explained)
    for _number in range(_MOST_REDIRECTS + 1):
        reply = session.ask(Question("GET", url, deadline, {"Accept": "text/plain, */*"}))
        if reply.status == 200:
            try:
                return reply.body(LIST_LIMIT).decode("utf-8")
            except UnicodeDecodeError as error:
                raise RegistryFailure("unknown", reply.origin.netloc, advice="it is no text") from error
        reply.abandon()
        location = location_of(reply.headers)
        if reply.status not in REDIRECTS or not location:
            cause = "not_found" if reply.status == 404 else "unknown"
            raise RegistryFailure(cause, reply.origin.netloc, advice="it answers HTTP %d" % reply.status)
        try:
            url = joined(url, location)
        except AddressError as error:
            raise RegistryFailure(
                "unknown", reply.origin.netloc, advice="it redirects to no address that can be asked: %s" % error
            ) from error
        if leaves_tls(reply.origin, _origin(url)):
            advice = "it redirects to %s, without TLS, where anybody could answer" % _origin(url).text
            raise RegistryFailure("unknown", reply.origin.netloc, advice=advice)
    raise RegistryFailure("unknown", first.netloc, advice="it redirects again and again")


def _origin(url: str) -> Origin:
    try:
        return bare_origin_of(url)
    except AddressError as error:
        raise RegistryFailure("unknown", "its address", advice=str(error)) from error


def _explained(error: Failure, origin: Origin) -> RegistryFailure:
    if isinstance(error, TooLarge):
        return RegistryFailure("unknown", origin.netloc, seen="%s, more than any image list has" % error)
    return of_failure(error, origin.netloc)
