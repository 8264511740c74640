# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kubelet says about its providers, and the pulls that it explains."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.kubelet_log import (
    explained,
    heard,
    own_file,
    refusal,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider
from hypothesis import given
from hypothesis import strategies as st

IMAGE = "registry.example.com:5000/team/app"
PROVIDERS = [Provider("own", "", ("registry.example.com:5000",), env=(("KEY", "pass-word-canary"),))]
HEAD = "E1126 16:00:00.123456    1234 plugin.go:423] "
FAILED = HEAD + "Failed getting credential from external registry credential provider: "
EXEC = FAILED + "error execing credential provider plugin own for image %s: " % IMAGE


def pull(image: str = IMAGE + ":1", cause: str = "unauthorized") -> dict[str, Any]:
    return {"image": image, "cause": cause, "endpoint": "x", "message": "m", "fix": "f", "evidence": ["containerd"]}


@pytest.mark.parametrize(
    ("line", "cause", "words"),
    [
        (EXEC + "exit status 1: no EC2 role", "provider_failed", "(exit status 1: no EC2 role)"),
        (EXEC + "context deadline exceeded: ", "provider_timeout", "within a minute"),
        (EXEC + "fork/exec /var/lib/x/own: exec format error: ", "provider_not_started", "exec format error"),
        (EXEC + "fork/exec /var/lib/x/own: no such file or directory: ", "provider_not_started", "cannot start"),
        (EXEC + "signal: killed: ", "provider_failed", "own fails"),
        (FAILED + "error decoding credential provider plugin response from stdout", "provider_answer", "own answers"),
        (FAILED + "error reading GVK from response: couldn't get version/kind", "provider_answer", "GVK"),
        (
            FAILED + "apiVersion from credential plugin response did not match expected apiVersion:a, actual b",
            "provider_answer", "actual b",
        ),
        (HEAD + 'credential provider plugin did not return a valid cacheKeyType: "x"', "provider_answer", "KeyType"),
    ],
)  # fmt: skip
def test_the_kubelet_s_reason_is_the_pull_s(line: str, cause: str, words: str) -> None:
    found = explained(pull(), heard(["unrelated", line, "I1126 something else"]), PROVIDERS)
    assert (found["cause"], found["image"], found["endpoint"]) == (cause, IMAGE + ":1", None)
    assert words in found["message"] + found["fix"]
    assert "own" in found["message"]
    assert found["evidence"] == ["containerd", line]


def test_the_newest_line_counts() -> None:
    lines = [EXEC + "exit status 1: old", EXEC + "exit status 1: new"]
    assert "new" in explained(pull(), heard(lines), PROVIDERS)["fix"]


@pytest.mark.parametrize(
    "other",
    [
        pull("registry.example.com:5000/other/app:1"),
        pull("docker.io/library/busybox:latest"),
        pull(cause="tls_expired"),
        pull(IMAGE + "@sha256:00", "dns_failure"),
    ],
)
def test_other_pulls_stay_as_they_are(other: dict[str, Any]) -> None:
    assert explained(other, heard([EXEC + "exit status 1: x"]), PROVIDERS) == other
    assert explained(pull(), [], PROVIDERS) == pull()


def test_rke2_s_kubelet_has_a_log_of_its_own(tmp_path: Path) -> None:
    assert own_file(str(tmp_path)) == []
    log = tmp_path / "agent/logs/kubelet.log"
    log.parent.mkdir(parents=True)
    log.write_text(EXEC + "exit status 1: x\n")
    assert explained(pull(), heard(own_file(str(tmp_path))), PROVIDERS)["cause"] == "provider_failed"
    os.utime(log, (1000.0, 1000.0))
    assert own_file(str(tmp_path), 1001.0) == []


def test_a_digest_or_a_tag_makes_no_difference() -> None:
    for image in (IMAGE, IMAGE + ":1", IMAGE + "@sha256:00", IMAGE + ":1@sha256:00"):
        assert explained(pull(image), heard([EXEC + "exit status 1: x"]), PROVIDERS)["cause"] == "provider_failed"


def test_a_line_without_an_image_is_for_those_that_a_provider_is_asked_for() -> None:
    said = heard([FAILED + "error decoding credential provider plugin response from stdout"])
    assert explained(pull(), said, [])["cause"] == "unauthorized"
    assert explained(pull("docker.io/library/busybox:1"), said, PROVIDERS)["cause"] == "unauthorized"


def test_a_line_that_names_the_image_counts_more_than_a_newer_one_that_does_not() -> None:
    unnamed = FAILED + "error reading GVK from response: couldn't get version/kind"
    said = heard([EXEC + "exit status 1: x", unnamed])
    assert explained(pull(), said, PROVIDERS)["cause"] == "provider_failed"


def test_of_several_whose_line_it_may_be_each_is_named() -> None:
    said = heard([FAILED + "error reading GVK from response: couldn't get version/kind"])
    several = [*PROVIDERS, PROVIDERS[0]._replace(name="second"), Provider("other", "", ("other.example.com",))]
    found = explained(pull(), said, several)
    assert "what the credential provider %s or second answers" % PROVIDERS[0].name in found["message"]


def test_nothing_secret_comes_out() -> None:
    token = "QUtJQTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MA=="
    said = heard([EXEC + "exit status 1: key pass-word-canary token %s" % token])
    found = explained(pull(), said, PROVIDERS)
    assert "canary" not in str(found)
    assert token not in str(found)
    assert "key ******** token ********" in found["fix"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            HEAD + '"Failed to register CRI auth plugins" err="plugin binary executable /x/own did not exist"',
            "the kubelet refuses its credential providers: plugin binary executable /x/own did not exist",
        ),
        (
            HEAD + "failed to register CRI auth plugins: failed to validate credential provider config: name",
            "the kubelet refuses its credential providers: failed to validate credential provider config: name",
        ),
    ],
)
def test_why_k3s_ends_at_its_start(line: str, words: str) -> None:
    assert refusal(["Starting k3s", line, "Main process exited"]) == words
    assert refusal(["Starting k3s"]) == ""


@given(st.lists(st.text(max_size=60) | st.text(max_size=20).map(EXEC.__add__), max_size=4))
def test_any_lines_are_read(lines: list[str]) -> None:
    assert explained(pull(), heard(lines), PROVIDERS)["image"] == IMAGE + ":1"
    assert isinstance(refusal(lines), str)
