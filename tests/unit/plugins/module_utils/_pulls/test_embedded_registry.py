# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""K3s' embedded registry is known by what K3s generated for it, on whatever port; it only ever lacks an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import embedded_tls
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from containerd_log import GENERATIONS, Answer, unresolved

IMAGE = "docker.io/team/app:1"
HUB = "registry-1.docker.io"
MIRROR = "registry.example.com:5000"
CONFIG = {"mirrors": {"docker.io": {"endpoint": ["https://" + MIRROR]}}}
REFUSED = 'failed to do request: Head "{url}": dial tcp 10.0.0.9:5000: connect: connection refused'
ADDRESSES = ["127.0.0.1:6443", "127.0.0.1:7443", "[::1]:7443", "127.0.0.1:9345"]


def certs_d(folder: Path, config: dict[str, Any], embedded: str, distribution: str = "k3s") -> dict[str, Any]:
    """What is read back from the files that K3s writes with its embedded registry at this address."""
    tls = embedded_tls("/srv/data/agent", distribution)
    texts = hosts_toml(normalise(config), True, embedded, distribution, embedded_mirror_tls=tls)
    for directory, text in texts.items():
        (folder / directory).mkdir()
        (folder / directory / "hosts.toml").write_text(text)
    return configured_mirrors(str(folder))


def verdicts(lines: list[str], config: dict[str, Any] | None) -> list[tuple[str, str | None]]:
    reader = PullReader(config)
    reader.read(lines)
    return [(found["cause"], found["endpoint"]) for found in reader.diagnoses()]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("known", ["registries.yaml", "certs.d"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_what_the_embedded_registry_lacks_is_not_the_cause(
    address: str, known: str, generation: str, tmp_path: Path
) -> None:
    distribution = "rke2" if address.endswith("9345") else "k3s"
    config = CONFIG if known == "registries.yaml" else certs_d(tmp_path, CONFIG, address, distribution)
    for status in ("404 Not Found", "500 Internal Server Error"):
        lines = unresolved(IMAGE, [Answer(address, status), Answer(MIRROR, error=REFUSED)], generation)
        assert verdicts(lines, config) == [("connection_refused", MIRROR)]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("address", ["127.0.0.1:5000", "127.0.0.1:6443"])
def test_a_mirror_of_one_s_own_on_loopback_is_a_mirror(address: str, generation: str, tmp_path: Path) -> None:
    """On a node whose embedded registry is off, on the very port that it would have, too."""
    config = {"mirrors": {"docker.io": {"endpoint": ["https://" + address]}}}
    lines = unresolved(IMAGE, [Answer(address, "404 Not Found"), Answer(HUB, error=REFUSED)], generation)
    for known in (config, certs_d(tmp_path, config, "")):
        assert verdicts(lines, known) == [("not_found", address)]


def test_both_on_loopback_are_told_apart(tmp_path: Path) -> None:
    config = {"mirrors": {"docker.io": {"endpoint": ["https://127.0.0.1:5000"]}}}
    answers = [Answer("127.0.0.1:7443", "404 Not Found"), Answer("127.0.0.1:5000", "404 Not Found")]
    lines = unresolved(IMAGE, [*answers, Answer(HUB, error=REFUSED)], "2.1")
    known = certs_d(tmp_path, config, "127.0.0.1:7443")
    assert known["embedded_hosts"] == ["127.0.0.1:7443"]
    assert verdicts(lines, known) == [("not_found", "127.0.0.1:5000")]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_with_nothing_known_the_usual_addresses_tell(generation: str) -> None:
    for address, found in (
        ("127.0.0.1:6443", ("connection_refused", HUB)),
        ("[::1]:9345", ("connection_refused", HUB)),
        ("127.0.0.1:5000", ("not_found", "127.0.0.1:5000")),
    ):
        lines = unresolved(IMAGE, [Answer(address, "404 Not Found"), Answer(HUB, error=REFUSED)], generation)
        assert verdicts(lines, None) == [found]
