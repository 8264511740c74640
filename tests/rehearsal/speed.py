# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a rehearsal of many images takes: as many requests at a time as each registry gets from one node, all
registries at once, one deadline, and none while a registry wants to be left alone.

The rehearsal is a process of its own, as on a node; the registries are servers of this one.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any, Callable, NamedTuple
from urllib.parse import urlsplit

from tests.conftest import CHECKOUT
from tests.registry_faults import servers
from tests.registry_faults.servers import HttpServer, RawServer, Reply
from tests.rehearsal.distant import Distant, Ledger

IMAGES, ENDPOINTS, DISTANCE = 400, 5, 0.02
AT_ONCE = 8
_SAMPLE = 100


def rehearsed(images: list[str], before: Any, after: Any, seconds: float = 60.0) -> tuple[dict[str, Any], float]:
    """What a process says of a change, and the seconds that it took after its start."""
    told = {"images": images, "before": before, "after": after, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-m", "tests.rehearsal.one_node"],
        input=json.dumps(told).encode(), cwd=CHECKOUT, capture_output=True, check=True, timeout=300,
        env={**os.environ, "SSL_CERT_FILE": os.devnull},
    )  # fmt: skip
    answer = json.loads(done.stdout)
    return answer["rehearsal"], answer["seconds"]


def _config(urls: list[str]) -> dict[str, Any]:
    """A registry for each endpoint, with that as its mirror."""
    return {"mirrors": {f"r{number}.test": {"endpoint": [url]} for number, url in enumerate(urls)}}


def _names(count: int, registries: int) -> list[str]:
    return [f"r{number % registries}.test/team/app{number}:1" for number in range(count)]


def _url(server: Any) -> str:
    return f"http://127.0.0.1:{server.port}"


class ManyImages(NamedTuple):
    """What a rehearsal of 400 images, each asked for at two of five endpoints, has said and taken.

    :ivar one_by_one: the seconds for one endpoint's requests, one after the other, on this machine as busy as it is.
    """

    found: dict[str, Any]
    seconds: float
    one_by_one: float
    ledger: Ledger
    endpoints: list[str]


def rehearse_many_images() -> ManyImages:
    with ExitStack() as stack:
        ledger = Ledger()

        def keyed(name: str) -> Callable[[Any], tuple[str, ...]]:
            return lambda _request: (name,)

        names = [f"endpoint {number}" for number in range(ENDPOINTS)]
        apps = [Distant(ledger, DISTANCE, keyed(name)) for name in names]
        urls = [_url(stack.enter_context(HttpServer(app))) for app in apps]
        found, seconds = rehearsed(_names(IMAGES, ENDPOINTS), _config(urls), _config(urls[1:] + urls[:1]))
        requests = min(ledger.total[name] for name in names)
        one_by_one = requests * _one_request(urls[0])
    return ManyImages(found, seconds, one_by_one, ledger, names)


def many_images() -> list[str]:
    """As many requests at once as each endpoint gets from one node, and all endpoints at once."""
    problems = []
    found, seconds, one_by_one, ledger, names = rehearse_many_images()
    most = [ledger.most[name] for name in names]
    print(
        f"{IMAGES} images at {ENDPOINTS} endpoints, {DISTANCE * 1000:.0f} ms away: {seconds:.1f} s for"
        f" {ledger.total['']} requests, {ledger.most['']} at once, of one endpoint {max(most)};"
        f" one endpoint's alone, one after the other: {one_by_one:.1f} s"
    )
    if found["counts"]["other_place"] != IMAGES:
        problems.append(f"not all images move: {found['counts']}")
    if max(most) > AT_ONCE:
        problems.append(f"one endpoint got {max(most)} requests at once")
    if min(most) < AT_ONCE - 2:
        problems.append(f"one endpoint got no more than {min(most)} requests at once")
    if ledger.most[""] <= 2 * AT_ONCE:
        problems.append(f"all endpoints together got no more than {ledger.most['']} requests at once")
    # Five endpoints in less time than one takes: a busy machine has that too, which 10 s would not be.
    if seconds > one_by_one:
        problems.append(f"it took {seconds:.1f} s, of the {one_by_one:.1f} s for one endpoint one after the other")
    return problems


def _one_request(url: str) -> float:
    """Seconds for one of many requests one after the other."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    with contextlib.closing(connection):
        began = time.monotonic()
        for _number in range(_SAMPLE):
            connection.request("HEAD", "/v2/team/app/manifests/1")
            connection.getresponse().read()
        return (time.monotonic() - began) / _SAMPLE


class Busy:
    """Answers 429 from its ``first`` request on, for ``seconds``, and says so; notes who has asked meanwhile."""

    def __init__(self, first: int, seconds: float, header: str) -> None:
        self.first, self.seconds, self.header = first, seconds, header
        self.asked = 0
        self.refused: list[float] = []

    def __call__(self) -> Reply | None:
        self.asked += 1
        now = time.monotonic()
        if self.asked <= self.first or (self.refused and now > self.refused[0] + self.seconds):
            return None
        self.refused.append(now)
        return Reply(429, {"Retry-After": self.header})


def left_alone() -> list[str]:
    """A registry that is busy for a moment is asked again afterwards, one that is for an hour is not, and neither
    holds the others up."""
    problems = []
    count = 120
    with ExitStack() as stack:
        busy = Busy(40, 2.0, "2"), Busy(40, 3600.0, "3600")
        apps = [Distant(Ledger(), DISTANCE, lambda _request: (), refuses) for refuses in (*busy, lambda: None)]
        old = _url(stack.enter_context(HttpServer(Distant(Ledger(), 0.0, lambda _request: ()))))
        urls = [_url(stack.enter_context(HttpServer(app))) for app in apps]
        found, seconds = rehearsed(_names(count, 3), _config([old] * 3), _config(urls))
    moment, hour = busy
    by_registry = [[item for item in found["images"] if item["image"].startswith(f"r{n}.test/")] for n in range(3)]
    verdicts = [{item["verdict"] for item in items} for items in by_registry]
    print(
        f"429 for 2 s: {len(moment.refused)} requests refused, {moment.asked} made; 429 for an hour:"
        f" {len(hour.refused)} refused; {seconds:.1f} s"
    )
    if verdicts[0] != {"other_place"} or verdicts[2] != {"other_place"}:
        problems.append(f"a busy moment, and another registry, change what is said: {verdicts}")
    if not by_registry[1] or verdicts[1] != {"other_place", "not_known"}:
        problems.append(f"of a registry that is busy for an hour is said: {verdicts[1]}")
    for one in busy:
        if not 0 < len(one.refused) <= AT_ONCE:
            problems.append(f"a registry that answers 429 got {len(one.refused)} more requests")
    if hour.asked > hour.first + AT_ONCE:
        problems.append(f"a registry that is busy for an hour got {hour.asked - hour.first} requests more")
    if seconds > 30:
        problems.append(f"a registry that is busy for an hour held the rehearsal for {seconds:.0f} s")
    return problems


def one_deadline() -> list[str]:
    """Mute registries end a rehearsal when its time is over, however many images there are."""
    seconds = 3.0
    with ExitStack() as stack:
        old = _url(stack.enter_context(HttpServer(Distant(Ledger(), 0.0, lambda _request: ()))))
        mute = [_url(stack.enter_context(RawServer(servers.silent))) for _number in range(ENDPOINTS)]
        found, took = rehearsed(_names(IMAGES, ENDPOINTS), _config([old] * ENDPOINTS), _config(mute), seconds)
    print(f"{IMAGES} images at mute endpoints, {seconds:.0f} s given: {took:.1f} s")
    problems = []
    if found["counts"]["not_known"] != IMAGES:
        problems.append(f"of mute registries is said: {found['counts']}")
    # One image's worth of the deadline on top would be too much; a busy machine is not.
    if took > seconds * 5:
        problems.append(f"{seconds:.0f} s were given, and it took {took:.1f} s")
    return problems


def run() -> list[str]:
    """Returns what is not as it should be."""
    return [*many_images(), *left_alone(), *one_deadline()]
