# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that is a mirror of itself: which requests to its host were the mirror's, which its default endpoint's.

``http://registry.example.com:5000`` as the endpoint of ``registry.example.com:5000``, or ``https://`` with a path, is a
mirror like any other: the default endpoint, https without a path, is asked after it. A log names only the host of both.
What tells them apart: the default endpoint is always the last that is asked, and no path or rewrite ever changes what
it is asked for.
"""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import (
    EndpointError,
    normalise_endpoint,
)

from .attempts import Attempt, Pull
from .causes import Finding
from .image_names import RequestUrl, parse_request
from .node_config import NodeConfig


def of_mirrors(pull: Pull, config: NodeConfig, final: Finding, fetched: bool) -> list[Attempt]:
    """The attempts of ``pull`` at mirrors, those at the registry's own host among them; the embedded registry is none.

    :param final: what the error that ended the pull says.
    :param fetched: whether the image was resolved and its content failed.
    """
    return [
        attempt
        for attempt in pull.attempts
        if not attempt.embedded
        and (not pull.is_default(attempt.host) or _is_mirrors(attempt, pull, config, final, fetched))
    ]


def answered_as_mirror(error: str, pull: Pull) -> bool:
    """Whether the URL in an error of the registry's own host is a mirror's, none that the default endpoint is asked."""
    request = parse_request(error)
    return request is not None and bool(request.object) and _differs_from_default(request, pull)


def _is_mirrors(attempt: Attempt, pull: Pull, config: NodeConfig, final: Finding, fetched: bool) -> bool:
    """Whether an attempt at the registry's own host was at a mirror there."""
    if attempt.request is not None and _differs_from_default(attempt.request, pull):
        return True
    return _asked_again(attempt, pull) or _answered_unseen(attempt, pull, config, final, fetched)


def _differs_from_default(request: RequestUrl, pull: Pull) -> bool:
    """Whether a request has another scheme than the default endpoint's, or another repository than the image: after a
    path or a rewrite."""
    try:
        scheme = normalise_endpoint(pull.image.registry).scheme
    except EndpointError:
        return False
    return not request.url.startswith(scheme + "://") or request.repository != pull.image.repository


def _asked_again(attempt: Attempt, pull: Pull) -> bool:
    """Whether another endpoint was asked for the same after ``attempt``."""
    later = [
        other for other in pull.attempts if other.number > attempt.number and (other.sure or other.host == attempt.host)
    ]
    if not pull.by_digest:
        return bool(later)
    # For a digest the same hosts are asked a second time, for a blob: only a URL tells the one round from the other.
    return any(other.request is not None and "/manifests/" in other.request.url for other in later)


def _answered_unseen(attempt: Attempt, pull: Pull, config: NodeConfig, final: Finding, fetched: bool) -> bool:
    """Whether an endpoint answered after a 404 with no line of its own: nobody logs a success, and containerd 1.x no
    status but that one. A default endpoint that lacks an image ends the pull with that."""
    if attempt.finding.status != 404 or pull.by_digest or attempt.last:
        return False
    if not fetched:
        unlogged = "after status: " not in attempt.event.line and final.status not in (0, 404)
        error = pull.outcome.error if pull.outcome else ""
        # containerd 1.7 names the URL: a mirror's, then the 404 came after it.
        if not unlogged or not pull.is_default(final.host) or answered_as_mirror(error, pull):
            return False
    if config.known:
        return config.times_asked(pull.image.registry, attempt.host) > 1
    return attempt.sure
