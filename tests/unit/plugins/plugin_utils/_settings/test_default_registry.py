# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may stand before the names of K3s' own images."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._settings.default_registry import problem

SECRET = "c4n4ry-s3cret"


@pytest.mark.parametrize(
    "value",
    [
        None, "", "registry.example.com", "registry.example.com:5000", "Registry.example.com", "localhost",
        "localhost:5000", "registry:5000", "10.0.0.9:5000", "10.0.0.9", "[fd00::9]:5000", "docker.io",
        "my-registry.example.com:1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("distribution", ["k3s", "rke2"])
def test_hosts(value: str | None, distribution: str) -> None:
    assert problem(value, distribution) == ""


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("https://r/", "it has a scheme"),
        ("http://registry.example.com", "it has a scheme"),
        ("registry.example.com/", "it ends with a slash"),
        ("registry.example.com/team/", "it ends with a slash"),
        ("/", "it ends with a slash"),
        (" registry.example.com", "there is a space in it"),
        ("registry.example.com\n", "there is a space in it"),
        ("registry .example.com", "there is a space in it"),
        ("robot@registry.example.com", "it has a user name"),
        (":5000", "it has no host"),
        ("/team", "it has no host"),
        ("registry.example.com:0", "0 is not a port"),
        ("registry.example.com:65536", "65536 is not a port"),
        ("registry.example.com:", "cannot have that as its registry"),
        ("registry.example.com:port", "cannot have that as its registry"),
        ("-registry.example.com", "cannot have that as its registry"),
        ("my_registry.example.com", "cannot have that as its registry"),
        ("fd00::9", "cannot have that as its registry"),
        ("registry.example.com?x", "cannot have that as its registry"),
        ("registry.example.com@sha256:aa", "it has a user name"),
        ("registry", "without a dot or a port"),
    ],
)
@pytest.mark.parametrize("distribution", ["k3s", "rke2"])
def test_anything_else_is_refused(value: str, reason: str, distribution: str) -> None:
    said = problem(value, distribution)
    if value == "/team" and distribution == "k3s":
        reason = "it has a path"
    assert reason in said
    assert said.startswith("k3s_registries_system_default_registry is ")
    assert "host[:port]" in said


def test_a_path_is_for_rke2() -> None:
    assert "it has a path, which K3s does not support" in problem("registry.example.com/team", "k3s")
    assert problem("registry.example.com:5000/team", "rke2") == ""
    assert "cannot have that as its registry" in problem("registry.example.com/Team", "rke2")


@pytest.mark.parametrize("value", ["https://robot:%s@r", "robot:%s@r:5000", "http://a:%s/x@r/", "%s@", "a@b:%s@r"])
def test_a_password_is_not_shown(value: str) -> None:
    said = problem(value % SECRET, "k3s")
    assert "********@" in said
    assert SECRET not in said
