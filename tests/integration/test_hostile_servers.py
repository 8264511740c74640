# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks on a fleet whose registries steal, lie, stall and fake, as loud as Ansible gets.

They end, in bounded time and memory, with sentences that a person can read. No credential has come to where it does not
belong, and none of the canaries - passwords, those in somebody else's registries.yaml, what registries say - into
anything that is printed, logged, returned, reported, or left in files that others than root may read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.inventory import CANARY
from tests.hostile.mirroring import Registry
from tests.integration.cluster import REMOVE, SITE, Cluster, Run
from tests.integration.hostile_fleet import PYTHON, HostileFleet
from tests.integration.secrets_watch import NOTHING_LEFT, SEARCH, files_with

pytestmark = pytest.mark.nightly

SECONDS = 150.0
CONTROLLER, NODE = 256.0, 160.0
"""MiB that the largest process may have: ansible-playbook and its workers, a module on a node."""
REGISTRIES = "/etc/rancher/k3s/registries.yaml"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
PULLED = ("words", "liar", "drip", "escapes")


@dataclass(frozen=True)
class Played:
    """What the playbooks have said, by their names, and the most memory that modules had on a node, in MiB."""

    fleet: HostileFleet
    folder: Path
    runs: dict[str, Run]
    node: dict[str, float]
    copied: Registry


@pytest.fixture(scope="module")
def hostile(configured: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileFleet]:
    made = HostileFleet(configured, tmp_path_factory.mktemp("hostile"))
    made.introduce()
    yield made
    made.close()
    configured.play(SITE).ok()


@pytest.fixture(scope="module")
def played(hostile: HostileFleet, tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("played")
    cluster = hostile.cluster
    target, copied = hostile.registry("target")
    good, store = hostile.registry("good")
    store.image("team/app")
    found = Played(hostile, folder, {}, {}, copied)
    common = {
        "ansible_python_interpreter": PYTHON, "k3s_registries": hostile.configuration(),
        "k3s_registries_probe_timeout": 3, "k3s_registries_canary_timeout": 12, "k3s_registries_diagnose_since": "10m",
    }  # fmt: skip
    told = {
        "ANSIBLE_LOG_PATH": str(folder / "ansible.log"), "RESULTS": str(folder / "results.json"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"), "ANSIBLE_CALLBACKS_ENABLED": "results",
    }  # fmt: skip

    def play(name: str, playbook: str, **more: Any) -> None:
        run = cluster.play(playbook, "-vvv", "--diff", variables={**common, **more}, environment=told)
        found.runs[name], found.node[name] = run, hostile.modules_mebibytes()

    images = list(hostile.images.values())
    more = {**hostile.configuration()["mirrors"], "quay.io": {"endpoint": ["https://nowhere.test"]}}
    play("site", SITE)
    play(
        "site that fails", SITE, k3s_registries_canary_images=[hostile.images["words"]],
        k3s_registries={**hostile.configuration(), "mirrors": more},
    )  # fmt: skip
    cluster.sh(cluster.agents[-1], f"umask 077; cat > {REGISTRIES}", hostile.foreign().encode())
    play(
        "verify", "playbooks/verify.yml", k3s_registries_verify_images=images,
        k3s_registries_canary_images=[CANARY, *(hostile.images[name] for name in PULLED)],
    )  # fmt: skip
    play("diagnose", "playbooks/diagnose.yml")
    play(
        "report", "playbooks/report.yml", k3s_registries_report_images=images,
        k3s_registries_report_file=str(folder / "report.html"),
    )  # fmt: skip
    play("mirror_images", "playbooks/mirror_images.yml", **hostile.mirroring(target, good))
    play("site over a foreign file", SITE)
    play("rollback", "playbooks/rollback.yml")
    play("remove", REMOVE)
    return found


ENDS = {
    "site": 0, "site that fails": 2, "verify": 2, "diagnose": 0, "report": 0, "mirror_images": 2,
    "site over a foreign file": 0, "rollback": 0, "remove": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_as_it_should_in_bounded_time_and_memory(played: Played, name: str) -> None:
    run = played.runs[name]
    assert (run.code == 0) == (ENDS[name] == 0), run.output[-5000:]
    assert "PLAY RECAP" in run.output
    assert run.seconds < SECONDS
    assert run.mebibytes < CONTROLLER
    assert 0 < played.node[name] < NODE or name == "mirror_images"


@pytest.mark.parametrize("name", ENDS)
def test_the_terminal_shows_nothing_but_text_and_lines_of_the_run_s_own(played: Played, name: str) -> None:
    output = played.runs[name].output
    assert CONTROL.findall(output) == []
    assert "Traceback" not in output
    faked = [line for line in output.splitlines() if line.startswith(("ok: [node]", "[2/2] copied"))]
    assert faked == []


def test_no_credential_came_to_where_it_does_not_belong(played: Played) -> None:
    played.fleet.check()
    assert played.fleet.ledger.places("vault") == [played.fleet.servers["vault"].own_place], "it was asked for"


CAUSES = {
    "continue": "not_http", "headers": "not_http", "drip": "timeout", "huge": "manifest_unsupported",
    "deep": "manifest_unsupported", "broken": "not_http", "hangup": "connection_reset", "escapes": "forbidden",
    "words": "forbidden", "painted": "tls_unknown_authority", "liar": "digest_mismatch", "downgrade": "unauthorized",
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
def test_verify_names_endpoint_and_cause(played: Played, name: str) -> None:
    said = " ".join(played.runs["verify"].output.split())
    assert f"{CAUSES[name]} at {played.fleet.servers[name].host}: " in said


def test_what_containerd_would_give_away_is_said(played: Played) -> None:
    said = " ".join(played.runs["verify"].output.split())
    assert (
        f"containerd will send the password of {played.fleet.servers['downgrade'].host} to http://tokens.test" in said
    )


def test_a_site_that_fails_says_why_and_puts_the_node_back(played: Played) -> None:
    said = " ".join(played.runs["site that fails"].output.split())
    assert "server-1 FAILED" in said
    assert ", rolled back (last step: " in said
    assert f"{played.fleet.servers['words'].host} knows the caller but does not let it read team/app" in said


def test_diagnose_names_the_pulls_that_failed(played: Played) -> None:
    said = " ".join(played.runs["diagnose"].output.split())
    for name in PULLED:
        assert f"image {played.fleet.images[name]}" in said, name


def test_one_bad_source_fails_one_image(played: Played) -> None:
    output = played.runs["mirror_images"].output
    assert ("good/team/app", "1") in played.copied.kept
    ends = dict(re.findall(r"^\[ *\d+/\d+\] (\w+)\.test/\S+ (\w+)", output, re.M))
    assert ends["good"] == "copied", ends
    for name in ("continue", "headers", "drip", "huge", "deep", "broken", "hangup", "words", "downgrade"):
        assert ends[name] == "FAILED", ends
        assert played.fleet.servers[name].direct.partition("://")[2] in output, name


def test_the_report_has_every_node_and_is_text(played: Played) -> None:
    for name in ("report.html", "report.json"):
        text = (played.folder / name).read_text(encoding="utf-8")
        assert CONTROL.findall(text) == []
        assert played.fleet.cluster.secrets.found_in(text) == []
        assert (played.folder / name).stat().st_mode & 0o077 == 0
    document = json.loads((played.folder / "report.json").read_text(encoding="utf-8"))
    assert set(document["hosts"]) == set(played.fleet.cluster.names)


def test_no_canary_is_in_logs_results_or_files(played: Played) -> None:
    secrets = played.fleet.cluster.secrets
    for name in ("ansible.log", "results.json"):
        text = (played.folder / name).read_text(encoding="utf-8")
        assert len(text) > 10_000
        assert secrets.found_in(text) == [], name
    assert files_with(secrets, [Path("/dev/shm")]) == []
    assert [name for name in os.listdir("/dev/shm") if name.startswith("k3sfleet")] == []
    told = played.fleet.cluster.everywhere(SEARCH, secrets.patterns())
    assert told == dict.fromkeys(told, NOTHING_LEFT)
