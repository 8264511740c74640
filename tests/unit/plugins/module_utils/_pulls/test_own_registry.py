# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that is a mirror of itself: the log names one host for two endpoints, and the mirror's answer counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.filter.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from containerd_log import GENERATIONS, Answer, failed, line, started, unresolved

WITH_PORT = "registry.example.com:5000"
WITHOUT_PORT = "registry.example.com"
EMBEDDED = "127.0.0.1:6443"
REQUEST = 'failed to do request: Head "{url}": '
PLAIN_HTTP = REQUEST + "http: server gave HTTP response to HTTPS client"
DENIED = (
    "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth"
    " credentials"
)
FALLBACKS = {
    "plain HTTP": {"error": PLAIN_HTTP},
    "refused": {"error": REQUEST + "dial tcp 10.0.0.9:443: connect: connection refused"},
    "timeout": {"error": REQUEST + "dial tcp 10.0.0.9:443: i/o timeout"},
    "unknown CA": {"error": REQUEST + "x509: certificate signed by unknown authority"},
    "not TLS": {"error": REQUEST + "tls: first record does not look like a TLS handshake"},
    "no credentials": {"error": DENIED},
    "401": {"status": "401 Unauthorized"},
    "403": {"status": "403 Forbidden"},
    "500": {"status": "500 Internal Server Error"},
    "404": {"status": "404 Not Found"},
}  # fmt: skip


@dataclasses.dataclass
class Case:
    """A registry, the endpoint that makes it its own mirror, and what that endpoint is asked for."""

    registry: str
    endpoint: str
    rewrite: dict[str, str]
    answer: Answer
    key: str = ""

    @property
    def image(self) -> str:
        return self.registry + "/team/app:1"

    @property
    def config(self) -> dict[str, Any]:
        return {"mirrors": {self.key or self.registry: {"endpoint": [self.endpoint], "rewrite": self.rewrite}}}


CASES = {
    "http": Case(WITH_PORT, "http://" + WITH_PORT, {}, Answer(WITH_PORT, scheme="http")),
    "http, no port": Case(WITHOUT_PORT, "http://" + WITHOUT_PORT, {}, Answer(WITHOUT_PORT, scheme="http")),
    "http, of the wildcard": Case(WITH_PORT, "http://" + WITH_PORT, {}, Answer(WITH_PORT, scheme="http"), "*"),
    "http, rewritten": Case(
        WITH_PORT,
        "http://" + WITH_PORT,
        {"^team/(.*)": "proxy/$1"},
        Answer(WITH_PORT, scheme="http", repository="proxy/app"),
    ),
    "https, with a path": Case(
        WITH_PORT, "https://%s/v2/proxy" % WITH_PORT, {}, Answer(WITH_PORT, path="/v2/proxy")
    ),
    "https, no port, with a path": Case(
        WITHOUT_PORT, "https://%s/v2/proxy" % WITHOUT_PORT, {}, Answer(WITHOUT_PORT, path="/v2/proxy")
    ),
    "https, its port written, rewritten": Case(
        WITHOUT_PORT,
        "https://%s:443" % WITHOUT_PORT,
        {"^team/(.*)": "proxy/$1"},
        Answer(WITHOUT_PORT + ":443", repository="proxy/app"),
    ),
}  # fmt: skip


def certs_d(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """What is read back from the files that K3s writes for a configuration."""
    for directory, text in hosts_toml(config).items():
        (folder / directory).mkdir()
        (folder / directory / "hosts.toml").write_text(text)
    return configured_mirrors(str(folder))


def verdicts(lines: list[str], config: dict[str, Any] | None) -> list[tuple[str, str, str | None]]:
    reader = PullReader(config)
    reader.read(lines)
    return [(found["image"], found["cause"], found["endpoint"]) for found in reader.diagnoses()]


@pytest.fixture(params=["nothing known", "registries.yaml", "certs.d"])
def known(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """What the node's configuration is known from, as a function of it."""
    return {
        "nothing known": lambda _config: None,
        "registries.yaml": lambda config: config,
        "certs.d": lambda config: certs_d(tmp_path, config),
    }[request.param]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("fallback", FALLBACKS)
@pytest.mark.parametrize("name", CASES)
def test_an_image_that_the_own_mirror_lacks_is_missing_there(
    name: str, fallback: str, generation: str, known: Any
) -> None:
    case = CASES[name]
    answers = [dataclasses.replace(case.answer, status="404 Not Found"), Answer(case.registry, **FALLBACKS[fallback])]
    lines = unresolved(case.image, answers, generation)
    assert verdicts(lines, known(case.config)) == [(case.image, "not_found", case.answer.host)]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("embedded", ["404 Not Found", "500 Internal Server Error"])
def test_the_embedded_mirror_before_it_changes_nothing(embedded: str, generation: str, known: Any) -> None:
    case = CASES["http"]
    answers = [
        Answer(EMBEDDED, embedded),
        dataclasses.replace(case.answer, status="404 Not Found"),
        Answer(WITH_PORT, error=PLAIN_HTTP),
    ]
    lines = unresolved(case.image, answers, generation)
    assert verdicts(lines, known(case.config)) == [(case.image, "not_found", WITH_PORT)]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_another_mirror_that_cannot_be_reached_is_the_lesser_news(generation: str) -> None:
    """In both orders: the image would have been had from the own mirror."""
    case = CASES["http"]
    down = Answer("down.example.com", error=REQUEST + "dial tcp 10.0.0.9:443: connect: connection refused")
    missing = dataclasses.replace(case.answer, status="404 Not Found")
    for mirrors in ([down, missing], [missing, down]):
        lines = unresolved(case.image, [*mirrors, Answer(WITH_PORT, error=PLAIN_HTTP)], generation)
        assert verdicts(lines, None) == [(case.image, "not_found", WITH_PORT)]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_own_mirror_s_failure_outranks_the_default_endpoint_that_lacks_the_image(generation: str) -> None:
    case = CASES["https, with a path"]
    unreachable = dataclasses.replace(case.answer, error=REQUEST + "EOF")
    lines = unresolved(case.image, [unreachable, Answer(WITH_PORT, "404 Not Found")], generation)
    assert verdicts(lines, case.config) == [(case.image, "connection_reset", WITH_PORT)]


@pytest.mark.parametrize("generation", ["1.7", "2.1"])
def test_a_status_of_the_own_mirror_is_its_own(generation: str, known: Any) -> None:
    """Not so in 1.6, which names no URL: there the one line, a 404, is taken for the mirror's."""
    case = CASES["https, with a path"]
    forbidden = dataclasses.replace(case.answer, status="403 Forbidden")
    lines = unresolved(case.image, [forbidden, Answer(WITH_PORT, "404 Not Found")], generation)
    assert verdicts(lines, known(case.config)) == [(case.image, "forbidden", WITH_PORT)]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"error": PLAIN_HTTP}, "http_server_https_client"),
        ({"status": "500 Internal Server Error"}, "server_error"),
        ({"status": "401 Unauthorized"}, "unauthorized"),
        ({"status": "404 Not Found"}, "not_found"),
    ],
)
def test_a_registry_that_is_no_mirror_is_judged_by_its_one_answer(
    answer: dict[str, str], cause: str, generation: str
) -> None:
    image = WITH_PORT + "/team/app:1"
    lines = unresolved(image, [Answer(WITH_PORT, **answer)], generation)
    for config in (None, {"mirrors": {"quay.io": {"endpoint": ["https://m.example.com"]}}}):
        assert verdicts(lines, config) == [(image, cause, WITH_PORT)]


def _interleaved(*pulls: list[str]) -> list[str]:
    """Their lines one by one in turn, as pulls at the same time write them."""
    return [pull[number] for number in range(max(map(len, pulls))) for pull in pulls if number < len(pull)]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_two_pulls_at_once_of_images_that_the_own_mirror_lacks(generation: str, known: Any) -> None:
    case = CASES["http"]
    images = [WITH_PORT + "/team/one:1", WITH_PORT + "/team/two:1"]
    answers = [dataclasses.replace(case.answer, status="404 Not Found"), Answer(WITH_PORT, error=PLAIN_HTTP)]
    lines = _interleaved(*(unresolved(image, answers, generation) for image in images))
    assert verdicts(lines, known(case.config)) == [(image, "not_found", WITH_PORT) for image in images]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_two_pulls_at_once_of_a_registry_that_is_no_mirror_keep_their_own_answers(generation: str) -> None:
    """One image is missing there, the registry cannot read the other: nothing was asked twice."""
    one, two = WITH_PORT + "/team/one:1", WITH_PORT + "/team/two:1"
    missing = unresolved(one, [Answer(WITH_PORT, "404 Not Found")], generation)
    broken = unresolved(two, [Answer(WITH_PORT, "500 Internal Server Error")], generation)
    for pulls in ((missing, broken), (broken, missing)):
        found = {image: cause for image, cause, _endpoint in verdicts(_interleaved(*pulls), None)}
        assert found == {one: "not_found", two: "server_error"}


def test_for_a_digest_the_second_round_is_no_second_endpoint() -> None:
    """containerd asks a host for a manifest, then for a blob: the 404 and the failure are one endpoint's."""
    digest = "sha256:" + "ab" * 32
    image = "%s/team/app@%s" % (WITH_PORT, digest)
    blob = 'failed to do request: Head "https://%s/v2/team/app/blobs/%s": EOF' % (WITH_PORT, digest)
    lines = [
        started(image),
        line("trying next host - response was http.StatusNotFound", host=WITH_PORT),
        line("trying next host", error=blob, host=WITH_PORT),
        failed(image, 'failed to resolve reference "%s": %s' % (image, blob)),
    ]
    assert verdicts(lines, None) == [(image, "connection_reset", WITH_PORT)]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_image_by_digest_that_the_own_mirror_lacks(generation: str) -> None:
    digest = "sha256:" + "ab" * 32
    image = "%s/team/app@%s" % (WITH_PORT, digest)
    https = REQUEST.replace("{url}", "https://%s/v2/team/app/%%s/%s" % (WITH_PORT, digest)) + (
        "http: server gave HTTP response to HTTPS client"
    )
    absent = line("trying next host - response was http.StatusNotFound", host=WITH_PORT)
    last = "trying next host"
    if generation == "2.1":
        absent, last = line("trying next host after status: 404 Not Found", host=WITH_PORT), "fetch failed"
    lines = [started(image)]
    for kind in ("manifests", "blobs"):
        lines += [absent, line(last, error=https % kind, host=WITH_PORT)]
    end = "%s: not found" % image if generation == "2.1" else https % "manifests"
    lines.append(failed(image, 'failed to resolve reference "%s": %s' % (image, end)))
    assert verdicts(lines, None) == [(image, "not_found", WITH_PORT)]
