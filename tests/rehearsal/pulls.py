# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a rehearsal say what pulls do? Of generated configurations, each rehearsed, and then pulled under both.

The pulls are a real containerd's. One that knows no rewrites is answered as if it had rewritten, so that they count,
and where K3s leaves the registry itself out, that one says it has nothing.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.conformance.containerd import Containerd, find
from tests.rehearsal.cases import LOGINS, Case, Maker, Plan
from tests.rehearsal.world import Town

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import PlannedHosts, read_node
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import InUse, Used
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.question import Side
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import rehearse
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.vocabulary import (
    BROKEN,
    GAINED,
    LOST,
    NOT_KNOWN,
    OTHER_PLACE,
    SAME_PLACE,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "conformance"
LEAST = 0.2
"""Of the cases: how many have to lose, to gain and to move an image, or they prove too little."""
MOST_UNKNOWN = 0.05
_SECONDS = 20.0
_FINE = (SAME_PLACE, OTHER_PLACE, GAINED)


class Pulled(NamedTuple):
    """How a pull ended: ``place`` is the URL of the manifest that it took, "" if it failed with ``error``."""

    place: str
    digest: str
    error: str


class Found(NamedTuple):
    """An image of a case: what was said, and what became of its pulls.

    :ivar replaced: whether the old login is another one. It is not tried where the new one is accepted, so it is taken
        for one that could pull there.
    """

    image: str
    said: dict[str, Any]
    before: Pulled
    after: Pulled
    replaced: bool

    @property
    def truth(self) -> str:
        if self.after.place:
            if not self.before.place:
                return GAINED
            return SAME_PLACE if self.before.place == self.after.place else OTHER_PLACE
        return LOST if self.before.place else BROKEN

    @property
    def wrong(self) -> str:
        """What was said that is not so, "" if nothing."""
        verdict = self.said["verdict"]
        if verdict == NOT_KNOWN:
            return ""
        if (verdict in _FINE) != bool(self.after.place):
            return f"{verdict}, and it " + ("pulls" if self.after.place else "does not pull")
        if self.replaced and verdict in _FINE:
            return self._wrong_place("after")
        # With a registry that did not say today whether it has the image, it is only known to be fine.
        if verdict != self.truth and (self.said["before"] or verdict not in (SAME_PLACE, OTHER_PLACE)):
            return f"{verdict}, and it is {self.truth}"
        misplaced = self._wrong_place("before") or self._wrong_place("after")
        if misplaced:
            return misplaced
        other = self.after.digest if self.after.digest not in ("", self.before.digest) else ""
        if verdict in _FINE and self.said["before"] and "@" not in self.image and self.said["digest"] != other:
            return f"its digest is {self.said['digest'] or 'as before'}, and it is {self.after.digest}"
        return ""

    def _wrong_place(self, side: str) -> str:
        place = urlsplit(self.said[side])._replace(query="").geturl()
        if place and place != getattr(self, side).place:
            return f"{side} from {place}, and it comes from {getattr(self, side).place or 'nowhere'}"
        return ""


class Pullers:
    """A containerd for each side and login: what one has pulled is nothing to the other."""

    def __init__(self, town: Town, folder: Path, stack: ExitStack) -> None:
        self._town, self._folder, self._stack = town, folder, stack
        self._program = find(CACHE)
        self._running: dict[tuple[str, str], Containerd] = {}

    def get(self, side: str, login: str) -> Containerd:
        if (side, login) not in self._running:
            folder = self._folder / f"{side}-{login}"
            folder.mkdir()
            hosts = self._town.private if LOGINS[login] else []
            table = '[plugins."io.containerd.grpc.v1.cri".registry.configs."%s".auth]\n%s'
            values = "".join(f"  {key} = {json.dumps(value)}\n" for key, value in LOGINS[login].items())
            more = "".join(table % (host, values) for host in hosts)
            made = Containerd(self._program, folder, self._town.environment, more)
            self._running[side, login] = self._stack.enter_context(made)
        return self._running[side, login]


def attempts(plan: Plan, image: str) -> Sequence[Any]:
    return resolve_image(image, normalise(plan.config), plan.default_endpoint)


def play(case: Case, maker: Maker, town: Town, pullers: Pullers) -> list[Found]:
    """One case: the registries get what they have; the images are pulled, the change is rehearsed, and they are pulled
    again with it."""
    town.world.copies = maker.stock(list(_asked(case)))
    town.world.faults = case.faults
    old, new = pullers.get("before", case.before.login), pullers.get("after", case.after.login)
    before = _pull_all(case, case.before, old, town)
    said = _rehearsed(case, town, old, before)
    asked = {entry.url for entry in town.world.take() if entry.kind == "manifests"}
    plans = (case.before, case.after)
    named = {_plain(step["url"]) for plan in plans for name in case.images for step in attempts(plan, name)}
    strange = [url for url in asked if url not in named and "/manifests/sha256:" not in url]
    if strange:
        raise AssertionError(f"seed {case.seed}: the rehearsal asked for what no configuration names: {strange}")
    after = _pull_all(case, case.after, new, town)
    replaced = bool(LOGINS[case.before.login]) and case.before.login != case.after.login
    return [Found(*row, replaced) for row in zip(case.images, said, before, after)]


def _pull_all(case: Case, plan: Plan, containerd: Containerd, town: Town) -> list[Pulled]:
    containerd.configure(hosts_toml(normalise(plan.config), plan.default_endpoint))
    if not containerd.is_fork:
        town.world.rename = town.renamer(plan.config)
        town.world.silent = frozenset(_left_out(case, plan, town))
    try:
        return [_pull(containerd, image, town) for image in case.images]
    finally:
        town.world.rename, town.world.silent = None, frozenset()


def _asked(case: Case) -> Iterable[tuple[str, str, str, str]]:
    for plan in (case.before, case.after):
        for image in case.images:
            tag = image.partition("@")[0].rpartition(":")[2]
            for step in attempts(plan, image):
                url = urlsplit(step["url"])
                yield image, url.netloc, url.path[len("/v2/") :].rpartition("/manifests/")[0], tag


def _left_out(case: Case, plan: Plan, town: Town) -> Iterable[str]:
    for image in case.images:
        if not any(step["kind"] == "default" for step in attempts(plan, image)):
            yield town.itself[parse_image(image).registry].host


def _rehearsed(case: Case, town: Town, containerd: Containerd, running: Sequence[Pulled]) -> list[dict[str, Any]]:
    before = Side(read_node(str(containerd.certs_d), str(containerd.config)))
    planned = PlannedHosts(normalise(case.after.config), case.after.default_endpoint, certs_d=str(containerd.certs_d))
    used = [
        Used(parse_image(image), tuple(filter(None, [pulled.digest])), ("pod test/app",))
        for image, pulled in zip(case.images, running)
    ]
    found = rehearse(InUse(used, []), before, Side(planned), town.environment, seconds=_SECONDS)
    by_name = {item["image"]: item for item in found.images}
    return [by_name[parse_image(image).text] for image in case.images]


def _pull(containerd: Containerd, image: str, town: Town) -> Pulled:
    error = containerd.try_to_pull(image)
    entries = [entry for entry in town.world.take() if entry.kind == "manifests" and entry.status == 200]
    if error:
        return Pulled("", "", error)
    first = entries[0].url
    parts = urlsplit(first)
    repository, _manifests, reference = parts.path[len("/v2/") :].rpartition("/manifests/")
    copy = town.world.find(parts.netloc, repository, reference)
    return Pulled(first, copy.digest if copy is not None else "", "")


def _plain(url: str) -> str:
    return urlsplit(url)._replace(query="").geturl()


def run(cases: int, first_seed: int) -> list[str]:
    """Plays the cases; returns what is not as it should be."""
    started = time.monotonic()
    problems: list[str] = []
    verdicts: Counter[str] = Counter()
    with_one: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
        town = Town(folder, stack)
        pullers = Pullers(town, folder, stack)
        print(f"{pullers.get('before', 'nobody').version}; seeds {first_seed} to {first_seed + cases - 1}", flush=True)
        for seed in range(first_seed, first_seed + cases):
            maker = Maker(seed, town)
            case = maker.case()
            found = play(case, maker, town, pullers)
            verdicts.update(item.said["verdict"] for item in found)
            with_one.update({item.truth for item in found})
            unknown.update(item.said["cause"] for item in found if item.said["verdict"] == NOT_KNOWN)
            for item in found:
                if item.wrong:
                    problems.append(f"seed {seed}: {item.image}: {item.wrong}")
                    _report(case, item)
    total = sum(verdicts.values())
    print(", ".join(f"{count} {name}" for name, count in verdicts.most_common()))
    print("not known for: " + (", ".join(f"{cause} ({count})" for cause, count in unknown.most_common()) or "nothing"))
    for name, word in ((LOST, "lose"), (GAINED, "gain"), (OTHER_PLACE, "move")):
        print(f"{with_one[name]} of {cases} configurations {word} an image")
        if with_one[name] < LEAST * cases:
            problems.append(f"only {with_one[name]} of {cases} configurations {word} an image")
    if verdicts[NOT_KNOWN] >= MOST_UNKNOWN * total:
        problems.append(f"{verdicts[NOT_KNOWN]} of {total} images are not known")
    print(f"{total} images said and pulled twice in {time.monotonic() - started:.0f} s, {len(problems)} disagreements")
    return problems


def _report(case: Case, item: Found) -> None:
    print(f"DIFFERENT: seed {case.seed}: {item.image}: {item.wrong}; faults {case.faults}")
    for side, plan, pulled in (("before", case.before, item.before), ("after", case.after, item.after)):
        print(f"  {side}, as {plan.login}:")
        print("".join(f"    {step['url']}\n" for step in attempts(plan, item.image)) or "    nobody is asked\n", end="")
        print(f"    the pull: {pulled.place or pulled.error}")
    shown = ("verdict", "before", "after", "cause", "message", "digest")
    print("  said: " + json.dumps({key: item.said[key] for key in shown}, indent=2).replace("\n", "\n  "), flush=True)
