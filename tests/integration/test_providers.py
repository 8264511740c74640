# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential providers of the kubelet: they come, pods pull with what they give, they are updated, fail, and go.

Two registries know no other way in: `rotated.test`, whose password a provider reads from a file, and `cloud.test`,
whose passwords a small cloud hands out. Their ledger tells whose login every request bore, and whether it was good.
"""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.fleet import workloads
from tests.fleet.logins import providers
from tests.fleet.logins.cloud import Cloud
from tests.fleet.logins.town import Town
from tests.fleet.logins.users import Users, new_password
from tests.integration.cluster import REMOVE, SITE, Cluster

pytestmark = pytest.mark.nightly

VERIFY = "playbooks/verify.yml"
DIAGNOSE = "playbooks/diagnose.yml"
FOLDER = "/var/lib/rancher/credentialprovider"
CONFIG = FOLDER + "/config.yaml"
PROGRAM = FOLDER + "/bin/own-provider"
LOGINS = "/etc/own-logins.json"
SEEN = "/etc/own-provider-was-started"
CA = "/etc/town-ca.crt"
FOREIGN = "/usr/local/bin/foreign-provider"
IN_ENV = ("variable-5f0a7d31c2be", "variable-81d96fe0b35a")

# It notes how it was started, where only root can read it.
OWN = providers.OF_A_FILE.replace(
    "\nasked = json.load(sys.stdin)",
    """
os.umask(0o077)
with open("%s", "a") as seen:
    print(json.dumps({"argv": sys.argv, "environ": dict(os.environ), "cwd": os.getcwd()}), file=seen)
asked = json.load(sys.stdin)"""
    % SEEN,
)
BAD = {"hanging": providers.HANGING, "rubbish": providers.RUBBISH, "failing": providers.FAILING}


class Scene:
    """The fleet, its two registries, and the provider for each."""

    def __init__(self, cluster: Cluster, town: Town) -> None:
        self.cluster = cluster
        self.town = town
        self.users = Users(robot=new_password())
        self.rotated = town.registry("rotated.test", self.users)
        cloud_users = Users()
        self.clouded = town.registry("cloud.test", cloud_users)
        self.cloud = Cloud(town.server("metadata.test", tls=False), town.server("passwords.test"), cloud_users)
        self.pods: list[str] = []
        self.variables: dict[str, Any] = {}

    def rotate(self) -> None:
        """A new password at the registry, and in the file that the provider reads on the nodes."""
        password = self.users.change_password("robot")
        self.cluster.secrets.add_canary("robot's password", password.split()[0])
        logins = {self.rotated.host: {"username": "robot", "password": password}}
        self.cluster.everywhere("umask 077; cat >" + LOGINS, stdin=json.dumps(logins).encode())

    def source(self, name: str, program: str) -> str:
        path = Path(self.cluster.folder / name)
        path.write_text(program, encoding="utf-8")
        return str(path)

    def wanted(self, program: str = OWN, env: str = IN_ENV[0], more: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
        own = {
            "name": "own-provider", "src": self.source("own-provider", program), "match_images": [self.rotated.host],
            "args": ["--of", "a file"], "env": {"LOGINS": LOGINS, "OTHER": env},
        }  # fmt: skip
        cloud = {
            "name": "cloud-provider", "src": self.source("cloud-provider", providers.OF_THE_CLOUD),
            "match_images": ["cloud.*:%d" % self.clouded.server.port], "default_cache_duration": "1m",
            "env": {
                "CLOUD_METADATA": self.cloud.metadata.url, "CLOUD_TOKENS": self.cloud.tokens.url, "CLOUD_CA": CA,
            },
        }  # fmt: skip
        return {
            "k3s_registries_credential_providers": [own, cloud, *more],
            "k3s_registries_verify_images": ["%s/team/app:1" % self.clouded.host],
        }

    def pod(self, node: str, image: str) -> str:
        """A pod with an image that no node has; its name."""
        name = "provided-%d" % (len(self.pods) + 1)
        self.pods.append(name)
        workloads.pod(self.cluster.fleet, name, node, image)
        return name

    def pulled(self, node: str, registry: Any, tag: str) -> set[tuple[str, str, str]]:
        """The logins that a registry has seen while a pod on this node got a new image from it."""
        image = "team/app:" + tag
        registry.add(image)
        since = time.time()
        workloads.until_running(self.cluster.fleet, self.pod(node, "%s/%s" % (registry.host, image)), 90.0)
        return self.town.ledger.logins(registry.url, since)

    def started(self) -> dict[str, str]:
        """Which process of K3s runs on each node, since when."""
        script = "systemctl show --property=MainPID,ExecMainStartTimestampMonotonic %s"
        return {name: self.cluster.sh(name, script % self.cluster.service(name)) for name in self.cluster.names}

    def until(self, what: str, node: str, command: str) -> None:
        deadline = time.monotonic() + 60
        while self.cluster.sh(node, "if %s; then echo yes; fi" % command) != "yes\n":
            assert time.monotonic() < deadline, "not within a minute: " + what
            time.sleep(0.3)


@pytest.fixture(scope="module")
def scene(configured: Cluster) -> Iterator[Scene]:
    cluster = configured
    before, forms = copy.deepcopy(cluster.variables), dict(cluster.secrets.forms)
    with Town.of_fleet(cluster.fleet) as town:
        scene = Scene(cluster, town)
        town.introduce(cluster.fleet)
        ca = cluster.fleet.folder / "pki" / "ca.crt"
        cluster.everywhere("cat >" + CA, stdin=ca.read_bytes())
        for registry in (scene.rotated, scene.clouded):
            registry.add("team/app:1")
            cluster.variables["k3s_registries"]["configs"][registry.host] = {"tls": {"ca_src": str(ca)}}
        scene.rotate()
        yield scene
        for name in scene.pods:
            workloads.delete(cluster.fleet, "pod", name)
        cluster.everywhere("rm -rf %s %s %s %s %s" % (LOGINS, SEEN, CA, FOREIGN, FOLDER))
    cluster.variables, cluster.secrets.forms = before, forms


def _nobody(cluster: Cluster) -> dict[str, int]:
    return dict.fromkeys(cluster.names, 0)


def _everybody(cluster: Cluster) -> dict[str, int]:
    return dict.fromkeys(cluster.names, 1)


def _said(output: str) -> str:
    return " ".join(output.split())


def test_check_mode_tells_what_would_come_and_shows_no_secret(scene: Scene) -> None:
    check = scene.cluster.play(SITE, "--check", "--diff", "-vvv", variables=scene.wanted()).ok()
    assert "own-provider" in check.output
    assert IN_ENV[0] not in check.output
    assert scene.cluster.restarts(check.began) == _nobody(scene.cluster)
    assert set(scene.cluster.everywhere("ls -d %s 2>/dev/null | wc -l" % FOLDER).values()) == {"0\n"}


def test_the_first_rollout_restarts_each_node_once_and_pods_pull_through_it(scene: Scene) -> None:
    cluster = scene.cluster
    run = cluster.play(SITE, "--diff", "-vvv", variables=scene.wanted()).ok()
    assert cluster.restarts(run.began) == _everybody(cluster)
    assert cluster.overlaps(run.began) == []
    assert IN_ENV[0] not in run.output
    files = "cd %s; stat -c '%%n %%a %%U' config.yaml bin/*; find . -perm /022 ! -type l" % FOLDER
    assert set(cluster.everywhere(files).values()) == {
        "config.yaml 600 root\nbin/cloud-provider 700 root\nbin/own-provider 700 root\n"
    }
    again = cluster.play(SITE, variables=scene.wanted()).ok()
    assert (again.changed, cluster.restarts(again.began)) == (_nobody(cluster), _nobody(cluster))
    for name in cluster.names:
        assert scene.pulled(name, scene.rotated, "first-" + name) == {("Basic", "robot", "current")}
    assert scene.pulled(cluster.agents[0], scene.clouded, "first") == {("Basic", "AWS", "current")}
    assert scene.cloud.handed_out == 1


def test_a_new_password_and_a_new_program_restart_nothing(scene: Scene) -> None:
    cluster, started, since = scene.cluster, scene.started(), time.time()
    scene.rotate()
    for name in cluster.names:
        assert scene.pulled(name, scene.rotated, "rotated-" + name) == {("Basic", "robot", "current")}
    updated = cluster.play(SITE, "--diff", variables=scene.wanted(OWN + "# 2\n")).ok()
    assert updated.changed == _everybody(cluster)
    assert set(cluster.everywhere("tail -1 " + PROGRAM).values()) == {"# 2\n"}
    assert scene.pulled(cluster.agents[0], scene.rotated, "updated") == {("Basic", "robot", "current")}
    assert scene.started() == started
    assert scene.town.ledger.tries_of_former(since) == []


def test_verify_starts_a_provider_as_the_kubelet_does(scene: Scene) -> None:
    cluster = scene.cluster
    by_kubelet = {name: text.splitlines()[-1] for name, text in cluster.everywhere("cat " + SEEN).items()}
    cluster.everywhere("rm " + SEEN)
    since = time.time()
    passed = cluster.play(VERIFY, "-vvv", variables=scene.wanted(OWN + "# 2\n")).ok()
    assert IN_ENV[0] not in passed.output
    assert scene.town.ledger.logins(scene.rotated.url, since) == {("Basic", "robot", "current")}
    assert scene.town.ledger.logins(scene.clouded.url, since) == {("Basic", "AWS", "current")}
    for name, text in cluster.everywhere("cat " + SEEN).items():
        by_verify, kubelet_s = json.loads(text), json.loads(by_kubelet[name])
        assert by_verify["argv"] == kubelet_s["argv"] == [PROGRAM, "--of", "a file"]
        assert by_verify["environ"] == kubelet_s["environ"]
        assert by_verify["cwd"] == kubelet_s["cwd"]
        assert set(by_verify["environ"]) >= {"PATH", "LOGINS", "OTHER"}


def test_a_canary_that_fails_puts_the_providers_back(scene: Scene) -> None:
    cluster, first = scene.cluster, scene.cluster.names[0]
    before = cluster.read(first, CONFIG)
    wanted = {**scene.wanted(env=IN_ENV[1]), "k3s_registries_canary_images": ["%s/none:1" % scene.clouded.host]}
    failed = cluster.play(SITE, "--diff", "-vvv", variables=wanted).refused()
    assert "put back as it was" in failed.output
    assert not [text for text in IN_ENV if text in failed.output]
    assert cluster.restarts(failed.began) == {**_nobody(cluster), first: 2}
    assert cluster.read(first, CONFIG) == before
    assert cluster.read(first, PROGRAM).endswith("# 2\n")
    assert scene.pulled(first, scene.rotated, "put-back") == {("Basic", "robot", "current")}


def _with_bad_ones(scene: Scene) -> dict[str, Any]:
    """Four providers more, each for images of its own, that give the kubelet nothing."""
    place = scene.rotated.host + "/%s/"
    more = [
        {"name": name, "src": scene.source(name, program), "match_images": [place % name]}
        for name, program in BAD.items()
    ]
    more.append({"name": "foreign", "path": FOREIGN, "match_images": [place % "foreign"]})
    return scene.wanted(env=IN_ENV[1], more=tuple(more))


def test_verify_names_each_provider_that_gives_nothing(scene: Scene) -> None:
    cluster, node = scene.cluster, scene.cluster.agents[0]
    cluster.everywhere("umask 022; cat >%s; chmod 755 %s" % (FOREIGN, FOREIGN), stdin=providers.SILENT.encode())
    wanted = _with_bad_ones(scene)
    changed = cluster.play(SITE, "--diff", variables=wanted).ok()
    assert cluster.restarts(changed.began) == _everybody(cluster)
    assert IN_ENV[1] not in changed.output
    # A package's update has brought the wrong program.
    foreign = providers.of_another_machine("amd64" if cluster.sh(node, "uname -m") == "x86_64\n" else "arm64")
    cluster.everywhere("cat >" + FOREIGN, stdin=foreign)
    # The own provider is for these images too: pods fail only if that gives nothing either.
    cluster.sh(node, "echo '{}' >" + LOGINS)
    pods = [scene.pod(node, "%s/%s/app:1" % (scene.rotated.host, name)) for name in [*BAD, "foreign"]]
    red = cluster.play(VERIFY, "-vvv", variables=wanted).refused()
    assert red.failed == sorted(cluster.names)
    said = _said(red.output)
    for name, words in (
        ("hanging", "it has not answered within 60 s"),
        ("rubbish", "what it wrote is no JSON object"),
        ("failing", "it ended with status 1: no credentials found for this instance"),
        ("foreign", "it is a program for "),
    ):
        assert "credential provider %s: %s" % (name, words) in said
    # The kubelet has had its minute with them, too.
    for pod in pods:
        workloads.until_refused(cluster.fleet, pod, 120.0)
    told = _said(cluster.play(DIAGNOSE, "--limit", node, variables=wanted).output)
    for words in (
        "The credential provider hanging did not answer the kubelet within a minute",
        # The kubelet does not say whose answer it was.
        "The kubelet does not take what the credential provider own-provider or rubbish answers",
        "The credential provider failing fails",
        "The kubelet cannot start the credential provider foreign",
    ):
        assert words in told


def test_without_providers_nothing_of_them_is_left(scene: Scene) -> None:
    cluster, last = scene.cluster, scene.cluster.names[-1]
    removed = cluster.play(REMOVE, "--limit", last).ok()
    assert cluster.restarts(removed.began) == {**_nobody(cluster), last: 1}
    assert not cluster.exists(last, FOLDER)

    gone = cluster.play(SITE, "--diff").ok()
    assert cluster.restarts(gone.began) == _everybody(cluster)
    assert cluster.overlaps(gone.began) == []
    assert not [text for text in IN_ENV if text in gone.output]
    for name in cluster.names[:-1]:
        # The way back needs the programs, and nothing else is there.
        left = cluster.sh(name, "cd %s; find . -mindepth 1 ! -path './bin/.k3sfleet/*'" % FOLDER)
        assert left == "./bin\n./bin/.k3sfleet\n"
    refused = "journalctl --quiet --no-pager -o cat -u %s --since=@%.6f | sed -n '/register CRI auth plugins/p'"
    for name in cluster.names:
        assert cluster.sh(name, refused % (cluster.service(name), removed.began)) == ""
    tag = "without"
    scene.rotated.add("team/app:" + tag)
    workloads.until_refused(cluster.fleet, scene.pod(last, "%s/team/app:%s" % (scene.rotated.host, tag)), 60.0)


def test_somebody_else_s_providers_stop_the_run_or_are_taken_over(scene: Scene) -> None:
    cluster, node = scene.cluster, scene.cluster.names[-1]
    wanted = scene.wanted()
    given = wanted["k3s_registries_credential_providers"][:1]
    wanted["k3s_registries_credential_providers"] = given
    cluster.sh(node, "mkdir -p %s/bin; cat >%s; chmod 755 %s" % (FOLDER, PROGRAM, PROGRAM), stdin=OWN.encode())
    theirs = providers.entry("own-provider", given[0]["match_images"], "0m", **given[0]["env"])
    theirs["args"] = given[0]["args"]
    cluster.sh(node, "umask 077; cat >" + CONFIG, stdin=providers.config(theirs).encode())
    since = time.time()
    service = cluster.service(node)
    cluster.sh(node, "systemctl restart " + service)
    flags = "journalctl --quiet --no-pager -o cat -u %s --since=@%.6f | grep -q -e --image-credential-provider-config="
    scene.until("a kubelet with their providers", node, flags % (service, since))
    started = scene.started()

    stopped = cluster.play(SITE, "--limit", node, variables=wanted).refused()
    assert "was not written by this collection" in _said(stopped.output)
    adopting = {**wanted, "k3s_registries_adopt": True}
    other = copy.deepcopy(adopting)
    other["k3s_registries_credential_providers"][0]["default_cache_duration"] = "1m"
    differs = cluster.play(SITE, "--limit", node, variables=other).refused()
    assert "does not say what k3s_registries_credential_providers says" in _said(differs.output)
    assert cluster.read(node, CONFIG) == providers.config(theirs)

    taken = cluster.play(SITE, "--limit", node, "--diff", variables=adopting).ok()
    assert taken.changed == {node: 1}
    assert cluster.read(node, CONFIG) != providers.config(theirs)
    assert cluster.play(SITE, "--limit", node, variables=wanted).ok().changed == {node: 0}
    assert scene.started() == started
    scene.rotate()
    assert scene.pulled(node, scene.rotated, "adopted") == {("Basic", "robot", "current")}

    removed = cluster.play(REMOVE, "--limit", node).ok()
    assert cluster.restarts(removed.began) == {**_nobody(cluster), node: 1}
    # The folder was theirs.
    assert cluster.sh(node, "find " + FOLDER) == "%s\n%s/bin\n" % (FOLDER, FOLDER)
