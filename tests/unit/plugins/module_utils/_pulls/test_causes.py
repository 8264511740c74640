# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every wording of every cause, by the generations of containerd, direct and through a mirror."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.advice import ADVICE
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from containerd_log import GENERATIONS, Answer, failed, started, unfetched, unresolved
from wordings import CONTENT, FILES, NO_ANSWER, STATUSES

REGISTRY = "registry.example.com:5000"
DIRECT = REGISTRY + "/team/app:1"
MIRRORED = "quay.example.org/team/app:1"
UNREACHABLE = Answer(
    "quay.example.org", error='failed to do request: Head "{url}": dial tcp: lookup quay.example.org: no such host'
)


def verdicts(lines):
    reader = PullReader()
    reader.read(lines)
    return [(found["image"], found["cause"], found["endpoint"]) for found in reader.diagnoses()]


def answers_of(error):
    return Answer(REGISTRY, error=error.replace("{host}", "registry.example.com"))


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(("cause", "error"), NO_ANSWER)
def test_a_host_without_an_answer(generation, cause, error):
    answer = answers_of(error)
    assert verdicts(unresolved(DIRECT, [answer], generation)) == [(DIRECT, cause, REGISTRY)]
    assert verdicts(unresolved(MIRRORED, [answer, UNREACHABLE], generation)) == [(MIRRORED, cause, REGISTRY)]
    assert verdicts(unresolved(MIRRORED, [answer], generation)) == [(MIRRORED, cause, REGISTRY)]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(("cause", "status"), STATUSES)
def test_a_host_with_an_answer(generation, cause, status):
    answer = Answer(REGISTRY, status)
    assert verdicts(unresolved(DIRECT, [answer], generation)) == [(DIRECT, cause, REGISTRY)]
    assert verdicts(unresolved(MIRRORED, [answer, UNREACHABLE], generation)) == [(MIRRORED, cause, REGISTRY)]
    assert verdicts(unresolved(MIRRORED, [answer], generation)) == [(MIRRORED, cause, REGISTRY)]


@pytest.mark.parametrize(("cause", "error"), FILES)
def test_a_file_of_the_node_blames_no_endpoint(cause, error):
    lines = [started(DIRECT), failed(DIRECT, f'failed to resolve reference "{DIRECT}": {error}')]
    assert verdicts(lines) == [(DIRECT, cause, None)]


@pytest.mark.parametrize(("cause", "error", "host"), CONTENT)
def test_content_that_cannot_be_had(cause, error, host):
    assert verdicts(unfetched(DIRECT, error)) == [(DIRECT, cause, host)]


def test_a_plain_request_to_a_tls_port_is_told_by_status_400():
    answer = Answer(REGISTRY, "400 Bad Request", scheme="http")
    assert verdicts(unresolved(DIRECT, [answer], "1.7")) == [(DIRECT, "not_http", REGISTRY)]


def test_every_cause_has_a_wording_and_advice():
    worded = {case[0] for case in NO_ANSWER + STATUSES + FILES + CONTENT}
    assert worded | {"hosts_toml_invalid"} == set(ADVICE)


@pytest.mark.parametrize("name", ["eof", "denied", "timeout", "toomanyrequests", "unauthorized", "404", "no-such-host"])
def test_words_in_names_are_no_errors(name):
    image = f"{name}.example.com/{name}/{name}:{name}"
    answer = Answer(f"{name}.example.com", error='failed to do request: Head "{url}": tls: certificate required')
    assert verdicts(unresolved(image, [answer], "2.1")) == [(image, "client_cert_required", f"{name}.example.com")]
    answer = Answer(f"{name}.example.com", "404 Not Found")
    assert verdicts(unresolved(image, [answer], "2.1")) == [(image, "not_found", f"{name}.example.com")]
