# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clouds' providers in docs/credential-providers.md: accepted by the collection's check of the kubelet's rules and
by the tests' own kubelet, which shares no code with it, and asked for the images that they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from stand_in import keyring, provider_config

from tests.docs.guides.blocks import blocks
from tests.docs.pages import CHECKOUT
from tests.fleet.contents import program

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import (
    config_yaml,
    kubelet_rules,
    match_images,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import known_release
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.providers import prepare_providers

PAGE = (CHECKOUT / "docs/credential-providers.md").read_text(encoding="utf-8")
VARIABLE = "k3s_registries_credential_providers"

#: Images that each of the clouds' providers is for, and one of the same cloud that it is not for.
IMAGES = {
    "ecr-credential-provider": (
        ["123456789012.dkr.ecr.eu-central-1.amazonaws.com/app", "1.dkr.ecr.cn-north-1.amazonaws.com.cn/team/app"],
        "public.ecr.aws/team/app",
    ),
    "auth-provider-gcp": (
        ["europe-west3-docker.pkg.dev/project/repository/app", "gcr.io/project/app", "eu.gcr.io/project/app"],
        "registry.k8s.io/pause",
    ),
    "acr-credential-provider": (["example.azurecr.io/team/app"], "mcr.microsoft.com/dotnet/runtime"),
}


def _blocks() -> list[list[dict[str, Any]]]:
    found = [yaml.safe_load(block.text) for block in blocks(PAGE) if block.language == "yaml"]
    return [block[VARIABLE] for block in found if VARIABLE in block]


def _prepared(entries: list[dict[str, Any]], folder: Path) -> list[Provider]:
    """As on a controller that has the files."""
    for entry in entries:
        # Of the real programs only their clouds know the checksums.
        entry.pop("checksum", None)
        for architecture, name in (entry.get("src") or {}).items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(program(architecture))
    return [item.provider for item in prepare_providers(entries, lambda name: str(folder / name)).declared]


def test_every_cloud_of_the_issue_has_an_example() -> None:
    names = {entry["name"] for entries in _blocks() for entry in entries}
    assert names >= set(IMAGES)


@pytest.mark.parametrize("index", range(len(_blocks())))
def test_an_example_is_one_that_every_kubelet_takes(index: int, tmp_path: Path) -> None:
    providers = _prepared(_blocks()[index], tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(config_yaml.text(providers), encoding="utf-8")
    for text in ("v1.26.0+k3s1", "v1.30.4+k3s1", "v1.34.3+k3s1", "v1.35.0+rke2r1"):
        release = known_release(text)
        assert release is not None
        assert kubelet_rules.lacking(providers, release) == []
        read = provider_config.load(str(config), text)
        assert [(item.name, item.args, item.match_images) for item in read] == [
            (item.name, list(item.args), list(item.match_images)) for item in providers
        ]


@pytest.mark.parametrize("name", IMAGES)
def test_a_cloud_s_provider_is_asked_for_its_images(name: str, tmp_path: Path) -> None:
    entries = [entry for block in _blocks() for entry in block if entry["name"] == name]
    images, other = IMAGES[name]
    for provider in [_prepared([entry], tmp_path)[0] for entry in entries]:
        for matches in (match_images.matches, keyring.matches):
            assert [image for image in images if any(matches(one, image) for one in provider.match_images)] in (
                images, images[:1],
            )  # fmt: skip
            assert not any(matches(one, other) for one in provider.match_images)
