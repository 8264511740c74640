# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's own lock: a Lease in kube-system that says which run may restart nodes.

Creating a Lease is atomic in the API, so of two runs (two AWX jobs, a person and a schedule) exactly one gets it.
It is renewed while the run lives; one whose time is up belongs to a run that died and may be taken over. A server
lengthens it for its own commit, which goes on when the controller dies.
"""

from __future__ import annotations

import json
import math
import random
import time
from typing import Any, Callable, Iterator, NamedTuple

from . import kubernetes
from .paths import NodePaths

NAME = "k3sfleet-registries-rollout"
NAMESPACE = "kube-system"
RENEWED_FOR = 60
"""Seconds from one renewal after which a run counts as gone."""

# If several parts of one run write at once (its servers that change live, its keeper), all but one meet a conflict.
_TRIES = 20
_PAUSE = 0.1
_KEEPS_CHANGING = "the Lease %s/%s keeps being changed by others" % (NAMESPACE, NAME)


TAKEN, RENEWED, TAKEN_OVER = "taken", "renewed", "taken_over"
HELD, NOT_HELD, HELD_BY_ANOTHER = "held", "not_held", "held_by_another"
RELEASED, LEFT_TO_SERVER, KEPT = "released", "left_to_server", "kept"
UNAVAILABLE, ELSEWHERE = "unavailable", "elsewhere"
"""What became of the Lease, as k3s_rollout_lease returns it."""


class LeaseUnavailable(Exception):
    """The API does not answer, or refuses Leases."""


class LeaseHeld(Exception):
    """Another run holds it; the text says who, since when, and until when.

    ``renewed`` is its last sign of life as the API gives it, ``expires_in`` the seconds until it counts as gone.
    """

    def __init__(self, text: str, renewed: str = "", expires_in: int = 0) -> None:
        super().__init__(text)
        self.renewed = renewed
        self.expires_in = expires_in


class Holder(NamedTuple):
    """``identity`` names the run (user, controller, process), ``duration`` is in seconds from each renewal."""

    identity: str
    duration: int


class Outcome(NamedTuple):
    """``lease`` is one of the names above, ``previous`` the dead run it was taken over from, ``expires_in`` the seconds
    for which a server still keeps it."""

    lease: str
    previous: str = ""
    expires_in: int = 0


def take(
    paths: NodePaths, holder: Holder, now: Callable[[], float] = time.time, shorten: bool = False, anew: bool = True
) -> Outcome:
    """Take the Lease, renew it, or take it over when its time is up.

    A renewal does not bring the end nearer unless ``shorten`` is set: while a server is in its commit it has the Lease
    for as long as that may take, and the run's own renewals go on beside it.

    Without ``anew`` it is only renewed, and left alone if it is not this run's: a renewal may be on its way while the
    run releases the Lease, and nobody would release what it takes then.

    :raises LeaseHeld: if another run holds it.
    :raises LeaseUnavailable: if the API does not answer.
    """
    for _again in _tries():
        found = _get(paths)
        spec = (found or {}).get("spec") or {}
        identity = str(spec.get("holderIdentity") or "")
        left = _left(spec, now())
        if found is not None and identity == holder.identity:
            renewed = holder if shorten else Holder(identity, max(holder.duration, left))
            if _send(paths, "replace", _manifest(renewed, _since(spec), now(), found)) == "done":
                return Outcome(RENEWED)
            continue
        if not anew:
            return Outcome(NOT_HELD)
        if identity and left:
            raise LeaseHeld(
                "the cluster is being worked on by %s, since %s (last sign of life %s, counts as gone %d s from now)"
                % (identity, spec.get("acquireTime"), spec.get("renewTime"), left),
                str(spec.get("renewTime")),
                left,
            )
        verb = "create" if found is None else "replace"
        if _send(paths, verb, _manifest(holder, now(), now(), found)) == "done":
            return Outcome(TAKEN_OVER, previous=identity) if identity else Outcome(TAKEN)
    raise LeaseUnavailable(_KEEPS_CHANGING)


def release(paths: NodePaths, holder: Holder, now: Callable[[], float] = time.time) -> Outcome:
    """Release the Lease if it is ours and no server of the run is in its commit.

    Such a server, which the run may have lost the connection to, has taken the Lease for longer than any renewal, and
    shortens it when it has ended. Until then no other run may restart a server.

    The Lease stays as an object without a holder: deleting it could hit one that another run has just taken over,
    replacing it with the version we have seen cannot.

    :raises LeaseUnavailable: if the API does not answer.
    """
    for _again in _tries():
        found = _get(paths)
        spec = (found or {}).get("spec") or {}
        if spec.get("holderIdentity") != holder.identity:
            return Outcome(NOT_HELD)
        left = _left(spec, now())
        if left > RENEWED_FOR:
            return Outcome(LEFT_TO_SERVER, expires_in=left)
        if _send(paths, "replace", _manifest(Holder("", 1), now(), now(), found)) == "done":
            return Outcome(RELEASED)
    raise LeaseUnavailable(_KEEPS_CHANGING)


def _left(spec: dict[str, Any], now: float) -> int:
    """Whole seconds, rounded up, until its holder counts as gone; 0 when it does."""
    expires = kubernetes.epoch(spec.get("renewTime")) + float(spec.get("leaseDurationSeconds") or 0)
    return max(0, math.ceil(expires - now))


def _tries() -> Iterator[int]:
    """The numbers of the tries, with a pause before each but the first, of another length in every process."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE * random.SystemRandom().random())
        yield attempt


def _get(paths: NodePaths) -> dict[str, Any] | None:
    outcome = kubernetes.kubectl(
        paths, "--namespace=" + NAMESPACE, "get", "lease", NAME, "--output=json", kubeconfig=paths.admin_kubeconfig
    )
    if outcome.ok:
        try:
            value = json.loads(outcome.out)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
        raise LeaseUnavailable("the API answers with something that is no Lease")
    if "NotFound" in outcome.err or "not found" in outcome.err:
        return None
    raise LeaseUnavailable("the API does not show the Lease %s/%s: %s" % (NAMESPACE, NAME, outcome.err.strip()))


def _send(paths: NodePaths, verb: str, manifest: dict[str, Any]) -> str:
    """``done``, or ``conflict`` when another run was faster."""
    outcome = kubernetes.kubectl(
        paths, verb, "--filename=-", kubeconfig=paths.admin_kubeconfig, stdin=json.dumps(manifest)
    )
    if outcome.ok:
        return "done"
    if any(word in outcome.err for word in ("AlreadyExists", "already exists", "Conflict", "NotFound", "modified")):
        return "conflict"
    raise LeaseUnavailable("the API does not take the Lease %s/%s: %s" % (NAMESPACE, NAME, outcome.err.strip()))


def _since(spec: dict[str, Any]) -> float:
    return kubernetes.epoch(spec.get("acquireTime")) or time.time()


def _manifest(holder: Holder, acquired: float, renewed: float, found: dict[str, Any] | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": NAME, "namespace": NAMESPACE}
    if found is not None:
        # The version we have seen: the API refuses the change when someone else was faster.
        metadata["resourceVersion"] = (found.get("metadata") or {}).get("resourceVersion")
    spec: dict[str, Any] = {
        "leaseDurationSeconds": holder.duration,
        "acquireTime": _micro_time(acquired),
        "renewTime": _micro_time(renewed),
    }
    if holder.identity:
        spec["holderIdentity"] = holder.identity
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _micro_time(moment: float) -> str:
    """Kubernetes' MicroTime: RFC 3339 with six digits."""
    whole = int(moment)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + ".%06dZ" % int((moment - whole) * 1_000_000)
