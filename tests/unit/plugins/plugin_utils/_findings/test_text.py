# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint for the text of a registries.yaml: what only the text shows, and that nothing which K3s refuses is missed."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import rewrites
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.document import Document
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.ignores import heed
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.text import lint_document, lint_text
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import examples

MIRROR = "{endpoint: ['https://mirror.example.com']}"
# code: (fires, does not fire)
CASES: dict[str, tuple[str, str]] = {
    "K3R111": ("mirrors:\n\tdocker.io: {}\n", "mirrors:\n  docker.io: {}\n"),
    "K3R112": (
        f"mirrors:\n  docker.io: {MIRROR}\n  docker.io: {MIRROR}\n",
        f"mirrors:\n  docker.io: {MIRROR}\n  quay.io: {MIRROR}\n",
    ),
    "K3R113": ("mirrors: {}\n---\nconfigs: {}\n", "---\nmirrors: {}\n...\n"),
    "K3R114": (
        f"mirrors: {{<<: [{{docker.io: {MIRROR}}}, {{docker.io: {MIRROR}}}], docker.io: {MIRROR}}}\n",
        f"mirrors: {{<<: {{docker.io: {MIRROR}}}, quay.io: {MIRROR}}}\n",
    ),
    "K3R121": ("mirrors: {} # k3s-lint: ignore K3R215\n", "mirrors: {} # see K3R215\n"),
    "K3R122": (
        "# k3s-lint: ignore K3R101: ours\nmirrors: {}\n",
        "# k3s-lint: ignore K3R101: ours\nx: {}\n",
    ),
}


def codes(source: str | bytes) -> set[str]:
    document = Document(source)
    return {finding["code"] for finding in heed(lint_document(document).findings, document).findings}


@pytest.mark.parametrize("code", CASES)
def test_rule_about_the_text(code: str) -> None:
    fires, quiet = CASES[code]
    assert code in codes(fires)
    assert code not in codes(quiet)


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("mirrors:\n\tdocker.io: {}\n", "spaces"),
        ("mirrors:\n  *:\n    endpoint: []\n", 'quotes: "*"'),
        ("mirrors:\n  [fd00::1]:5000:\n    endpoint: []\n", "IPv6"),
        ("configs:\n  a.b:\n    auth:\n      password: @x\n", "quotes"),
        ("mirrors:\n  docker.io\n    endpoint:\n      - https://a.b\n", "colon"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(source: str, advice: str) -> None:
    (finding,) = (found for found in lint_text(source) if found["code"] == "K3R111")
    assert "line" in finding["message"]
    assert advice in finding["fix"]


def test_no_secret_of_a_text_that_cannot_be_read_is_shown() -> None:
    for source in ("configs: {a.b: {auth: {password: s3cr3t-canary", "configs:\n  a.b:\n    auth: s3cr3t-canary\n"):
        findings = lint_text(source)
        assert findings
        assert "s3cr3t-canary" not in json.dumps(findings)


WORDS = st.sampled_from(
    ["mirrors", "configs", "auths", "docker.io", "endpoint", "endpoints", "rewrite", "auth", "tls", "username", "*"]
    + [
        "password",
        "token",
        "ca_file",
        "insecure_skip_verify",
        "yes",
        "~",
        "0123",
        "'x'",
        '"',
        "&a",
        "*a",
        "<<",
        "!!str",
    ]
)
LINES = st.lists(
    st.tuples(
        st.integers(0, 4), st.one_of(WORDS, st.text(max_size=6)), st.sampled_from([":", ": ", ": x", "", ": []"])
    ),
    max_size=10,
).map(lambda lines: "\n".join("  " * depth + word + end for depth, word, end in lines))
SOURCES = st.one_of(
    LINES,
    st.text(),
    st.binary(),
    st.text("mirosconfgaut:{}[],-&*!|>'\"\\#%@\n\t ~<?", max_size=60),
)


@settings(max_examples=examples(200), deadline=None)
@given(SOURCES)
@example(b"\xff\xfe\x00")
@example("a: &a [*a]")
@example("[" * 2000)
def test_nothing_raises_and_what_k3s_refuses_is_an_error(source: str | bytes) -> None:
    findings = lint_text(source)
    for finding in findings:
        assert finding["level"] == CATALOGUE[finding["code"]].level
        json.dumps(finding, ensure_ascii=False).encode()
    if any(finding["level"] == "error" for finding in findings):
        return
    try:
        decode(source, strict=True)
    except DecodeError as error:
        pytest.fail(f"no error-level finding, and K3s' decoder says: {error}")


def test_a_path_that_a_password_has_begun_is_not_named() -> None:
    found = lint_text("mirrors: {r: {endpoint: ['https://admin:/c4n4ry-Pa55@r.example.com']}}")
    assert found
    assert "c4n4ry" not in json.dumps(found)


LEVELS = "".join("x%d: &x%d [%s]\n" % (level, level, ", ".join(["*x%d" % (level - 1)] * 30)) for level in range(1, 7))


@pytest.mark.parametrize(
    "text",
    [
        "x0: &x0 [a]\n" + LEVELS + "mirrors: {r: {endpoint: *x6}}",
        "x: &x %s\nmirrors: {r: {endpoint: [%s]}}" % ("h" * 100_000, ", ".join(["*x"] * 2000)),
        "mirrors: {r: {endpoint: ['https://%s!']}}" % ("a" * 5000),
        "mirrors: {r: {endpoint: ['https://%s!']}}" % ("a-" * 2500),
        "mirrors: {r: {endpoint: ['%s']}}" % ("{{" * 50_000),
        "mirrors: {r: {endpoint: [e], rewrite: {'^%s': x, '(a|a|aa)+$': y, '^(a*)*b': z}}}" % ("a" * 60),
        "mirrors: {r: {endpoint: [e], rewrite: {%s}}}" % ", ".join("'^a%d/': $1" % number for number in range(3000)),
    ],
    ids=["aliases", "text in aliases", "host", "labels", "braces", "repeated groups", "many rewrites"],
)
def test_a_node_cannot_keep_the_linter_busy(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrites, "_engine", lambda: None)
    began = time.process_time()
    assert lint_text(text)
    assert time.process_time() - began < 10
