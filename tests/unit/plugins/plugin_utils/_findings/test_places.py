# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where findings are, and that the line which is shown holds no secret, however it is written."""

from __future__ import annotations

import json

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.document import Document
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.excerpt import Excerpts
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import (
    Outcome,
    Settings,
    Source,
    examine,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.text import lint_document, lint_text
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._lint_output.formats import FORMATS, rendered
from hypothesis import given
from hypothesis import strategies as st

CANARY = "c4n4ryS3cret77"


def found(text: str | bytes) -> Outcome:
    return examine([Source("registries.yaml", text)], Settings())


def place(text: str | bytes, code: str) -> tuple[int, int]:
    (finding,) = (item for item in lint_text(text) if item["code"] == code)
    return finding["line"], finding["column"]


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("mirrors:\n  docker.io:\n    endpoints: []\n", "K3R101", (3, 5)),
        ("mirrors: {docker.io: {endpoint: [https://a.b, 'https://a.b/x']}}", "K3R215", (1, 47)),
        ("\ufeffmirrors:\r\n  docker.io:\r\n    endpoints: []\r\n", "K3R101", (3, 5)),
        ("mirrors:\n  docker.io:\n    endpoints: []\n".encode("utf-16"), "K3R101", (3, 5)),
        ("mirrors: {}\nconfigs: {}\nmirrors: {}\n", "K3R112", (3, 1)),
        ("mirrors: {}\n---\nconfigs: {}\n", "K3R113", (2, 1)),
        ("mirrors:\n\tdocker.io: {}\n", "K3R111", (2, 1)),
        ("configs: {a.b: {auth: {username: x, password: @y}}}\n", "K3R111", (1, 47)),
        # An alias: where its words are, not where it is used.
        ("mirrors: {a.b: &m {endpoint: [oci://c.d]}}\n", "K3R211", (1, 31)),
    ],
)
def test_a_finding_has_the_line_and_column_of_what_it_is_about(
    text: str | bytes, code: str, where: tuple[int, int]
) -> None:
    codes = {item["code"] for item in lint_text(text)}
    assert code in codes, codes
    assert place(text, code) == where


def test_the_line_is_shown_with_a_marker_below_the_place() -> None:
    (finding,) = found("mirrors:\n  docker.io:\n    endpoints: []\n").findings
    assert finding["excerpt"] == ["    endpoints: []", "    ^~~~~~~~~"]
    assert rendered(found("mirrors:\n  docker.io:\n    endpoints: []\n"), "text").splitlines()[:3] == [
        'registries.yaml:3:5: error K3R101 mirrors."docker.io".endpoints',
        "  3 |     endpoints: []",
        "    |     ^~~~~~~~~",
    ]


def test_wide_characters_and_tabs_leave_the_marker_in_its_place() -> None:
    (finding,) = (
        item for item in found('mirrors: {"日本.example.com":\t{endpoints: []}}').findings if item["code"] == "K3R101"
    )
    line, marker = finding["excerpt"]
    assert line == 'mirrors: {"日本.example.com":\\t{endpoints: []}}'
    assert marker.index("^") == line.index("endpoints") + 2
    assert marker.count("~") == len("endpoints") - 1


def test_a_long_line_is_cut_around_the_place() -> None:
    text = "mirrors: {%s, docker.io: {endpoints: []}}" % ", ".join("r%d.example.com: {}" % n for n in range(300))
    (finding,) = (item for item in found(text).findings if item["code"] == "K3R101")
    line, marker = finding["excerpt"]
    assert len(line) < 130
    assert line[marker.index("^") :].startswith("endpoints")


# Every way in which a secret can be in a line; each with the line of the secret, where a finding is asked for.
SECRETS = [
    "configs: {r: {auth: {username: u, password: %s}}}",
    "configs: {r: {auth: {username: %s}}}",
    "configs: {r: {auth: {auth: %s}}}",
    "configs: {r: {auth: {identity_token: %s, identitytoken: %s}}}",
    "configs: {r: {auth: {token: '%s'}}}",
    'configs: {r: {auth: {password: "%s", passwrd: "%s"}}}',
    "configs:\n  r:\n    auth:\n      password: |\n        first\n        %s\n        last\n      x: y\n",
    "configs:\n  r:\n    auth:\n      password: >-\n        %s\n      x: y\n",
    "configs:\n  r:\n    auth:\n      password: 'first\n        %s\n        last'\n      x: y\n",
    "configs:\n  r:\n    auth:\n      password: plain\n        %s\n      x: y\n",
    "configs:\n  r:\n    auth:\n      %s\n",
    "configs:\n  r:\n    auth:\n      %s:\n      x: y\n",
    "configs:\n  r:\n    auth:\n      password:%s\n",
    "configs:\n  r:\n    auth: {%s}\n",
    "configs:\n  r:\n    auth: {password:%s: }\n",
    "configs:\n  r:\n    auth: %s\n",
    "configs:\n  r:\n    auth: [u, %s]\n",
    "configs:\n  r: %s\n",
    "configs:\n  r: {password: %s}\n",
    "configs:\n  r: {credentials: {any: [%s]}}\n",
    "configs: %s\n",
    "%s\n",
    "auths: {r: {password: %s}}",
    "x-password: &p %s\nconfigs: {r: {auth: {username: u, password: *p}}}",
    "configs: {r: {auth: {username: u, password: &%s }}}",
    "configs: {r: {auth: {username: u, password: !%s x}}}",
    "configs: {r: {auth: {password: &a %s, token: *a}}}",
    "configs: {r: {auth: &%s {token: x}}}",
    "configs: {r: {auth: {username: &%s u, password: *%s}}}",
    "configs: {r: !%s {auth: {token: x}}}",
    "mirrors: {docker.io: {endpoint: ['https://user:%s@h/x']}}",
    "mirrors: {docker.io: {endpoint: 'https://user:%s@h/x'}}",
    'mirrors: {docker.io: {endpoint: ["https://user:c4n4ryS3cret7\\x37@h/x"]}}',
    "mirrors: {docker.io: {endpoint: [&%s 'https://h/x']}}",
    "mirrors: {docker.io: {endpoint: ['https://h/x?token=%s']}}",
    "mirrors: {docker.io: {endpoint: [h, %s], rewrites: 1}}\nconfigs: {h: {auth: {password: %s}}}",
    "mirrors: {'https://user:%s@h': {endpoints: []}}",
    "mirrors: {docker.io: {endpoints: [x]}} # password %s",
    "# %s\nmirrors: {docker.io: {endpoints: [x]}}",
    "mirrors: {docker.io: {password: %s}}",
    # Not to be read.
    "configs:\n  r:\n    auth:\n      password: %s: x\n",
    "configs:\n  r:\n    auth:\n      password: @%s\n",
    "configs:\n  r:\n    auth:\n      password: *%s\n",
    "configs:\n  r:\n    auth: {password: %s\n",
    'configs:\n  r:\n    auth:\n      password: "%s\n',
    "configs:\n  r:\n    auth:\n      password: |\n        %s\n     tls: x\n",
    "configs:\n  r:\n    auth:\n\t%s\n",
    "%%YAML 1.2 %s\n---\nmirrors: {}",
]


@pytest.mark.parametrize("shape", SECRETS)
def test_no_line_shows_a_secret(shape: str) -> None:
    text = shape.replace("%s", CANARY).replace("%%", "%")
    document = Document(text)
    excerpts = Excerpts(document, lint_document(document).config)
    for number, line in enumerate(document.lines, 1):
        # Wherever a rule, one that is yet to be written too, may find something.
        for column in range(1, len(line) + 2):
            shown = excerpts.of(number, column)
            assert shown is None or CANARY[:8] not in shown.line, (number, column, shown)
    outcome = found(text)
    for output in FORMATS:
        assert CANARY not in rendered(outcome, output)


@given(
    st.lists(
        st.sampled_from(
            [
                "mirrors:",
                "configs:",
                " a.b:",
                "  auth:",
                "   password: ",
                "   token: ",
                "   - ",
                "{",
                "}",
                "'",
                '"',
                "|\n",
            ]
            + [CANARY, ": ", "\n", "    ", "&x ", "*x", "# ", "endpoint: [", "]", ", ", "https://u:", "@h", "\t"]
        ),
        max_size=25,
    ).map("".join)
)
def test_nothing_is_raised_and_a_marker_is_below_its_line(text: str) -> None:
    for finding in found(text).findings:
        if "excerpt" in finding:
            line, marker = finding["excerpt"]
            assert marker.strip("~ ") == "^"
            assert len(marker.rstrip()) <= len(line) + 3
            assert line.isprintable()


def test_control_characters_are_visible_in_every_form() -> None:
    text = 'mirrors: {"a\\u001b[31m.b": {endpoint: ["https://a.b/\\u202ex\\n::error::y"]}}'
    outcome = examine([Source("a\x1b[2J\n.yaml", text)], Settings())
    for output in FORMATS:
        said = rendered(outcome, output)
        assert not [sign for sign in said if not sign.isprintable() and sign != "\n"], output
        assert "\n::error::y" not in said
    assert json.loads(rendered(outcome, "json"))["files"] == ["a\\x1b[2J\\n.yaml"]
