# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal on a node: what it asks the node, what it asks registries, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import configured
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import kubernetes, rehearsing
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired, DesiredFile
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.rehearsing import NotRehearsed, rehearse_on
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal import verdict as verdicts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import Rehearsal

from tests.fleet import certificates
from tests.registry_faults import servers
from tests.registry_faults.servers import HttpServer, Store
from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, of_config

EVERYWHERE = ("amd64", "arm64", "386", "arm", "riscv64", "s390x", "ppc64le")
SECRET = "CANARY-password-4b1f"


class Cluster:
    """What the node says of its images and pods."""

    def __init__(self) -> None:
        self.containers: list[Any] = []
        self.images: list[Any] = []
        self.pods: list[Any] | None = []

    def runs(self, image: str, name: str = "app", **spec: Any) -> None:
        assert self.pods is not None
        spec["containers"] = [{"name": "c", "image": image}]
        self.pods.append(
            {"metadata": {"name": name, "namespace": "default"}, "spec": spec, "status": {"phase": "Running"}}
        )

    def crictl(self, _paths: Any, *arguments: str, **_more: Any) -> Outcome:
        answers = {"ps": {"containers": self.containers}, "images": {"images": self.images}}
        return Outcome(0, json.dumps(answers[arguments[0]]), "")

    def get_object(self, _paths: Any, *arguments: str) -> Any:
        assert arguments == ("pods", "--all-namespaces", "--field-selector=spec.nodeName=node")
        return None if self.pods is None else {"items": self.pods}


@pytest.fixture
def cluster(k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster()
    monkeypatch.setattr(kubernetes, "crictl", found.crictl)
    monkeypatch.setattr(kubernetes, "get_object", found.get_object)
    monkeypatch.setattr(rehearsing, "pause_images", lambda _paths: [])
    return found


@pytest.fixture
def opened() -> Iterator[Callable[[Any], Any]]:
    with ExitStack() as stack:
        yield stack.enter_context


def store(*repositories: str) -> Store:
    made = Store()
    for repository in repositories:
        made.image(repository, "1", EVERYWHERE)
    return made


def mirrored(paths: NodePaths, *endpoints: str, configs: Any = None, shipped: Any = ()) -> Desired:
    given = {"mirrors": {"r.test": {"endpoint": list(endpoints)}}, "configs": configs or {}}
    return of_config(given, tuple(shipped)).at(paths)


def verdicts_of(found: Rehearsal) -> dict[str, str]:
    return {item["image"].partition("/")[2]: item["verdict"] for item in found.images}


def http(server: Any) -> str:
    return "http://127.0.0.1:%d" % server.port


@pytest.fixture
def change(node: Node, k3s: FakeK3s, opened: Any) -> Callable[..., Desired]:
    """Has the node run with a mirror that has some images, and gives the wanted state for one that has others."""

    def make(before: Store, after: Store) -> Desired:
        old, new = (opened(HttpServer(item)) for item in (before, after))
        states = [mirrored(node.paths, http(server), "https://127.0.0.1:1") for server in (old, new)]
        k3s.knows(*states)
        node.apply(states[0])
        return states[1]

    return make


def tree(node: Node) -> Any:
    return {
        str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(Path(node.paths.config_dir).parents[2].rglob("*"))
    }


def test_a_running_image_that_the_new_mirror_lacks(node: Node, cluster: Cluster, change: Any) -> None:
    wanted = change(store("team/app", "team/db"), store("team/db"))
    cluster.runs("r.test/team/app:1")
    cluster.runs("r.test/team/db:1", "db")
    kept = tree(node)
    found = rehearse_on(node.identity(), wanted.text())
    assert verdicts_of(found) == {"team/app:1": verdicts.LOST, "team/db:1": verdicts.OTHER_PLACE}
    assert found.stops
    assert tree(node) == kept
    old, new = (rehearsed.partition("/v2")[0] for rehearsed in (found.images[1]["before"], found.images[1]["after"]))
    assert found.effect == ["2 images move from %s/v2 to %s/v2" % (old, new)]
    assert not rehearse_on(node.identity(), wanted.text(), allow=["r.test/team/app"]).stops


def test_the_effect_in_words_needs_a_configuration_that_is_known(node: Node, cluster: Cluster, change: Any) -> None:
    wanted = change(store("team/app"), store("team/app"))
    cluster.runs("r.test/team/app:1")
    Path(node.paths.registries_yaml).write_text("mirrors: {}\n")
    found = rehearse_on(node.identity(), wanted.text())
    assert (found.effect, verdicts_of(found)) == ([], {"team/app:1": verdicts.OTHER_PLACE})


def test_canaries_and_the_pause_image_count(
    node: Node, cluster: Cluster, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsing, "pause_images", lambda _paths: ["r.test/pause:1"])
    wanted = change(store("pause", "canary"), store("canary"))
    found = rehearse_on(node.identity(), wanted.text(), ["r.test/canary:1"])
    assert verdicts_of(found) == {"pause:1": verdicts.LOST, "canary:1": verdicts.OTHER_PLACE}
    assert [item["users"] for item in found.images] == [[rehearsing.CANARY], [rehearsing.PAUSE]]


def test_an_image_that_was_imported_passes(node: Node, cluster: Cluster, change: Any) -> None:
    wanted = change(store("team/app"), store())
    cluster.runs("r.test/team/app:1")
    cluster.images.append({"id": "sha256:1", "repoTags": ["r.test/team/app:1"], "repoDigests": []})
    found = rehearse_on(node.identity(), wanted.text())
    assert (verdicts_of(found), found.stops) == ({"team/app:1": verdicts.ON_THE_NODE}, False)


def test_pods_that_bring_credentials(node: Node, cluster: Cluster, change: Any) -> None:
    wanted = change(store("team/app"), store())
    cluster.runs("r.test/team/app:1", imagePullSecrets=[{"name": "login"}])
    assert verdicts_of(rehearse_on(node.identity(), wanted.text())) == {"team/app:1": verdicts.OWN_CREDENTIALS}


def test_a_provider_may_bring_what_a_registry_asks_for(
    node: Node, cluster: Cluster, k3s: FakeK3s, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (opened(HttpServer(app)) for app in (store("team/app"), servers.status(403)))
    states = [mirrored(node.paths, http(server), "https://127.0.0.1:1") for server in (old, new)]
    k3s.knows(*states)
    node.apply(states[0])
    cluster.runs("r.test/team/app:1")
    assert verdicts_of(rehearse_on(node.identity(), states[1].text())) == {"team/app:1": verdicts.LOST}
    provider = configured.Provider("ours", "", ("r.test",))
    monkeypatch.setattr(configured, "known", lambda _paths: configured.Known((provider,), ""))
    assert verdicts_of(rehearse_on(node.identity(), states[1].text())) == {"team/app:1": verdicts.NOT_KNOWN}


def test_without_the_api_the_containers_say_what_runs(node: Node, cluster: Cluster, change: Any) -> None:
    wanted = change(store("team/app"), store())
    cluster.pods = None
    cluster.containers.append(
        {"state": "CONTAINER_RUNNING", "image": {"userSpecifiedImage": "r.test/team/app:1"}, "metadata": {"name": "c"}}
    )
    assert verdicts_of(rehearse_on(node.identity(), wanted.text())) == {"team/app:1": verdicts.LOST}


def test_new_credentials_and_keys_leave_nothing_behind(
    node: Node, cluster: Cluster, k3s: FakeK3s, opened: Any, tmp_path: Path
) -> None:
    pki = tmp_path / "pki"
    pki.mkdir()
    authority = certificates.authority("Test CA")
    authority.write(pki / "ca")
    certificates.issue(authority, "server", ("127.0.0.1",)).write(pki / "server")
    certificates.issue(authority, "node", client=True).write(pki / "client")
    server = opened(HttpServer(store("team/app"), servers.server_context(pki / "server", pki / "ca.crt")))
    host = "127.0.0.1:%d" % server.port
    folder = node.paths.cert_dir + "/" + host.replace(":", "_")
    names = {"ca_file": "ca.crt", "cert_file": "client.crt", "key_file": "client.key"}
    shipped = [DesiredFile(folder + "/" + name, (pki / name).read_bytes(), 0o600) for name in names.values()]
    tls = {key: folder + "/" + name for key, name in names.items()}
    old = mirrored(node.paths, "https://127.0.0.1:1", "https://127.0.0.1:2")
    auth = {"username": "robot", "password": SECRET}
    new = mirrored(node.paths, "https://" + host, configs={host: {"tls": tls, "auth": auth}}, shipped=shipped)
    k3s.knows(old, new)
    node.apply(old)
    cluster.runs("r.test/team/app:1")
    kept = tree(node)
    found = rehearse_on(node.identity(), new.text())
    assert verdicts_of(found) == {"team/app:1": verdicts.GAINED}, found.images
    assert tree(node) == kept
    assert SECRET not in json.dumps(found.as_dict())


def test_what_others_have_put_into_certs_d_stays(node: Node, cluster: Cluster, change: Any, opened: Any) -> None:
    wanted = change(store("team/app"), store("team/app"))
    server = opened(HttpServer(store("team/tool")))
    folder = Path(node.paths.certs_d) / "other.test"
    folder.mkdir()
    (folder / "hosts.toml").write_text('[host."%s"]\n' % http(server))
    cluster.runs("other.test/team/tool:1")
    assert verdicts_of(rehearse_on(node.identity(), wanted.text())) == {"team/tool:1": verdicts.SAME_PLACE}


def test_what_cannot_be_rehearsed_says_why(
    node: Node, k3s: FakeK3s, cluster: Cluster, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = change(store(), store())
    with pytest.raises(NotRehearsed, match="leaves registries.yaml as it is"):
        rehearse_on(node.identity(), replace(wanted, config=None).text())
    monkeypatch.setattr(kubernetes, "crictl", lambda *_arguments, **_more: Outcome(1, "", "no containerd"))
    with pytest.raises(NotRehearsed, match="no containerd"):
        rehearse_on(node.identity(), wanted.text())
    k3s.running = False
    with pytest.raises(NotRehearsed, match="does not run there"):
        rehearse_on(node.identity(), wanted.text())


def test_a_removal_is_rehearsed_too(node: Node, cluster: Cluster, k3s: FakeK3s, opened: Any) -> None:
    server = opened(HttpServer(store("team/app")))
    state = mirrored(node.paths, http(server))
    k3s.knows(state)
    node.apply(state)
    cluster.runs("r.test/team/app:1")
    assert verdicts_of(rehearse_on(node.identity(), nothing_wanted().text())) == {"team/app:1": verdicts.LOST}
