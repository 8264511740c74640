# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Providers started as the kubelet does: what each kind of failure is called, and that nothing secret comes out."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import check, programs
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.answer import Credential
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import (
    Provider,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.start import start
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

IMAGE = "registry.example.com/team/app"
PASSWORD = "pass-word-canary-1"
GOOD = json.dumps(
    {
        "kind": "CredentialProviderResponse",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "cacheKeyType": "Registry",
        "auth": {"registry.example.com": {"username": "robot", "password": PASSWORD}},
    }
)
ENVIRONMENT = {"PATH": os.environ["PATH"], "OF_K3S": "here"}


class Registry:
    """Notes what it is asked with."""

    def __init__(self, cause: str = "ok") -> None:
        self.cause = cause
        self.asked: list[tuple[str, Credential]] = []

    def __call__(self, image: str, credential: Credential) -> dict[str, Any]:
        self.asked.append((image, credential))
        said = "it says %s and %s" % (credential.password, self.cause)
        return {"cause": self.cause, "message": said, "fix": "", "findings": ["and %s too" % credential.password]}


def checked(paths: NodePaths, script: str, registry: Registry | None = None, **change: Any) -> dict[str, Any]:
    content = ("#!/bin/sh\n" + script).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    programs.keep(paths.provider_bin_dir, sha256, io.BytesIO(content))
    provider = Provider("own", sha256, ("registry.example.com",), "5m", env=(("KEY", "canary-of-env"),))
    provider = provider._replace(**change)
    programs.place(paths.provider_bin_dir, [provider])
    (found,) = check.check(paths, [provider], [IMAGE], ENVIRONMENT, registry or Registry(), timeout=1.0)
    assert "canary" not in json.dumps(found)
    return found


def test_a_good_provider_and_its_registry(paths: NodePaths) -> None:
    registry = Registry()
    found = checked(paths, "cat >/dev/null; echo '%s'" % GOOD, registry)
    assert (found["name"], found["image"], found["cause"], found["cached_for"]) == ("own", IMAGE, "ok", 300.0)
    assert 0 < found["seconds"] < 1
    assert registry.asked == [(IMAGE, Credential("robot", PASSWORD, 300.0, "Registry"))]


def test_it_is_asked_as_the_kubelet_asks(paths: NodePaths, tmp_path: Path) -> None:
    script = 'cat >%s/asked; echo "$OF_K3S $KEY $*" >%s/got; pwd >>%s/got; env | grep -c ANSIBLE_ >>%s/got\n'
    checked(paths, script.replace("%s", str(tmp_path)) + "echo '%s'" % GOOD, args=("get", "it"))
    assert json.loads((tmp_path / "asked").read_text())["image"] == IMAGE
    assert (tmp_path / "got").read_text() == "here canary-of-env get it\n/\n0\n"


@pytest.mark.parametrize(
    ("script", "cause", "words"),
    [
        ("sleep 60", "provider_timeout", "not answered within 1 s"),
        ("exec >&- 2>&-; sleep 60", "provider_timeout", "not ended within 1 s"),
        ("exit 3", "provider_failed", "it ended with status 3"),
        ("echo no role here >&2; exit 1", "provider_failed", "it ended with status 1: no role here"),
        ("echo password=canary-of-a-user >&2; exit 1", "provider_failed", "it ended with status 1: "),
        ("echo $KEY >&2; exit 1", "provider_failed", "it ended with status 1: "),
        ("kill -9 $$", "provider_failed", "signal 9"),
        ("echo rubbish canary", "provider_answer", "no JSON object"),
        ("exit 0", "provider_answer", "wrote nothing"),
        ("yes canary", "provider_answer", "more than 1 MiB"),
        ("echo '%s'" % GOOD.replace("kubelet.k8s.io/v1", "kubelet.k8s.io/v1beta1"), "provider_answer", "v1beta1"),
        ("echo '%s'" % GOOD.replace("registry.example.com", "other.example.com"), "provider_empty", "none matches"),
    ],
)
def test_a_failing_provider_is_named(paths: NodePaths, script: str, cause: str, words: str) -> None:
    registry = Registry()
    began = time.monotonic()
    found = checked(paths, script, registry)
    assert (found["cause"], words in found["message"]) == (cause, True), found
    assert found["fix"]
    assert registry.asked == []
    assert time.monotonic() - began < 10


def test_a_long_word_that_it_prints_is_not_shown(paths: NodePaths) -> None:
    found = checked(paths, "echo token QUtJQTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MA== >&2; exit 1")
    assert found["message"] == "it ended with status 1: token ********"


def test_several_that_hang_take_no_longer_than_one(paths: NodePaths) -> None:
    content = b"#!/bin/sh\nsleep 60\n"
    sha256 = hashlib.sha256(content).hexdigest()
    programs.keep(paths.provider_bin_dir, sha256, io.BytesIO(content))
    wanted = [Provider("own-%d" % number, sha256, ("registry.example.com",)) for number in range(4)]
    programs.place(paths.provider_bin_dir, wanted)
    began = time.monotonic()
    found = check.check(paths, wanted, [], ENVIRONMENT, Registry(), timeout=1.0)
    assert [(item["name"], item["cause"]) for item in found] == [(item.name, "provider_timeout") for item in wanted]
    assert time.monotonic() - began < 3


def test_what_it_has_started_ends_with_it(paths: NodePaths, tmp_path: Path) -> None:
    found = checked(paths, "sleep 60 & echo $! >%s/pid; wait" % tmp_path)
    assert found["cause"] == "provider_timeout"
    pid = int((tmp_path / "pid").read_text())
    state = ""
    for _try in range(50):
        try:
            state = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0]
        except OSError:
            break
        if state == "Z":
            break
        time.sleep(0.1)
    assert not os.path.exists("/proc/%d" % pid) or state == "Z"


def test_a_large_question_does_not_hang_with_a_large_answer() -> None:
    found = start(["/bin/cat"], b"x" * (1 << 20), ENVIRONMENT, 2 << 20, 5.0)
    assert (found.problem, len(found.out)) == ("", 1 << 20)
    assert start(["/bin/true"], b"x" * (1 << 20), ENVIRONMENT, 1, 5.0).problem == ""


def test_a_program_that_is_not_there_or_for_another_machine(paths: NodePaths) -> None:
    provider = Provider("own", "0" * 64, ("registry.example.com",))
    (found,) = check.check(paths, [provider], [], ENVIRONMENT, Registry())
    assert (found["cause"], found["message"]) == ("provider_not_started", "it is not on the node")
    assert start(["/nowhere/own"], b"", {}, 1).cause == "provider_not_started"
    foreign = b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x16\x00" + bytes(40)
    sha256 = hashlib.sha256(foreign).hexdigest()
    programs.keep(paths.provider_bin_dir, sha256, io.BytesIO(foreign))
    (found,) = check.check(paths, [provider._replace(sha256=sha256)], [], ENVIRONMENT, Registry())
    assert (found["cause"], "it is a program for s390x" in found["message"]) == ("provider_not_started", True)


def test_what_the_registry_says_is_what_counts_in_the_end(paths: NodePaths) -> None:
    found = checked(paths, "echo '%s'" % GOOD, Registry("unauthorized"))
    assert (found["cause"], found["message"]) == ("unauthorized", "it says ******** and unauthorized")
    assert found["findings"] == ["and ******** too"]


@pytest.mark.parametrize(
    ("patterns", "images", "image"),
    [
        (["registry.example.com"], [], "registry.example.com/image"),
        (["registry.example.com/team/"], [], "registry.example.com/team"),
        (["registry.example.com"], [IMAGE], IMAGE),
        (["*.example.com"], ["docker.io/library/busybox", IMAGE], IMAGE),
        (["*.example.com"], [], ""),
        (["*.example.com", "plain:5000"], [], "plain:5000/image"),
    ],
)
def test_the_image_that_it_is_asked_for(patterns: list[str], images: list[str], image: str) -> None:
    assert check.image_for(Provider("own", "", tuple(patterns)), images) == image


def test_whose_answer_counts_for_a_registry_and_an_image() -> None:
    wanted = [
        Provider("team", "", ("registry.example.com/team",)),
        Provider("clouds", "", ("*.cloud.example.com",)),
        Provider("silent", "", ("silent.example.com",)),
    ]
    images = ["eu.cloud.example.com/app", "us.cloud.example.com/app"]
    answers = {
        "registry.example.com/team": Credential("one", PASSWORD, 0.0, "Registry"),
        "eu.cloud.example.com/app": Credential("two", PASSWORD, 0.0, "Registry"),
    }
    given = check.given(wanted, images, answers)
    assert given("registry.example.com", "") == ("one", PASSWORD)
    assert given("registry.example.com", "registry.example.com/team/app") == ("one", PASSWORD)
    assert given("registry.example.com", "registry.example.com/other/app") is None
    assert given("eu.cloud.example.com", "") == ("two", PASSWORD)
    # It was not asked for this registry, and could give something else there.
    assert given("us.cloud.example.com", "") is None
    assert given("us.cloud.example.com", "us.cloud.example.com/app") is None
    assert given("silent.example.com", "") is None


def test_one_that_cannot_be_asked(paths: NodePaths) -> None:
    wild = Provider("own", "0" * 64, ("*.example.com",))
    tokens = Provider("own", "0" * 64, ("registry.example.com",), token_attributes={})
    for provider in (wild, tokens):
        (found,) = check.check(paths, [provider], [], ENVIRONMENT, Registry())
        assert found["cause"] == "not_asked"
