# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of docs/registries on a fleet, all in one configuration that is rolled out once.

Through each page's registry, a node pulls the page's images and asks for what the page says; ``verify`` passes;
``diagnose`` names the typical fault; and ``mirror_images`` fills it if it takes uploads. Four playbooks run in all, and
each test looks at one page's part of what came of them. docs/compatibility.md says why some pages are not here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.fleet import up
from tests.integration.cluster import Cluster
from tests.integration.recipes.fleet_registries import FILLED_IMAGE, Registries
from tests.integration.recipes.readers import FILLING, READERS, Reader
from tests.integration.recipes.recipe_fleet import AGENT, Story, play
from tests.integration.secrets_watch import NOTHING_LEFT, SEARCH, Secrets

NAME = os.environ.get("INTEGRATION_FLEET", "integration") + "recipes"
each_recipe = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.recipe.page)
each_filled = pytest.mark.parametrize("reader", FILLING, ids=lambda reader: reader.recipe.page)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    up.down(NAME)
    fleet = up.up(NAME, 1, 1, "k3s", "auto", 40)
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "vault-password").write_text("unused\n", encoding="utf-8")
    try:
        yield Cluster(fleet, folder, {}, Secrets({}))
    finally:
        up.down(NAME)


@pytest.fixture(scope="module")
def story(cluster: Cluster) -> Iterator[Story]:
    address = cluster.fleet.subnet.rpartition(".")[0] + ".1"
    with Registries(cluster.folder / "registries", address) as registries:
        registries.introduce(cluster)
        yield play(cluster, registries)


def _repository(url: str) -> str:
    """The URL of the repository that a manifest is asked for in."""
    return url.partition("/manifests/")[0]


@each_recipe
def test_a_node_pulls_the_pages_images_from_where_the_page_says(story: Story, reader: Reader) -> None:
    for image, named in zip(reader.recipe.images, reader.images):
        assert named in story.good.pulled
        url = reader.asked_first(image)
        assert f"HEAD {url}" in story.good.asked
        # All of it has come from there: two manifests, the image's configuration and its layer.
        fetched = [line for line in story.good.asked if line.startswith(f"GET {_repository(url)}/")]
        assert len({line for line in fetched if "/manifests/sha256:" in line}) == 2, fetched
        assert len({line for line in fetched if "/blobs/sha256:" in line}) == 2, fetched


@each_recipe
def test_verify_passes_with_the_pages_endpoints(cluster: Cluster, story: Story, reader: Reader) -> None:
    assert story.verify.code == 0, story.verify.output
    urls = [reader.asked_first(image) for image in reader.recipe.images]
    for name in cluster.names:
        host = story.verified[name]
        assert (host["passes"], host["failures"], host["warnings"]) == (True, [], [])
        assert [pull["ok"] for pull in host["canaries"] if pull["image"] == reader.images[0]] == [True]
        causes = {entry["endpoint"]: entry["cause"] for entry in host["endpoints"] if not entry["image"]}
        for url in urls:
            assert {cause for endpoint, cause in causes.items() if url.startswith(endpoint + "/")} == {"ok"}, url


@each_recipe
def test_diagnose_names_the_pages_typical_fault(story: Story, reader: Reader) -> None:
    assert reader.failing not in story.broken.pulled
    found = [pull for pull in story.diagnosed[AGENT]["pulls"] if pull["image"] == reader.failing]
    assert [(pull["cause"], pull["endpoint"]) for pull in found] == [(reader.fault.cause, reader.fault.endpoint)]
    assert found[0]["fix"]


def test_diagnose_names_nothing_else(story: Story) -> None:
    named = {name: {pull["image"] for pull in host["pulls"]} for name, host in story.diagnosed.items()}
    assert named.pop(AGENT) == {reader.failing for reader in READERS}
    assert not any(named.values()), named


@each_filled
def test_mirror_images_fills_what_takes_uploads(story: Story, reader: Reader) -> None:
    assert story.fill.code == 0, story.fill.output
    assert f"PUT {reader.place}" in story.uploaded
    # The nodes have it from there, and it is what the source has.
    assert reader.filled in story.filled.pulled
    by_digest = f"GET {_repository(reader.place)}/manifests/{FILLED_IMAGE}"
    assert [line for line in story.filled.asked if line.partition("?")[0] == by_digest]


def test_no_password_is_where_others_could_read_it(cluster: Cluster, story: Story) -> None:
    del story
    told = cluster.everywhere(SEARCH, cluster.secrets.patterns())
    assert told == dict.fromkeys(told, NOTHING_LEFT)
