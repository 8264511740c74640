# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import dataclasses

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import Answer, Item, Source, Target
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import Trouble
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.messages import Messages
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import Place
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible

PLACE = Place("https", "mirror", "mirror/mirror", "1")
SOURCE = Source("registry", PLACE)
ITEM = Item("docker.io/mirror/mirror:1", SOURCE, Target(PLACE), "missing", "failed", "sha256:" + "a" * 64)


def test_only_sentences_are_scrubbed() -> None:
    messages = Messages([Access("mirror", username="robot", password="mirror")])
    item = dataclasses.replace(ITEM, message="no mirror for robot", note="mirror")
    answer = messages.clean(Answer([item], {"src:mirror": Trouble("mirror", "mirror", said="mirror")}, skopeo="mirror"))
    assert answer.items == [dataclasses.replace(ITEM, message="no ******** for robot", note="********")]
    assert answer.skopeo == "mirror"
    assert answer.broken == {"src:mirror": Trouble("mirror", "mirror", said="********")}


def test_every_form_of_a_secret_is_masked_in_a_sentence() -> None:
    messages = Messages([Access("r", username="u", password="p@ss/word"), Access("s", identity_token="tok/en-1")])
    pair = base64.b64encode(b"u:p@ss/word").decode()
    said = messages.text("a p@ss/word b p%40ss%2Fword c " + pair + " d tok/en-1 e tok%2Fen-1")
    assert said == "a ******** b ******** c ******** d ******** e ********"


def test_a_sentence_is_one_line_that_no_terminal_interprets_and_has_an_end() -> None:
    said = Messages([]).text("x\r\n[2/2] a/b:1 copied 1 B in 0.1 s\x1b[1A\x9b2K\u202e\u2028" + "y" * 100_000)
    assert said.isprintable()
    assert said.startswith("x\\r\\n[2/2]")
    assert len(said) <= 2000


def test_what_can_be_read_is_left_as_it_is() -> None:
    assert visible("Grüße, 日本: ok") == "Grüße, 日本: ok"
