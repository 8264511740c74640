# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which verdict an image gets, which of them stop a run, and what may be lost on purpose."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import TextHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Probed
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import Target
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal import verdict as verdicts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import BRINGS, MAY_BRING, Used
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.outcome import (
    FAILS,
    PULLS,
    UNKNOWN,
    Outcome,
    attempts,
    outcome,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.verdict import (
    Verdict,
    is_allowed,
    verdict,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image

RUNS, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
IMAGE = parse_image("quay.io/team/app:1")
OK, GONE, REFUSED, BUSY = (Probed(cause, "") for cause in ("ok", "not_found", "unauthorized", "rate_limited"))


def node(*endpoints: str, default_endpoint: bool = True, **mirror: Any) -> TextHosts:
    config = normalise({"mirrors": {"quay.io": {"endpoint": list(endpoints), **mirror}}})
    return TextHosts(hosts_toml(config, default_endpoint), {})


def result(*answers: Probed, hosts: TextHosts | None = None) -> Outcome:
    """What becomes of a pull whose attempts are answered so, in order."""
    made = hosts or node(*("https://m%d" % number for number in range(1, len(answers))))
    asked = attempts(made, IMAGE)
    targets = [target for group in asked for target in group]
    assert len(targets) == len(answers)
    return outcome(asked, _by(targets, answers))


def _by(targets: list[Target], answers: tuple[Probed, ...]) -> Any:
    return lambda target: answers[next(n for n, item in enumerate(targets) if item is target)]


def judged(before: Outcome, after: Outcome, allow: tuple[str, ...] = (), **used: Any) -> Verdict:
    return verdict(Used(IMAGE, **used), before, after, allow)


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        (OK, OK, verdicts.SAME_PLACE),
        (GONE, OK, verdicts.GAINED),
        (OK, GONE, verdicts.LOST),
        (GONE, REFUSED, verdicts.BROKEN),
        (OK, BUSY, verdicts.NOT_KNOWN),
        (GONE, BUSY, verdicts.NOT_KNOWN),
        (BUSY, GONE, verdicts.NOT_KNOWN),
        (BUSY, OK, verdicts.SAME_PLACE),
    ],
)
def test_the_verdicts(before: Probed, after: Probed, name: str) -> None:
    found = judged(result(before), result(after))
    assert found.name == name
    assert found.stops is (name == verdicts.LOST)


def test_another_place() -> None:
    assert judged(result(OK), result(OK, OK)).name == verdicts.OTHER_PLACE
    # A mirror that lacks it leaves it where it was.
    assert judged(result(OK), result(GONE, OK)).name == verdicts.SAME_PLACE


@pytest.mark.parametrize("answer", [GONE, BUSY])
def test_what_is_on_the_node_needs_no_registry(answer: Probed) -> None:
    found = judged(result(OK), result(answer), kept=True)
    assert (found.name, found.stops) == (verdicts.ON_THE_NODE, False)
    assert judged(result(OK), result(OK), kept=True).name == verdicts.SAME_PLACE


def test_pods_with_credentials_of_their_own_get_no_verdict() -> None:
    for after in (OK, REFUSED, GONE):
        assert judged(result(OK), result(after), credentials=BRINGS).name == verdicts.OWN_CREDENTIALS


def test_without_the_pods_a_refusal_is_no_loss_but_a_missing_image_is() -> None:
    found = judged(result(OK), result(REFUSED), credentials=MAY_BRING)
    assert found.name == verdicts.NOT_KNOWN
    assert found.reason
    assert judged(result(OK), result(GONE), credentials=MAY_BRING).name == verdicts.LOST
    # What only a provider's credentials open is not broken because the node's own do not.
    assert judged(result(REFUSED), result(REFUSED), credentials=MAY_BRING).name == verdicts.NOT_KNOWN
    assert judged(result(REFUSED), result(REFUSED)).name == verdicts.BROKEN


def test_a_digest_is_told_if_a_tag_gives_another_one() -> None:
    for digest, told in ((RUNS, ""), (OTHER, OTHER), ("", "")):
        new = result(OK._replace(digest=digest))
        assert judged(result(OK), new, digests=(RUNS,)).digest == told
    assert judged(result(OK), result(OK._replace(digest=OTHER))).digest == ""


@pytest.mark.parametrize("cause", ["ca_unreadable", "ca_invalid", "client_cert_unreadable", "client_key_mismatch"])
def test_a_file_of_another_host_fails_the_pull(cause: str) -> None:
    found = result(OK, Probed(cause, ""))
    assert (found.state, found.said and found.said.cause) == (FAILS, cause)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Probed("not_a_registry", "", 200), FAILS),
        (Probed("platform_missing", "", 200), FAILS),
        (Probed("not_a_registry", "", 404), PULLS),
        (Probed("blob_missing", "", 404), UNKNOWN),
        (Probed("not_found", "", 404), PULLS),
        (Probed("unauthorized", "", 401), PULLS),
        (Probed("tls_expired", ""), PULLS),
        (BUSY, PULLS),
    ],
)
def test_an_answer_of_200_ends_the_search_and_every_other_goes_on(answer: Probed, state: str) -> None:
    assert result(answer, OK).state == state


def test_after_a_doubt_the_end_of_the_search_is_one_too() -> None:
    found = result(BUSY, Probed("not_a_registry", "", 200), OK)
    assert (found.state, found.said) == (UNKNOWN, BUSY)


def test_a_mirrors_answer_explains_a_failure_before_the_fallbacks() -> None:
    found = result(GONE, Probed("tls_expired", ""))
    assert found.target is not None
    assert found.target.host is not None
    assert (found.target.host.host, found.said) == ("m1", GONE)


def test_credentials_that_are_held_back_leave_a_doubt() -> None:
    assert result(REFUSED._replace(held_back="containerd will send it to others")).state == UNKNOWN


def test_several_rewrites_are_a_doubt_only_where_they_matter() -> None:
    hosts = node("https://m1", default_endpoint=False, rewrite={"^team/": "one/", "^team": "two"})
    assert result(OK, OK, hosts=hosts).state == PULLS
    assert result(GONE, REFUSED, hosts=hosts).state == FAILS
    found = result(OK, GONE, hosts=hosts)
    assert (found.state, bool(found.reason)) == (UNKNOWN, True)
    behind = node("https://m1", rewrite={"^team/": "one/", "^team": "two"})
    assert result(OK, GONE, OK, hosts=behind).state == PULLS
    assert result(Probed("not_a_registry", "", 200), GONE, OK, hosts=behind).state == UNKNOWN


def test_an_endpoint_that_has_no_url_is_left_out() -> None:
    found = result(Probed("unknown", "no URL"), OK, hosts=node("https://:5000"))
    assert found.state == PULLS


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("quay.io/team/app:1", True),
        ("quay.io/team/app", True),
        ("quay.io/team/*", True),
        ("*/app:?", True),
        ("quay.io/team/app:2", False),
        ("quay.io/team", False),
        ("team/app:1", False),
        ("docker.io/*", False),
        ("", False),
    ],
)
def test_what_may_be_lost(pattern: str, allowed: bool) -> None:
    assert is_allowed(IMAGE, ["other", pattern]) is allowed
    found = judged(result(OK), result(GONE), (pattern,))
    assert (found.name, found.allowed, found.stops) == (verdicts.LOST, allowed, not allowed)


def test_short_names_are_docker_hubs() -> None:
    nginx = parse_image("nginx:1.25")
    assert is_allowed(nginx, ["nginx:1.25"])
    assert is_allowed(nginx, ["nginx"])
    assert not is_allowed(nginx, ["nginx:1.24"])
