# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What controller and node say to each other arrives as it was said."""

from __future__ import annotations

import json

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import (
    Answer,
    Item,
    Request,
    Source,
    Target,
    decoded,
    encoded,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure, Trouble
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import Place

PLACE = Place("https", "r.example.com:5000", "a/b", "1")
ITEMS = [
    Item(
        "docker.io/a/b:1",
        Source("registry", PLACE),
        Target(PLACE),
        "missing",
        "copied",
        "sha256:1",
        bytes=0,
        seconds=0.0,
    ),
    Item("docker.io/c:1", Source("archive", path="/x.tar", name="c", config="sha256:2"), Target(layout="/srv/x")),
    Item("docker.io/d:1", Source("layout", path="/l", digest="sha256:3", media_type="x"), is_part=True, note="words"),
]
BROKEN = {"dest:r.example.com:5000": Trouble("unauthorized", "r.example.com:5000", seen="this", said="that")}


def test_a_request_and_its_answer_arrive_as_they_were_sent() -> None:
    access = {"dest:r.example.com:5000": Access("r.example.com:5000", "http", "robot", "hunter2", insecure=True)}
    request = Request("copy", "token", ITEMS, access, BROKEN, ["linux/amd64"], retries=0, timeout=1.5, export="/srv/x")
    assert decoded(Request, json.loads(json.dumps(encoded(request)))) == request
    answer = Answer(ITEMS, BROKEN, ["nginx:1\n"], skopeo="1.9", skopeo_needed=True, unfinished=True)
    assert decoded(Answer, json.loads(json.dumps(encoded(answer)))) == answer
    assert decoded(Answer, json.loads(json.dumps(encoded(Answer())))) == Answer()


def test_what_the_other_side_says_beyond_that_is_left_out() -> None:
    assert decoded(Answer, {"items": [{"image": "a", "source": {"kind": "registry"}, "evil": 1}], "more": 2}).items == [
        Item("a", Source("registry"))
    ]


def test_a_failure_that_travels_fails_the_next_image_in_the_same_words() -> None:
    problem = RegistryFailure("read_only", "r", "seen", "said", "advice", side="dest")
    again = RegistryFailure(*decoded(Answer, encoded(Answer(broken={"dest:r": problem.trouble}))).broken["dest:r"])
    assert (again.cause, again.whole, str(again)) == ("read_only", True, str(problem))
