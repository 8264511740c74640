# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which line belongs to which pull, what counts as the latest failure, and what memory that takes."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.moments import parse_time
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from containerd_log import GENERATIONS, Answer, failed, line, quoted, resolve, started, succeeded, unfetched, unresolved
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples

MIRROR = "mirror.example.com:5000"
NO_HOST = 'failed to do request: Head "{url}": dial tcp: lookup somewhere: no such host'
PAUSE = "docker.io/rancher/mirrored-pause:3.6"


def verdicts(lines, **options):
    reader = PullReader(**options)
    reader.read(lines)
    return [(found["image"], found["cause"], found["endpoint"]) for found in reader.diagnoses()]


def missing_on_the_mirror(image):
    return unresolved(image, [Answer(MIRROR, "404 Not Found"), Answer(image.split("/")[0], error=NO_HOST)], "2.1")


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    "fallback",
    [
        Answer("registry-1.docker.io", error=NO_HOST),
        Answer("registry-1.docker.io", "429 Too Many Requests"),
        Answer("registry-1.docker.io", "401 Unauthorized"),
        Answer(
            "registry-1.docker.io",
            error="pull access denied, repository does not exist or may require authorization:"
            " server message: insufficient_scope: authorization failed",
        ),
        Answer(
            "registry-1.docker.io",
            error='failed to do request: Head "{url}": http: server gave HTTP response to HTTPS client',
        ),
    ],
)
def test_a_mirror_that_lacks_the_image_outranks_the_fallback(generation, fallback):
    lines = unresolved(PAUSE, [Answer(MIRROR, "404 Not Found"), fallback], generation)
    assert verdicts(lines) == [(PAUSE, "not_found", MIRROR)]


def test_a_mirror_that_lacks_the_image_outranks_content_that_the_fallback_could_not_send():
    lines = [started(PAUSE), line("trying next host after status: 404 Not Found", host=MIRROR)]
    lines.append(
        failed(
            PAUSE, 'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://cdn.example/x": EOF'
        )
    )
    assert verdicts(lines) == [(PAUSE, "not_found", MIRROR)]
    second = {"mirrors": {"docker.io": {"endpoint": [f"https://{MIRROR}", "https://second.example.com"]}}}
    assert verdicts(lines, config=second) == [(PAUSE, "connection_reset", "cdn.example")]


def test_a_broken_mirror_outranks_the_higher_class_of_the_fallbacks_answer():
    answers = [
        Answer(MIRROR, error='failed to do request: Head "{url}": dial tcp 10.0.0.9:5000: connect: connection refused')
    ]
    lines = unresolved(PAUSE, [*answers, Answer("registry-1.docker.io", "404 Not Found")], "2.1")
    assert verdicts(lines) == [(PAUSE, "connection_refused", MIRROR)]


def test_an_answer_of_one_mirror_outranks_a_silent_one_before_it():
    silent = Answer("first.example.com", error='failed to do request: Head "{url}": dial tcp 10.0.0.8:443: i/o timeout')
    lines = unresolved(PAUSE, [silent, Answer(MIRROR, "403 Forbidden")], "2.1")
    assert verdicts(lines) == [(PAUSE, "forbidden", MIRROR)]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_embedded_registry_is_not_blamed_for_what_the_next_endpoint_could_not_do(generation):
    for status in ("404 Not Found", "500 Internal Server Error"):
        answers = [Answer("127.0.0.1:6443", status), Answer("registry-1.docker.io", error=NO_HOST)]
        assert verdicts(unresolved(PAUSE, answers, generation)) == [(PAUSE, "dns_failure", "registry-1.docker.io")]
    alone = unresolved(PAUSE, [Answer("127.0.0.1:6443", "500 Internal Server Error")], generation)
    assert verdicts(alone) == [(PAUSE, "server_error", "127.0.0.1:6443")]


def test_pulls_at_the_same_time_keep_their_own_lines():
    one, two = "docker.io/library/one:1", "quay.io/team/two:2"
    one_lines, one_error = resolve(
        one, [Answer(MIRROR, error=NO_HOST), Answer("registry-1.docker.io", error=NO_HOST)], "2.1"
    )
    denied = "failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden"
    two_lines, two_error = resolve(two, [Answer("other.example.com", error=denied)], "2.1")
    lines = [started(one), started(two), two_lines[0], one_lines[0], one_lines[1]]
    lines += [failed(two, f'failed to resolve reference "{two}": {two_error}')]
    lines += [failed(one, f'failed to resolve reference "{one}": {one_error}')]
    assert verdicts(lines) == [(two, "token_refused", "other.example.com"), (one, "dns_failure", MIRROR)]


def test_a_line_that_could_be_of_two_pulls_is_the_failing_ones_when_the_other_succeeds():
    good, bad = "docker.io/library/good:1", "docker.io/library/bad:1"
    status = line("trying next host after status: 404 Not Found", host=MIRROR)
    unreachable = line(
        "fetch failed",
        error=NO_HOST.replace("{url}", "https://registry-1.docker.io/v2/library/bad/manifests/1"),
        host="registry-1.docker.io",
    )
    end = failed(bad, f'failed to resolve reference "{bad}": {bad}: not found', "NotFound")
    assert verdicts([started(good), started(bad), status, succeeded(good), unreachable, end]) == [
        (bad, "not_found", MIRROR)
    ]
    assert verdicts([started(bad), started(good), status, unreachable, end, succeeded(good)]) == [
        (bad, "not_found", MIRROR)
    ]


def test_the_same_image_pulled_twice_at_once_is_one_diagnosis():
    lines = missing_on_the_mirror("quay.io/a/b:1")
    assert verdicts([lines[0], *lines, *lines[1:]]) == [("quay.io/a/b:1", "not_found", MIRROR)]


def test_the_latest_failure_counts():
    refused = Answer(
        MIRROR, error='failed to do request: Head "{url}": dial tcp 1.1.1.1:1: connect: connection refused'
    )
    later = unresolved("quay.io/a/b:1", [refused], "2.1")
    assert verdicts(missing_on_the_mirror("quay.io/a/b:1") + later) == [("quay.io/a/b:1", "connection_refused", MIRROR)]


@pytest.mark.parametrize(
    "end",
    [
        succeeded("quay.io/a/b:1"),
        line('Pulled image "quay.io/a/b:1" with image id "sha256:aa", repo tag "quay.io/a/b:1"'),
    ],
)
def test_an_image_pulled_since_is_not_failing(end):
    assert verdicts([*missing_on_the_mirror("quay.io/a/b:1"), started("quay.io/a/b:1"), end]) == []


def test_the_noise_after_a_web_page_is_no_further_failure():
    image = "quay.io/a/page:1"
    error = "failed to unpack image on snapshotter overlayfs: unexpected media type text/html for sha256:aa: not found"
    noise = line(
        f'Failed to handle backOff event name:"{image}" for {image}',
        "error",
        error=f'update image store for "{image}": get image info: unexpected media type text/html: not found',
    )
    later = [started("quay.io/a/b:1"), noise, succeeded("quay.io/a/b:1"), noise]
    assert verdicts([*unfetched(image, error), noise, *later]) == [(image, "not_a_registry", None)]
    assert verdicts([noise, noise]) == []


@pytest.mark.parametrize(
    "message", ["failed to decode hosts.toml", "failed to decode /var/x/certs.d/docker.io/hosts.toml"]
)
def test_a_dropped_hosts_toml_is_the_cause_where_only_the_default_endpoint_was_asked(message):
    dropped = line(message, "error", error="invalid `host` tree")
    lines = unresolved(PAUSE, [Answer("registry-1.docker.io", "429 Too Many Requests")], "2.1")
    assert verdicts([lines[0], dropped, *lines[1:]]) == [(PAUSE, "hosts_toml_invalid", None)]
    mirrored = missing_on_the_mirror(PAUSE)
    assert verdicts([mirrored[0], dropped, *mirrored[1:]]) == [(PAUSE, "not_found", MIRROR)]


def test_a_dropped_hosts_toml_of_another_registry_is_no_cause():
    dropped = line(
        "failed to decode /x/certs.d/quay.io/hosts.toml", "error", error="toml: invalid character at start of key"
    )
    lines = unresolved(PAUSE, [Answer("registry-1.docker.io", error=NO_HOST)], "2.1")
    assert verdicts([started("quay.io/a/b:1"), lines[0], dropped, *lines[1:]])[0][1] == "dns_failure"


def sandbox(error):
    return line(
        "RunPodSandbox for &PodSandboxMetadata{Name:x,Uid:1,Namespace:kube-system,Attempt:0,} failed, error",
        "error",
        error=error,
    )


def test_the_pause_image_has_no_line_that_starts_its_pull():
    lines, error = resolve(
        PAUSE, [Answer(MIRROR, "404 Not Found"), Answer("registry-1.docker.io", error=NO_HOST)], "1.7"
    )
    short = "rancher/mirrored-pause:3.6"
    lines.append(
        sandbox(
            f'failed to get sandbox image "{short}": failed to pull image "{short}": failed to pull and unpack image'
            f' "{PAUSE}": failed to resolve reference "{PAUSE}": {error}'
        )
    )
    assert verdicts(lines) == [(PAUSE, "not_found", MIRROR)]
    ok = line('RunPodSandbox for &PodSandboxMetadata{Name:x,} returns sandbox id "abc"')
    assert verdicts([*lines, ok]) == []
    assert verdicts([*missing_on_the_mirror("quay.io/a/b:1"), ok]) != []


def test_a_sandbox_that_fails_for_another_reason_is_no_failed_pull():
    assert verdicts([sandbox('failed to setup network for sandbox "ab": plugin type="flannel" failed')]) == []


def test_a_pull_whose_start_was_rotated_away_keeps_its_lines():
    assert verdicts(missing_on_the_mirror("quay.io/a/b:1")[1:]) == [("quay.io/a/b:1", "not_found", MIRROR)]


def test_a_pull_across_two_files_is_one_pull():
    lines = missing_on_the_mirror("quay.io/a/b:1")
    reader = PullReader()
    reader.read(lines[:2])
    reader.read(lines[2:])
    assert [found["endpoint"] for found in reader.diagnoses()] == [MIRROR]


def test_a_restart_of_containerd_ends_what_was_in_flight():
    lines = [started("quay.io/a/b:1"), line("trying next host after status: 404 Not Found", host=MIRROR)]
    lines += [line("starting containerd", revision="abc", version="v2.1.5-k3s1")]
    direct = unresolved("quay.io/a/b:1", [Answer("quay.io", error=NO_HOST)], "2.1")
    assert verdicts(lines + direct) == [("quay.io/a/b:1", "dns_failure", "quay.io")]


def test_a_pull_cancelled_for_want_of_progress_is_a_timeout():
    image = "quay.io/a/b:1"
    cancel = line(f"cancel pulling image {image} because of no progress in 5m0s", "error")
    lines = [
        started(image),
        cancel,
        failed(image, "failed to copy: httpReadSeeker: failed open: context canceled", "Canceled"),
    ]
    assert verdicts(lines) == [(image, "timeout", None)]


KLOG = 'E0410 13:52:06.357868 2972303 log.go:32] "PullImage from image service failed" err={} image="x"'


def test_the_kubelets_line_fills_a_gap_only():
    image = "quay.io/a/b:1"
    error = f'rpc error: code = Unknown desc = failed to pull and unpack image "{image}": failed to resolve'
    error += f' reference "{image}": '
    error += 'failed to do request: Head "https://quay.io/v2/a/b/manifests/1": remote error: tls: certificate required'
    kubelet = "Nov 25 02:00:00 node1 k3s[812]: " + KLOG.format(quoted(error))
    assert verdicts([kubelet]) == [(image, "client_cert_required", "quay.io")]
    synced = f'failed to "StartContainer" for "app" with ErrImagePull: {quoted(error)}'
    pod = 'E0410 13:52:06.357868 1 pod_workers.go:1301] "Error syncing pod, skipping" err={} pod="default/x"'
    pod = pod.format(quoted(synced))
    assert verdicts([pod]) == [(image, "client_cert_required", "quay.io")]
    lines = missing_on_the_mirror(image)
    assert verdicts([*lines, kubelet, pod]) == [(image, "not_found", MIRROR)]
    assert verdicts([kubelet, *lines]) == [(image, "not_found", MIRROR)]


@pytest.mark.parametrize(
    "text",
    [
        'time="2026-11-24T01:59:51Z" level=fatal msg="pulling image: {}"',
        'time="2026-11-24T01:59:51Z" level=error msg="Error encountered while importing /x.txt: {}"',
        "FATA[0000] pulling image: {}",
        'Warning  Failed  5m13s (x4 over 6m)  kubelet  Failed to pull image "quay.io/a/b:1": {}',
    ],
)
def test_the_pull_s_error_as_others_repeat_it(text):
    error = 'rpc error: code = Unknown desc = failed to pull and unpack image "quay.io/a/b:1": failed to resolve'
    error += ' reference "quay.io/a/b:1": unexpected status from HEAD request to https://quay.io/v2/a/b/manifests/1:'
    error += " 403 Forbidden"
    escaped = error.replace('"', '\\"') if "msg=" in text else error
    assert verdicts([text.format(escaped)]) == [("quay.io/a/b:1", "forbidden", "quay.io")]


def as_journal(text):
    return "Nov 25 02:04:42 node1 k3s[812]: " + text


def after_cni(text):
    return '{"cniVersion":"1.0.0","ips":[{"address":"10.42.0.5/24"}],"note":"a \\"quote\\""}' + text


def as_message(text):
    return line(text, component="containerd", stream="stderr")


def as_journal_json(text):
    return json.dumps({"MESSAGE": text, "_PID": "812"})


def as_json(text):
    return json.dumps({"log": text + "\n", "stream": "stderr"})


@pytest.mark.parametrize("wrap", [as_journal, after_cni, as_message, as_journal_json, as_json])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_lines_in_other_dress(wrap, generation):
    answers = [Answer(MIRROR, error='failed to do request: Head "{url}": EOF'), Answer("quay.io", error=NO_HOST)]
    lines = [wrap(text) for text in unresolved("quay.io/a/b:1", answers, generation)]
    assert verdicts(lines) == [("quay.io/a/b:1", "connection_reset", MIRROR)]


def test_containerds_own_json_format():
    lines = [
        {"level": "info", "msg": 'PullImage "quay.io/a/b:1"', "time": "2026-11-24T01:59:51Z"},
        {"level": "info", "msg": "trying next host after status: 404 Not Found", "host": MIRROR},
        {"level": "error", "msg": 'PullImage "quay.io/a/b:1" failed', "error": "quay.io/a/b:1: not found"},
    ]
    assert verdicts(json.dumps(text) for text in lines) == [("quay.io/a/b:1", "not_found", MIRROR)]


def test_an_image_is_named_as_containerd_normalises_it():
    lines = [started("nginx"), failed("nginx", "no match for platform in manifest: not found")]
    assert verdicts(lines) == [("docker.io/library/nginx:latest", "platform_missing", None)]
    assert verdicts(lines, images=["docker.io/library/nginx"])
    assert verdicts(lines, images=["nginx:1"]) == []


def test_lines_before_since_are_passed_over():
    old = [text.replace("2026-11-24T01", "2026-11-20T01") for text in missing_on_the_mirror("quay.io/a/old:1")]
    lines = old + missing_on_the_mirror("quay.io/a/new:1")
    assert [found[0] for found in verdicts(lines, since=parse_time("2026-11-24T02:00:00+01:00"))] == ["quay.io/a/new:1"]
    assert len(verdicts(lines)) == 2


def test_the_oldest_failure_goes_when_there_are_too_many():
    lines = [text for number in range(5) for text in missing_on_the_mirror(f"quay.io/a/b:{number}")]
    assert [found[0][-1] for found in verdicts(lines, max_images=3)] == ["2", "3", "4"]


@pytest.mark.nightly
def test_memory_does_not_grow_with_the_log():
    def lines(count):
        for number in range(count):
            yield started(f"quay.io/a/started-{number}:1")
            yield line("trying next host after status: 404 Not Found", host=f"h{number}.example.com")
            yield from missing_on_the_mirror(f"quay.io/a/b:{number}")
            yield line("failed to decode hosts.toml", "error", error="x" * 3000)

    def peak(count):
        tracemalloc.start()
        reader = PullReader(max_images=50)
        reader.read(lines(count))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(reader.diagnoses()) == 50
        return used

    peak(100)
    assert peak(1500) < 1.3 * peak(600)


PIECES = st.sampled_from(
    [
        'time="2026-11-24T01:59:51Z" level=info ',
        'msg="PullImage \\"a/b:1\\""',
        'msg="PullImage \\"a/b:1\\" failed" ',
        'error="',
        "\\",
        '"',
        "host=h ",
        'msg="trying next host" ',
        "fetch failed",
        "failed to decode hosts.toml",
        "{",
        "}",
        "RunPodSandbox for x failed, error",
        'failed to pull and unpack image \\"',
        "https://u:p@h/v2/",
        "?ns=%zz",
        "sha256:",
        'E0410 13:52:06.357868 1 log.go:32] "x" err="',
        "\n",
        "msg=",
        "after status: ",
        "\\x",
        "\\U00110000",
        "@",
        ":",
        "/",
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=30).map("".join))
@settings(max_examples=examples(200), deadline=None)
def test_no_text_breaks_the_reader(text):
    reader = PullReader(config={"mirrors": {"*": {"endpoint": ["https://h"]}}})
    reader.read(text.split("\n"))
    reader.feed(text)
    reader.diagnoses()


@given(st.binary(max_size=200))
@settings(max_examples=examples(100), deadline=None)
def test_no_bytes_break_the_reader(raw):
    reader = PullReader()
    reader.read([raw, b'time="2026-11-24T01:59:51Z" msg="PullImage \\"' + raw + b'\\" failed" error="' + raw])
    reader.diagnoses()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["mirrors", "configs", "quay.io", "*", "endpoint", "auth", "tls", "ca_file"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=examples(150), deadline=None)
def test_no_configuration_breaks_a_diagnosis(config):
    reader = PullReader(config=config)
    reader.read(missing_on_the_mirror("quay.io/a/b:1"))
    reader.read(unresolved("quay.io/a/c:1", [Answer("quay.io", "401 Unauthorized")], "1.7"))
    assert len(reader.diagnoses()) == 2


@pytest.mark.parametrize("direct_first", [True, False])
def test_a_host_that_is_mirror_and_registry_at_once(direct_first):
    direct, mirrored = f"{MIRROR}/team/app:1", "docker.io/library/app:1"
    status = line("trying next host after status: 404 Not Found", host=MIRROR)
    unreachable = NO_HOST.replace("{url}", "https://registry-1.docker.io/v2/library/app/manifests/1")
    fallback = line("fetch failed", error=unreachable, host="registry-1.docker.io")
    starts = [started(direct), started(mirrored)] if direct_first else [started(mirrored), started(direct)]
    end = failed(mirrored, f'failed to resolve reference "{mirrored}": {mirrored}: not found', "NotFound")
    assert verdicts([*starts, status, succeeded(direct), fallback, end]) == [(mirrored, "not_found", MIRROR)]
    end = failed(direct, f'failed to resolve reference "{direct}": {direct}: not found', "NotFound")
    assert verdicts([*starts, status, end, succeeded(mirrored)]) == [(direct, "not_found", MIRROR)]
