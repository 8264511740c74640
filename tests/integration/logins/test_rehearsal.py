# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal on a fleet: a configuration with a mistake of every kind, named image by image before anything is
touched, and one without, which is applied. The tests tell one story, in their order: pods run on a server and an agent,
with images from an old registry, and a new one takes its place."""

from __future__ import annotations

import io
import json
import re
import tarfile
from typing import Any, Iterator

import pytest

from tests.fleet import contents, workloads
from tests.fleet.logins.server import Reply, Request, json_reply
from tests.fleet.logins.users import Users, new_password
from tests.integration.cluster import SITE, Cluster, Run
from tests.integration.logins.login_fleet import LoginFleet, login_fleet

REHEARSE = "playbooks/rehearse.yml"
CANARY = "images.test/team/canary:1"
# Its pod runs on both nodes.
LACKING = "images.test/team/lacking:1"
FORBIDDEN, REWRITTEN = "images.test/private/app:1", "images.test/moved/web:1"
EXPIRED, WITHOUT_FALLBACK = "only.test/one/image:1", "back.test/back/up:1"
LOST = {
    LACKING: "not_found", FORBIDDEN: "forbidden", REWRITTEN: "not_found", EXPIRED: "tls_expired",
    WITHOUT_FALLBACK: "not_found",
}  # fmt: skip
FINE, OTHER_CONTENT, IMPORTED = "images.test/team/app:1", "images.test/tagged/tool:1", "air.test/gap/app:1"
# With the eight above, 40 images that run on the agent.
OTHERS = ["images.test/team/other-%d:1" % number for number in range(32)]
ALLOW = ["images.test/team/lacking", "images.test/private/*", REWRITTEN, "only.test/*", WITHOUT_FALLBACK]
_LIVE = """\
cd /; sha256sum etc/rancher/k3s/registries.yaml
find var/lib/rancher/k3s/agent/etc/containerd -type f -exec sha256sum {} + | sort -k 2
"""


class Scene:
    """The nodes with their pods, the old registry and what is to take its place."""

    def __init__(self, fleet: LoginFleet) -> None:
        self.fleet = fleet
        self.cluster: Cluster = fleet.cluster
        self.rehearsed: list[str] = []
        self.old_password, self.new_password = new_password(), new_password()
        for name, password in (("old", self.old_password), ("new", self.new_password)):
            self.cluster.secrets.add_canary("the password of " + name, password.partition(" ")[0])
        town = fleet.town
        self.old = town.registry("old.test", Users(robot=self.old_password))
        self.new = town.registry("new.test", Users(robot=self.new_password))
        self.expired = town.registry("expired.test", Users(robot=self.new_password))
        town.expire(self.expired.server)
        for image in (CANARY, FINE, OTHER_CONTENT, *LOST, *OTHERS):
            self.old.add(_within(image))
        for image in (CANARY, FINE, FORBIDDEN, *OTHERS):
            self.new.add(_within(image))
        # Another image by what it is, since its name is in it.
        self.new.add("copies/tool:1")
        self.expired.add(_within(EXPIRED))
        self._forbid("/v2/private/")
        town.introduce(self.cluster.fleet)
        self.play(SITE, self.before()).ok()
        self._import()
        self.run_pods()

    def _forbid(self, project: str) -> None:
        """The new account may not read one project."""
        answer = self.new.server.app

        def app(request: Request) -> Reply:
            reply = answer(request)
            if reply.status == 200 and request.path.startswith(project):
                return json_reply({"errors": [{"code": "DENIED"}]}, 403, reply.login)
            return reply

        self.new.server.app = app

    def _configs(self, *registries: Any) -> dict[str, Any]:
        logins = {
            one.host: {"username": "robot", "password": self.old_password if one is self.old else self.new_password}
            for one in registries
        }
        return {host: {"auth": login, "tls": {"ca_src": str(self.fleet.ca)}} for host, login in logins.items()}

    def before(self) -> dict[str, Any]:
        old = {"endpoint": [self.old.url]}
        mirrors = {"images.test": old, "only.test": old, "back.test": {"endpoint": [self.new.url, self.old.url]}}
        return {"mirrors": mirrors, "configs": self._configs(self.old, self.new)}

    def with_mistakes(self) -> dict[str, Any]:
        rewrite = {"^moved/(.*)": "elsewhere/$1", "^tagged/(.*)": "copies/$1"}
        mirrors = {
            "images.test": {"endpoint": [self.new.url], "rewrite": rewrite},
            "only.test": {"endpoint": [self.expired.url]},
            "back.test": {"endpoint": [self.new.url]},
        }
        return {"mirrors": mirrors, "configs": self._configs(self.new, self.expired)}

    def without_loss(self) -> dict[str, Any]:
        both = {"endpoint": [self.new.url, self.old.url]}
        mirrors = {"images.test": both, "only.test": {"endpoint": [self.old.url]}, "back.test": both}
        return {"mirrors": mirrors, "configs": self._configs(self.old, self.new)}

    def play(self, playbook: str, registries: Any, *arguments: str, **more: Any) -> Run:
        variables = {"k3s_registries": registries, "k3s_registries_canary_images": [CANARY], **more}
        environment = {"ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        return self.cluster.play(playbook, *arguments, variables=variables, environment=environment)

    def _import(self) -> None:
        """As those do who have no registry for an image."""
        load = "cat > /run/gap.tar; k3s ctr images import /run/gap.tar >/dev/null; rm /run/gap.tar"
        self.cluster.everywhere(load, _tar(IMPORTED))

    def run_pods(self) -> None:
        server, agent = self.cluster.names
        images = (FINE, OTHER_CONTENT, IMPORTED, *LOST)
        workloads.pod(self.cluster.fleet, "others", agent, OTHERS[0], others=OTHERS[1:])
        for number, image in enumerate(images):
            workloads.pod(self.cluster.fleet, "app-%d" % number, agent, image)
        if self.cluster.fleet.k3s == "real":
            self._daemon_set()
        else:
            workloads.pod(self.cluster.fleet, "lacking-on-the-server", server, LACKING)
            workloads.until_running(self.cluster.fleet, "lacking-on-the-server", 90.0)
        workloads.until_running(self.cluster.fleet, "others", 180.0)
        for number in range(len(images)):
            workloads.until_running(self.cluster.fleet, "app-%d" % number, 90.0)

    def _daemon_set(self) -> None:
        """One on every node, which only a real K3s makes pods of."""
        labels = {"app": "everywhere"}
        container = {"name": "app", "image": LACKING}
        pod = {"hostNetwork": True, "automountServiceAccountToken": False, "containers": [container]}
        spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
        workloads.create(self.cluster.fleet, "DaemonSet", "everywhere", apiVersion="apps/v1", spec=spec)
        workloads.kubectl(self.cluster.fleet, "rollout", "status", "daemonset/everywhere", "--timeout=90s")

    def live(self) -> tuple[Any, ...]:
        """What runs on the nodes, and who holds the cluster's Lease since when."""
        lease = ("-n", "kube-system", "get", "lease", "k3sfleet-registries-rollout", "-o", "json")
        found = json.loads(workloads.kubectl(self.cluster.fleet, *lease))["spec"]
        return self.cluster.everywhere(_LIVE), self.fleet.processes(), found


def _within(image: str) -> str:
    return image.partition("/")[2]


def _tar(name: str) -> bytes:
    """An image as a file, in OCI's layout."""
    image = contents.built(name)
    entry = {
        "mediaType": contents.INDEX, "digest": contents.digest(image.index), "size": len(image.index),
        "annotations": {"io.containerd.image.name": name},
    }  # fmt: skip
    files = {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
    }
    for content in (*image.blobs.values(), *image.manifests.values(), image.index):
        files["blobs/sha256/" + contents.digest(content).partition(":")[2]] = content
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            item = tarfile.TarInfo(path)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with login_fleet("rehearsal", tmp_path_factory.mktemp("rehearsal"), 1, 1, "") as fleet:
        yield Scene(fleet)


def of_k3s(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Without the traces that logging in leaves."""
    return {
        node: (
            {path: state for path, state in seen["files"].items() if path.startswith(("/etc/", "/var/"))},
            seen["units"],
        )
        for node, seen in snapshot.items()
    }


def lost(output: str) -> dict[str, tuple[str, str]]:
    """What is called lost in the lines of a rehearsal: image to the nodes and the cause."""
    found = re.findall(r"^\s+lost(?:, as allowed)?: (\S+) on (.+?): \S+, (\w+): ", output, re.M)
    return {image: (nodes, cause) for image, nodes, cause in found}


def expected() -> dict[str, tuple[str, str]]:
    nodes = {LACKING: "2 nodes (server-1, agent-1)"}
    return {image: (nodes.get(image, "agent-1"), cause) for image, cause in LOST.items()}


def in_any_order(found: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {
        image: (nodes.replace("agent-1, server-1", "server-1, agent-1"), cause)
        for image, (nodes, cause) in found.items()
    }


def handed_on(run: Run) -> dict[str, list[str]]:
    """The stats that the playbook rehearse sets."""
    said = run.output.partition("CUSTOM STATS")[2].partition("RUN: ")[2]
    found: dict[str, list[str]] = json.JSONDecoder().raw_decode(said.strip())[0]
    return found


def test_every_mistake_is_named_and_no_node_has_been_touched(scene: Scene) -> None:
    before, live = scene.cluster.snapshot(), scene.live()
    run = scene.play(REHEARSE, scene.with_mistakes()).refused()
    after = scene.cluster.snapshot()
    assert in_any_order(lost(run.output)) == expected(), run.output
    assert re.search(r"^Rehearsal: \d+ images on 2 nodes: .*5 lost", run.output, re.M), run.output
    if scene.cluster.fleet.k3s != "real":
        # A real one also has pods of its own.
        assert "agent-1: 42 images: 35 from another place, 5 lost, 1 already broken, 1 on the node" in run.output
    assert re.search(r"other content: %s is sha256:\w{64} there, on agent-1" % re.escape(OTHER_CONTENT), run.output)
    assert of_k3s(after) == of_k3s(before)
    assert scene.live() == live
    scene.rehearsed = handed_on(run)["k3s_registries_rehearsed"]
    assert len(scene.rehearsed) == 1
    assert set(run.changed.values()) == {0}
    scene.fleet.must_have_kept_the_secrets()


def test_the_run_is_refused_before_the_lease_and_names_what_lets_it_go_on(scene: Scene) -> None:
    live = scene.live()
    # What was rehearsed is not refused for being another configuration.
    run = scene.play(SITE, scene.with_mistakes(), k3s_registries_rehearsed=scene.rehearsed).refused()
    assert in_any_order(lost(run.output)) == expected(), run.output
    assert run.failed == ["agent-1", "server-1"]
    assert "2 left as they were" in run.output
    assert "To lose them on purpose, list them in k3s_registries_rehearse_allow" in run.output
    assert (
        "Rehearsal on 2 nodes (server-1, agent-1): each asks one registry at most 8 questions at a time" in run.output
    )
    assert scene.live() == live
    # Whether the node has changed, staging, rehearsal.
    assert set(scene.cluster.commands(run.began).values()) == {3}


@pytest.mark.nightly
def test_check_mode_says_in_words_what_an_allowed_change_does(scene: Scene) -> None:
    run = scene.play(SITE, scene.with_mistakes(), "--check", "--diff", k3s_registries_rehearse_allow=ALLOW).ok()
    assert in_any_order(lost(run.output)) == expected()
    plan = run.output.partition("Rollout plan: 2 of 2 nodes restart")[2]
    said = re.search(r"^  for pulls on agent-1: (.*)$", plan, re.M)
    assert said is not None, run.output
    # What is asked for first moves; the only image with a mirror behind the first has none any more.
    assert "images move from %s/v2 to %s/v2" % (scene.old.url, scene.new.url) in said[1]
    assert "1 image gets other fallbacks" in said[1]
    if scene.cluster.fleet.k3s != "real":
        assert "2 images are as before" in said[1]


def test_who_approves_reads_what_the_change_means(scene: Scene) -> None:
    run = scene.play(REHEARSE, scene.with_mistakes(), k3s_registries_rehearse_allow=ALLOW).ok()
    stats = handed_on(run)
    assert stats["k3s_registries_rehearsed"] == scene.rehearsed, "the same configuration has the same digest"
    summary = "\n".join(stats["k3s_registries_rehearsal_summary"])
    assert in_any_order(lost(summary)) == expected()
    assert re.search(r"^  for pulls on agent-1: \d+ images move from ", summary, re.M), summary


def test_only_what_was_rehearsed_is_applied(scene: Scene) -> None:
    live = scene.live()
    run = scene.play(SITE, scene.without_loss(), k3s_registries_rehearsed=scene.rehearsed).refused()
    assert "is not one that was rehearsed" in run.output
    assert set(scene.cluster.commands(run.began).values()) == {0}
    assert scene.live() == live


def test_a_configuration_that_loses_nothing_is_applied_in_four_calls(scene: Scene) -> None:
    run = scene.play(SITE, scene.without_loss()).ok()
    assert lost(run.output) == {}
    assert scene.cluster.restarts(run.began) == {"server-1": 1, "agent-1": 1}
    commands = scene.cluster.commands(run.began)
    # The agent: whether it has changed, staging, rehearsal, commit. The server also takes the cluster's Lease and
    # releases it.
    assert commands["agent-1"] == 4, commands


def test_new_credentials_are_tried_in_the_call_that_stages(scene: Scene) -> None:
    """Without a restart, each node asks whether the registry takes them, and then whether its images can still be
    pulled."""
    scene.new_password = scene.new.users.change_password("robot")
    scene.cluster.secrets.add_canary("the next password of new", scene.new_password.partition(" ")[0])
    run = scene.play(SITE, scene.without_loss(), k3s_registries_apply="live").ok()
    assert "rehearsed in" in run.output
    assert scene.cluster.restarts(run.began) == {"server-1": 0, "agent-1": 0}, run.output
    assert scene.cluster.commands(run.began)["agent-1"] == 4
    scene.fleet.must_have_kept_the_secrets()
