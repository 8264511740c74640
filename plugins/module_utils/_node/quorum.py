# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the cluster can do without one server for the time of a restart: a pure decision over what was seen.

etcd goes on while a majority of its voting members is there, so a restart has to leave one, each member of it just
seen well. The API goes on while one server serves it.
"""

from __future__ import annotations

from typing import Collection, NamedTuple


class Server(NamedTuple):
    """Another server of the cluster. ``etcd`` and ``api`` say what is wrong with them; "" if they are well, and
    if it has none.

    ``member`` is its member's name in etcd, "" if it is none; ``voter`` is False for a learner too.
    ``serves`` is False for an etcd-only server, which has no API.
    """

    name: str
    member: str = ""
    voter: bool = False
    etcd: str = ""
    api: str = ""
    serves: bool = True


class Own(NamedTuple):
    """The server that is to be restarted, and what a restart takes away: a vote, an API that is ready.

    ``votes``: it is a voting member, and its etcd is there, whatever becomes of the rest of K3s. A server that hangs
    on its registries.yaml has none: K3s starts it later.
    """

    name: str
    votes: bool
    api: bool


class View(NamedTuple):
    """What one look has shown. ``voters`` counts etcd's voting members, this one included; 0 without embedded etcd.

    ``problem``: why the others are not known, "" when they are.
    """

    own: Own
    servers: tuple[Server, ...]
    voters: int
    problem: str = ""


class Decision(NamedTuple):
    """``go``, or what to wait for; ``warnings`` are for the operator to read before the restart."""

    go: bool
    waiting_for: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def decide(view: View, hanging: Collection[str] = (), last: bool = False) -> Decision:
    """Decide over one look.

    Every server is waited for. When the time for that is over, ``last``, those that are still away do not stop the
    restart if there is a majority without them.

    :param hanging: members whose server hangs on the registries.yaml that this run is about to replace. Their API
        cannot come back before that, so it is no reason to wait.
    """
    own = view.own
    if not own.votes and not own.api:
        return Decision(True)
    if view.problem:
        return Decision(False, (view.problem,))
    away = [(server, wrong) for server in view.servers for wrong in [_wrong(server, own.api, hanging)] if wrong]
    named = tuple("%s (%s)" % (server.name, wrong) for server, wrong in away)
    well = [server for server in view.servers if all(server is not other for other, _wrong_with_it in away)]
    enough = _majority(view, well) and _api(view, well, hanging)
    if not enough or (away and not last):
        return Decision(False, named)
    return Decision(True, (), _warnings(view, well, named))


def _wrong(server: Server, api_counts: bool, hanging: Collection[str]) -> str:
    """What keeps this server from counting as well. A restart that takes no API away asks for etcd only."""
    if server.etcd or not api_counts or not server.serves or server.member in hanging:
        return server.etcd
    return server.api


def _majority(view: View, well: Collection[Server]) -> bool:
    voters = sum(1 for server in well if server.voter)
    if view.own.votes and view.voters <= 2:
        # No majority to spare: with this one away etcd stands still for a moment, and must not do so for longer.
        return voters == view.voters - 1
    return not view.voters or voters > view.voters // 2


def _api(view: View, well: Collection[Server], hanging: Collection[str]) -> bool:
    """Whether an API is left, unless there never was another one, or all others hang on what this run replaces."""
    others = [server for server in view.servers if server.serves and server.member not in hanging]
    return not view.own.api or not others or any(server in well for server in others)


def _warnings(view: View, well: Collection[Server], away: tuple[str, ...]) -> tuple[str, ...]:
    own = view.own
    warnings = []
    if own.votes and view.voters <= 2:
        warnings.append(
            "the API is away while %s restarts: etcd has %s, and stands still without it"
            % (own.name, "no other voting member" if view.voters == 1 else "one other voting member")
        )
    elif own.api and not any(server.serves and not server.api for server in well):
        warnings.append("the API is away while %s restarts: no other server serves it" % own.name)
    if away:
        warnings.append("%s is restarted although not every server answers: %s" % (own.name, "; ".join(away)))
    return tuple(warnings)
