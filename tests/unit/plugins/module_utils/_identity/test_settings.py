# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several places of a setting counts, as K3s has it."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.settings import Settings

MAIN, DROP_IN = "/c/config.yaml", "/c/config.yaml.d/90-k3sfleet-registries.yaml"


def test_command_line_before_files_before_environment() -> None:
    environment = [("/e.env", {"K3S_DATA_DIR": "/environment"})]
    files = [(MAIN, [("data-dir", "/file")])]
    assert Settings("k3s", [], environment).value("data-dir") == "/environment"
    assert Settings("k3s", [], environment, files).value("data-dir") == "/file"
    found = Settings("k3s", ["k3s", "server", "-d", "/command"], environment, files)
    assert (found.value("data-dir"), found.source("data-dir")) == ("/command", "unit")


def test_another_program_s_variables_do_not_count() -> None:
    assert Settings("rke2", [], [("/e.env", {"K3S_DATA_DIR": "/k3s"})]).value("data-dir") is None


def test_flags() -> None:
    assert Settings("k3s", ["--embedded-registry"]).flag("embedded-registry") is True
    assert Settings("k3s", ["--embedded-registry=false"]).flag("embedded-registry") is False
    assert Settings("k3s", [], [], [(MAIN, [("embedded-registry", "y")])]).flag("embedded-registry") is True
    assert Settings("k3s").flag("embedded-registry") is None


def test_a_drop_in_takes_its_place_among_the_others() -> None:
    files = [(MAIN, [("embedded-registry", False)]), ("/c/config.yaml.d/10-a.yaml", [("docker", True)])]
    settings = Settings("k3s", [], [], files).with_file(DROP_IN, [("embedded-registry", True)])
    assert settings.flag("embedded-registry") is True
    assert settings.with_file(DROP_IN, []).flag("embedded-registry") is False
    later = Settings("k3s", [], [], [*files, ("/c/config.yaml.d/99-z.yaml", [("embedded-registry", False)])])
    changed = later.with_file(DROP_IN, [("embedded-registry", True)])
    assert (changed.flag("embedded-registry"), changed.source("embedded-registry")) == (
        False,
        "/c/config.yaml.d/99-z.yaml",
    )


def test_the_first_of_several_values() -> None:
    for value in (["fd00::/112", "10.43.0.0/16"], "fd00::/112,10.43.0.0/16"):
        assert Settings("k3s", [], [], [(MAIN, [("service-cidr", value)])]).first("service-cidr") == "fd00::/112"
    assert Settings("k3s").first("service-cidr") == ""


def test_lists_of_files_come_before_those_of_the_command_line() -> None:
    drop_in = "/c/config.yaml.d/10.yaml"
    command = ["k3s", "server", "--service-cidr", "fd00:43::/112"]
    one = (MAIN, [("service-cidr", "10.43.0.0/16")])
    assert Settings("k3s", command, [], [one]).first("service-cidr") == "10.43.0.0/16"
    assert Settings("k3s", command).first("service-cidr") == "fd00:43::/112"
    appended = (drop_in, [("service-cidr+", "fd00::/112")])
    assert Settings("k3s", [], [], [one, appended]).first("service-cidr") == "10.43.0.0/16"
    replaced = (drop_in, [("service-cidr", "fd00::/112")])
    assert Settings("k3s", [], [], [one, replaced]).first("service-cidr") == "fd00::/112"
