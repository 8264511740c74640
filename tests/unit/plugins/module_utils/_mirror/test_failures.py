# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.archive import Workspace
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.ends import Ends
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import Item, Request, Source, Target
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import (
    RegistryFailure,
    cause_of,
    of_status,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import Place
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.skopeo import lacking


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("writing blob: no space left on device", "target_full"),
        ("reading blob: Digest did not match, expected sha256:1, got sha256:2", "digest_mismatch"),
        ('initializing source docker-archive:/a.tar:a/b:1: Tag "a/b:1" not found in /a.tar', "not_found"),
        ("something that nobody has seen", "unknown"),
    ],
)  # fmt: skip
def test_what_skopeo_says_has_a_cause(said: str, cause: str) -> None:
    assert cause_of(said) == cause


@pytest.mark.parametrize(
    ("status", "cause", "whole"),
    [(401, "unauthorized", True), (403, "forbidden", False), (405, "read_only", True), (429, "rate_limited", False),
     (503, "server_error", False), (507, "target_full", False)],
)  # fmt: skip
def test_only_what_concerns_all_images_stops_a_side(status: int, cause: str, whole: bool) -> None:
    problem = of_status(status, "r:5000")
    assert (problem.cause, problem.whole) == (cause, whole)
    assert str(problem).startswith("r:5000: ")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        # Harbor: src/pkg/quota/errors.go, src/server/middleware/repoproxy/proxy.go, .../readonly/readonly.go
        ("adding 1.0 MiB of storage resource, which when updated to current usage of 10.0 MiB will exceed the "
         "configured upper limit of 10.0 MiB.", "target_full"),
        ("denied: can not push artifact to a proxy project: dockerhub", "read_only"),
        ("The system is in read only mode. Any modification is prohibited.", "read_only"),
        # Quay: endpoints/v2/errors.py
        ("Quota has been exceeded on namespace", "target_full"),
        ("requested access to the resource is denied", "forbidden"),
    ],
)  # fmt: skip
def test_a_refused_upload_is_called_what_the_registry_says_of_it(said: str, cause: str) -> None:
    problem = of_status(403, "r:5000", said)
    assert (problem.cause, problem.whole) == (cause, False)


def test_a_missing_skopeo_is_said_with_the_remedy() -> None:
    assert "apt-get install skopeo" in lacking("")
    assert lacking("1.2.2") == ""


def test_a_failing_host_breaks_no_other_whose_name_begins_alike(tmp_path: Path) -> None:
    """What fails carries its side and host; nothing is concluded from a sentence."""
    ends = Ends(Request(parallel=1), Workspace("t", str(tmp_path)))
    source, target = (Place("https", host, "a", "1") for host in ("registry.example.com", "registry.example.com:5000"))
    item = Item("docker.io/a:1", Source("registry", source), Target(target))
    refused = RegistryFailure("unauthorized", "registry.example.com:5000", side="dest")
    ends.note(item, refused)
    assert list(ends.broken) == ["dest:registry.example.com:5000"]
    ends.client("src", source)
    ends.client("src", target)
    with pytest.raises(RegistryFailure) as caught:
        ends.client("dest", target)
    assert (caught.value.cause, caught.value.host, caught.value.side) == ("unauthorized", refused.host, "dest")
    # Where the registry has sent us says nothing of it, and what is neither side's breaks none.
    for problem in (
        RegistryFailure("connection_refused", "cdn.example.com", side="src", whole=False),
        RegistryFailure("unauthorized", "registry.example.com"),
    ):
        ends.note(item, problem)
    assert list(ends.broken) == ["dest:registry.example.com:5000"]


def test_a_failure_is_a_sentence_only_at_the_end() -> None:
    problem = RegistryFailure("forbidden", "r:5000", "of our own", "HTTP 403 denied", side="dest")
    assert str(problem) == (
        "r:5000: the user may not do this here: check its permissions, and that the project exists (of our own) "
        "(it said: HTTP 403 denied)"
    )
    assert str(RegistryFailure("digest_mismatch", "/x", advice="it is damaged")) == "/x: it is damaged"
