# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the pull of one image, from what each of its attempts was answered. Pure.

containerd goes on to the next host after any failure, with three exceptions. A file of TLS settings that it cannot use
fails the pull before any host is asked, also if it is another host's. An answer of 200 ends the search, also if what
it promises turns out to be no image for the node. And a host without a URL that can be asked is left out.

Source: ``Resolve`` in containerd's ``core/remotes/docker/resolver.go`` and ``ConfigureHosts`` in its
``core/remotes/docker/config/hosts.go``.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import NodeHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Probed
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import Target, image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image

PULLS, FAILS, UNKNOWN = "pulls", "fails", "unknown"

_OF_THE_SETTINGS = ("ca_unreadable", "ca_invalid", "client_cert_unreadable", "client_key_mismatch")
# Another answer is likely a moment later, so a no to this question is no no to a pull.
_PASSING = ("timeout", "rate_limited", "server_error", "connection_reset", "token_server_unavailable", "unknown")
_ENDS_THE_SEARCH = ("not_a_registry", "platform_missing", "manifest_unsupported", "digest_mismatch", "blob_missing")
# The other hosts are asked for a blob that one does not have.
_ELSEWHERE = "blob_missing"
_SEVERAL_REWRITES = "several rewrites change its name, K3s takes any of them, and the answers differ"
_ONLY_RE2 = "a rewrite can be read only with google-re2, which the node does not have"

Answers = Callable[[Target], Probed]


class Outcome(NamedTuple):
    """``state`` is PULLS, FAILS or UNKNOWN; ``target`` is the attempt that decides and ``said`` its answer, ``reason``
    says more about an UNKNOWN that no single answer explains."""

    state: str
    target: Target | None
    said: Probed | None
    reason: str = ""

    @property
    def place(self) -> str:
        """Where the image comes from: equal for two pulls that ask for the same thing at the same place."""
        return self.target.url if self.target is not None else ""


def attempts(node: NodeHosts, image: Image) -> list[list[Target]]:
    """The hosts that containerd asks for an image, in order; each with every name under which it may ask there."""
    found: list[list[Target]] = []
    for target in image_targets(node, [image]):
        if target.host is None:
            # containerd takes the registry itself then, which follows.
            continue
        if found and found[-1][0].host is target.host:
            found[-1].append(target)
        else:
            found.append([target])
    return found


def is_decided(host: Sequence[tuple[Target, Probed]]) -> bool:
    """Whether no later host has a say, by what a host's targets were answered."""
    found = _of_host(host)
    if found.state != FAILS:
        return found.state == PULLS or any(_ends(said) for _target, said in host)
    return found.said is not None and _ends(found.said) and found.said.cause != _ELSEWHERE


def outcome(hosts: Sequence[Sequence[Target]], answers: Answers) -> Outcome:
    """What a pull that makes these attempts comes to.

    :param answers: what a target was answered.
    """
    asked = [[(target, answers(target)) for target in group] for group in hosts]
    for group in asked:
        for target, said in group:
            if said.cause in _OF_THE_SETTINGS:
                return Outcome(FAILS, target, said)
    failed: list[tuple[Target, Probed]] = []
    doubtful: Outcome | None = None
    for number, group in enumerate(asked):
        found = _of_host(group)
        if found.state == PULLS:
            return found
        if found.state == UNKNOWN:
            doubtful = doubtful or found
            if any(_ends(said) for _target, said in group):
                # Under one of its names the search ends here.
                return doubtful
        elif found.said is not None and found.target is not None:
            if _ends(found.said):
                if doubtful is not None:
                    return doubtful
                others = [_of_host(later) for later in asked[number + 1 :]] if found.said.cause == _ELSEWHERE else []
                unsure = any(_may_have_content(other) for other in others)
                return found._replace(state=UNKNOWN) if unsure else found
            failed.append((found.target, found.said))
    if doubtful is not None:
        return doubtful
    return Outcome(FAILS, *_to_blame(failed)) if failed else Outcome(UNKNOWN, None, None, "nothing is asked for it")


def _may_have_content(host: Outcome) -> bool:
    """Whether a blob that another host lacks may be there: also where the image as a whole is not."""
    if host.state != FAILS or host.said is None:
        return True
    return _ends(host.said) and host.said.cause != "not_a_registry"


def _of_host(group: Sequence[tuple[Target, Probed]]) -> Outcome:
    """One host's part: PULLS, FAILS (the next one is asked) or UNKNOWN."""
    judged = [Outcome(_state(target, said), target, said) for target, said in group]
    if any(target.note for target, _said in group):
        return judged[0]._replace(state=UNKNOWN, reason=_ONLY_RE2)
    if len({(item.state, _ends(said)) for item, (_target, said) in zip(judged, group)}) == 1:
        return judged[0]
    unsure = [item for item in judged if item.state == UNKNOWN]
    return unsure[0] if unsure else judged[0]._replace(state=UNKNOWN, reason=_SEVERAL_REWRITES)


def _state(target: Target, said: Probed) -> str:
    if said.cause == "ok":
        return PULLS
    if target.problem:
        return FAILS
    return UNKNOWN if said.held_back or said.cause in _PASSING else FAILS


def _ends(said: Probed) -> bool:
    return (said.status == 200 and said.cause in _ENDS_THE_SEARCH) or said.cause == _ELSEWHERE


def _to_blame(failed: Sequence[tuple[Target, Probed]]) -> Any:
    """The answer that explains a failed pull: a mirror's before the fallback's, which is what containerd reports."""
    mirrors = [item for item in failed if item[0].kind == "mirror"]
    others = [item for item in failed if item[0].kind != "embedded"]
    return (mirrors or others or failed)[0]
