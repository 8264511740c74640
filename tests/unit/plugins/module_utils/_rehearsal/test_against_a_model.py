# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal says of generated configurations and registries is what a model of K3s and containerd does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import TextHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Probed
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import Target
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal import verdict as verdicts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import Used
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.outcome import (
    FAILS,
    PULLS,
    UNKNOWN,
    Outcome,
    attempts,
    outcome,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.verdict import verdict
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image
from hypothesis import given
from hypothesis import strategies as st
from worlds import PASSING, REGISTRIES, REPOSITORIES, Pull, World, configuration, pull

CAUSES = {
    "missing": ("not_found", 404),
    "unauthorized": ("unauthorized", 401),
    "forbidden": ("forbidden", 403),
    "expired": ("tls_expired", None),
    "refused": ("connection_refused", None),
    "page": ("not_a_registry", 200),
    "silent": ("timeout", None),
    "busy": ("rate_limited", 429),
    "broken": ("server_error", 503),
}


class Side(NamedTuple):
    config: dict[str, Any]
    default_endpoint: bool


class Case(NamedTuple):
    world: World
    before: Side
    after: Side
    registry: str
    repository: str


def cases(seed: int) -> Iterator[Case]:
    """One world with a change of its configuration, and all images in it."""
    dice = random.Random(seed)
    world = World(dice)
    before, after = (Side(configuration(dice), dice.random() < 0.7) for _number in range(2))
    for registry in REGISTRIES:
        for repository in REPOSITORIES:
            yield Case(world, before, after, registry, repository)


def rehearsed(case: Case, side: Side) -> Outcome:
    config = normalise(side.config)
    node = TextHosts(hosts_toml(config, side.default_endpoint), auth_tables(config))

    def answer(target: Target) -> Probed:
        assert target.host is not None
        credentials = node.credentials(target.host.host)
        said = case.world.reply(target.url, credentials.username if credentials else None)
        if said.digest:
            return Probed("ok", "", 200, digest=said.digest)
        cause, status = CAUSES[said.fault]
        return Probed(cause, "", status)

    return outcome(attempts(node, parse_image("%s/%s:1" % (case.registry, case.repository))), answer)


def modelled(case: Case, side: Side) -> Pull:
    return pull(side.config, side.default_endpoint, case.world, case.registry, case.repository)


def check(case: Case, said: Outcome, real: Pull) -> None:
    if said.state == PULLS:
        assert ("", "") not in real.ends, case
        assert (said.place, said.said and said.said.digest) in real.ends, case
    elif said.state == FAILS:
        assert (real.url, real.unsure) == ("", False), case
    else:
        assert said.state == UNKNOWN
        assert real.unsure, case


@given(st.integers(min_value=0, max_value=1 << 40))
def test_every_pull_ends_as_it_is_said(seed: int) -> None:
    for case in cases(seed):
        for side in (case.before, case.after):
            check(case, rehearsed(case, side), modelled(case, side))


def test_every_verdict_is_what_happens_and_all_of_them_occur() -> None:
    counted: Counter[str] = Counter()
    for seed in range(40):
        for case in cases(seed):
            before, after = modelled(case, case.before), modelled(case, case.after)
            used = Used(parse_image("%s/%s:1" % (case.registry, case.repository)), (before.digest,))
            found = verdict(used, rehearsed(case, case.before), rehearsed(case, case.after))
            counted[found.name] += 1
            if found.name == verdicts.NOT_KNOWN:
                assert before.unsure or after.unsure
                continue
            wanted = {
                verdicts.LOST: before.url != "" and after.url == "",
                verdicts.GAINED: before.url == "" and after.url != "",
                verdicts.BROKEN: before.url == after.url == "",
                verdicts.SAME_PLACE: before.url == after.url != "" or (before.unsure and after.url != ""),
                verdicts.OTHER_PLACE: "" != after.url != before.url,
            }
            assert wanted[found.name], (case, found)
            if after.url and before.url:
                assert found.digest == ("" if after.digest == before.digest else after.digest)
    for name in (verdicts.LOST, verdicts.GAINED, verdicts.BROKEN, verdicts.SAME_PLACE, verdicts.OTHER_PLACE):
        assert counted[name] >= 20, counted


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_be_otherwise_in_a_moment_is_no_loss(fault: str) -> None:
    world = World(random.Random(1))
    world.faults = dict.fromkeys(world.faults, fault)
    for case in cases(1):
        found = rehearsed(case._replace(world=world), case.before)
        assert found.state == UNKNOWN
