# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.fleet.smoke_logins [FLEET]`: do logins go the ways on the stand-in that they go on a real K3s?

A server and an agent, once with Debian's containerd and once with a containerd 2: credentials of config.toml, headers
in hosts.toml, pods with secrets, credential providers, and registries that say what they were told.
"""

from __future__ import annotations

import base64
import json
import sys
import time
import traceback
from typing import Any, Callable

from tests.fleet import containerd_source, nodes, registry, up, workloads
from tests.fleet.contents import Pusher
from tests.fleet.logins import providers
from tests.fleet.logins.cloud import Cloud
from tests.fleet.logins.registry import BASIC, BEARER, LoginRegistry
from tests.fleet.logins.town import Town
from tests.fleet.logins.users import CURRENT, FORMER, UNKNOWN, Users, new_password
from tests.fleet.process import FleetError, say
from tests.fleet.state import Fleet

NODE = "agent-1"
CA = "/etc/town-ca.crt"
_CERTS_D = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
_DEADLINE = 40.0
CHECKS: list[Callable[[Scene], None]] = []


def check(function: Callable[[Scene], None]) -> Callable[[Scene], None]:
    CHECKS.append(function)
    return function


class Scene:
    """The fleet, and the registries that its agent knows: `basic.test`, `bearer.test`, `cloud.test`, and `mixed.test`,
    which has the first two for its endpoints."""

    def __init__(self, fleet: Fleet, town: Town) -> None:
        self.fleet = fleet
        self.town = town
        self.users = Users(robot=new_password())
        self.password = self.users.change_password("robot")
        self.basic = town.registry("basic.test", self.users)
        self.bearer = town.registry("bearer.test", self.users, (BEARER, BASIC))
        self.strangers = town.registry("strangers.test", Users(somebody=new_password()))
        cloud_users = Users()
        self.clouded = town.registry("cloud.test", cloud_users)
        self.cloud = Cloud(town.server("metadata.test", tls=False), town.server("passwords.test"), cloud_users)
        self._images = 0
        town.introduce(fleet)
        self.run("cat > " + CA, (fleet.folder / "pki" / "ca.crt").read_bytes())

    @property
    def registries(self) -> tuple[LoginRegistry, ...]:
        return (self.basic, self.bearer, self.strangers, self.clouded)

    def image(self) -> str:
        """A new image, which every registry has and no node; without its registry."""
        self._images += 1
        for one in self.registries:
            one.add("team/app:%d" % self._images)
        return "team/app:%d" % self._images

    def run(self, command: str, stdin: bytes | None = None) -> str:
        return str(nodes.execute(self.fleet, NODE, ["sh", "-ec", command], stdin=stdin).stdout)

    def fails(self, command: str) -> str:
        done = nodes.execute(self.fleet, NODE, ["sh", "-ec", command], check=False)
        assert done.returncode, done.stdout
        return str(done.stdout + done.stderr)

    def configure(self, **logins: str) -> None:
        """The registries in registries.yaml, K3s restarted. ``logins``: passwords of robot, by registry."""
        settings: dict[str, Any] = {one.host: {"tls": {"ca_file": CA}} for one in self.registries}
        for name, password in logins.items():
            settings[getattr(self, name).host]["auth"] = {"username": "robot", "password": password}
        mirrors = {"mixed.test": {"endpoint": [self.strangers.url, self.basic.url]}}
        content = json.dumps({"mirrors": mirrors, "configs": settings})
        self.run("umask 077; cat > /etc/rancher/k3s/registries.yaml", content.encode())
        self.restart()

    def restart(self) -> float:
        now = time.time()
        self.run("systemctl reset-failed k3s-agent; systemctl restart k3s-agent")
        self.until("containerd", lambda: "RuntimeReady" in self.said("k3s crictl info"))
        self.until("its kubelet", lambda: "Running kubelet" in self.journal(now))
        return now

    def send_header(self, registry: LoginRegistry, password: str) -> str:
        """Robot's login in the registry's own hosts.toml, and nothing restarted; returns the file."""
        place = "%s/%s/hosts.toml" % (_CERTS_D, registry.host)
        header = base64.b64encode(("robot:" + password).encode()).decode()
        edit = "umask 077; sed -i 's|^\\[host\\]$|[header]\\n  Authorization = \"Basic %s\"\\n\\n[host]|' '%s'"
        self.run(edit % (header, place))
        return place

    def said(self, command: str) -> str:
        done = nodes.execute(self.fleet, NODE, ["sh", "-ec", command], check=False)
        return str(done.stdout + done.stderr)

    def journal(self, since: float) -> str:
        return self.run("journalctl -o cat -u k3s-agent --since @%.6f" % since)

    def until(self, what: str, truth: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _DEADLINE
        while not truth():
            if time.monotonic() > deadline:
                raise AssertionError("not within %d s: %s" % (_DEADLINE, what))
            time.sleep(0.3)

    def provide(self, name: str, program: str | bytes, *entries: dict[str, Any], mode: str = "0755") -> float:
        """A provider in its place, and K3s restarted as a kubelet reads its configuration only then."""
        data = program.encode() if isinstance(program, str) else program
        put = "rm -rf %s; mkdir -p %s/bin; cat > %s/bin/%s; chmod %s %s/bin/%s"
        folder = providers.FOLDER
        self.run(put % (folder, folder, folder, name, mode, folder, name), data)
        self.run("cat > %s/config.yaml" % providers.FOLDER, providers.config(*entries).encode())
        now = time.time()
        self.run("systemctl reset-failed k3s-agent; systemctl restart --no-block k3s-agent")
        return now

    def without_providers(self) -> None:
        self.run("rm -rf " + providers.FOLDER)
        self.restart()

    def pod(self, name: str, image: str, **more: Any) -> None:
        workloads.pod(self.fleet, name, NODE, image, **more)


@check
def login_of_config_toml_and_a_header_in_hosts_toml(scene: Scene) -> None:
    scene.configure(basic=scene.password, bearer=scene.password)
    for one in (scene.basic, scene.bearer):
        scene.run("k3s crictl pull %s/%s" % (one.host, scene.image()))
    since = time.time()
    new = scene.users.change_password("robot")
    assert "401" in scene.fails("k3s crictl pull %s/%s" % (scene.basic.host, scene.image()))
    assert {entry.place for entry in scene.town.ledger.tries_of_former(since)} == {scene.basic.url}
    place = scene.send_header(scene.basic, new)
    since = time.time()
    scene.run("k3s crictl pull %s/%s" % (scene.basic.host, scene.image()))
    assert {(entry.login, entry.status) for entry in scene.town.ledger.entries(since=since)} == {(CURRENT, 200)}
    scene.restart()
    assert "Authorization" not in scene.run("cat '%s'" % place)
    scene.password = new


@check
def where_tokens_are_asked_for_a_header_gives_way_to_config_toml(scene: Scene) -> None:
    scene.bearer.asks = (BEARER,)
    image = "k3s crictl pull %s/%s"
    ledger = scene.town.ledger
    try:
        scene.configure(bearer=scene.password)
        scene.password = scene.users.change_password("robot")
        scene.send_header(scene.bearer, scene.password)
        since = time.time()
        scene.fails(image % (scene.bearer.host, scene.image()))
        assert {entry.path for entry in ledger.tries_of_former(since)} == {"/token"}
        # Without a login in config.toml a containerd 2 gives the header to whom the challenge names; 1.6 gives nothing.
        scene.configure()
        scene.send_header(scene.bearer, scene.password)
        since = time.time()
        done = scene.said((image + " && echo pulled") % (scene.bearer.host, scene.image()))
        told = {(entry.user, entry.login) for entry in ledger.entries(since=since, path="/token")}
        handed_on = bool(scene.fleet.containerd)
        assert ("pulled" in done, told) == (handed_on, {("robot", CURRENT)} if handed_on else {("", "")}), (done, told)
    finally:
        scene.bearer.asks = (BEARER, BASIC)


@check
def pods_pull_with_their_secrets_and_their_service_account_s(scene: Scene) -> None:
    scene.configure()
    workloads.pull_secret(scene.fleet, "robot", {scene.basic.host: ("robot", scene.password)})
    workloads.service_account(scene.fleet, "puller", ["robot"])
    image = "%s/%s" % (scene.basic.host, scene.image())
    since = time.time()
    scene.pod("without", image)
    workloads.until_refused(scene.fleet, "without")
    assert {(entry.scheme, entry.status) for entry in scene.town.ledger.entries(since=since)} == {("", 401)}
    scene.pod("with", image, secrets=["robot"])
    workloads.until_running(scene.fleet, "with")
    scene.pod("account", "%s/%s" % (scene.basic.host, scene.image()), account="puller")
    workloads.until_running(scene.fleet, "account")
    listed = json.loads(workloads.kubectl(scene.fleet, "get", "pods", "-A", "-o", "json"))["items"]
    secrets = {pod["metadata"]["name"]: pod["spec"]["imagePullSecrets"] for pod in listed}
    assert secrets == {"without": [], "with": [{"name": "robot"}], "account": [{"name": "robot"}]}
    scene.restart()
    workloads.until_running(scene.fleet, "with")
    for name in secrets:
        workloads.delete(scene.fleet, "pod", name)


@check
def what_a_kubelet_hands_over_goes_to_every_host_of_the_attempts(scene: Scene) -> None:
    workloads.pull_secret(scene.fleet, "mixed", {"mixed.test": ("robot", scene.password)})
    since = time.time()
    scene.pod("mixed", "mixed.test/" + scene.image(), secrets=["mixed"])
    workloads.until_running(scene.fleet, "mixed")
    ledger = scene.town.ledger
    assert ledger.logins(scene.strangers.url, since) == {("Basic", "robot", UNKNOWN)}
    assert ledger.logins(scene.basic.url, since) == {("Basic", "robot", CURRENT)}


@check
def provider_of_a_file_rotates_without_a_restart(scene: Scene) -> None:
    def write(password: str) -> None:
        logins = {scene.bearer.host: {"username": "robot", "password": password}}
        scene.run("umask 077; cat > /etc/logins.json", json.dumps(logins).encode())

    write(scene.password)
    entry = providers.entry("file", [scene.bearer.host], LOGINS="/etc/logins.json")
    since = scene.provide("file", providers.OF_A_FILE, entry)
    scene.until("the two flags", lambda: "--image-credential-provider-config=" in scene.journal(since))
    started = scene.run("systemctl show --property=MainPID --value k3s-agent")
    for number in range(2):
        scene.pod("file-%d" % number, "%s/%s" % (scene.bearer.host, scene.image()))
        workloads.until_running(scene.fleet, "file-%d" % number)
        scene.password = scene.users.change_password("robot")
        write(scene.password)
    assert scene.run("systemctl show --property=MainPID --value k3s-agent") == started
    assert "401" in scene.fails("k3s crictl pull %s/%s" % (scene.bearer.host, scene.image()))


@check
def provider_of_a_cloud_keeps_what_it_got_while_it_is_good(scene: Scene) -> None:
    cloud = scene.cloud
    settings = {"CLOUD_METADATA": cloud.metadata.url, "CLOUD_TOKENS": cloud.tokens.url, "CLOUD_CA": CA}
    cloud.seconds = 8.0
    entry = providers.entry("cloud", ["cloud.*:%d" % scene.clouded.server.port], **settings)
    scene.provide("cloud", providers.OF_THE_CLOUD, entry)
    for name in ("cloud-1", "cloud-2"):
        scene.pod(name, "%s/%s" % (scene.clouded.host, scene.image()))
        workloads.until_running(scene.fleet, name)
    assert cloud.handed_out == 1
    time.sleep(4.5)
    scene.pod("cloud-3", "%s/%s" % (scene.clouded.host, scene.image()))
    workloads.until_running(scene.fleet, "cloud-3")
    assert cloud.handed_out == 2
    time.sleep(4.5)
    cloud.down = True
    since = time.time()
    scene.pod("cloud-4", "%s/%s" % (scene.clouded.host, scene.image()))
    workloads.until_refused(scene.fleet, "cloud-4")
    assert "Failed getting credential from external registry credential provider" in scene.journal(since)
    assert not [entry for entry in scene.town.ledger.entries(scene.clouded.url, since) if entry.login == FORMER]


@check
def providers_that_give_nothing_are_named_in_the_journal(scene: Scene) -> None:
    machine = scene.run("uname -m").strip()
    foreign = providers.of_another_machine("arm64" if machine == "aarch64" else "amd64")
    for name, program, words in (
        ("rubbish", providers.RUBBISH, "error reading GVK from response"),
        ("failing", providers.FAILING, "exit status 1: no credentials found for this instance"),
        ("foreign", foreign, "exec format error"),
        ("version", providers.OTHER_VERSION, "did not match expected apiVersion"),
        ("key", providers.WITHOUT_CACHE_KEY, "did not return a valid cacheKeyType"),
    ):
        since = scene.provide(name, program, providers.entry(name, [scene.basic.host]))
        scene.pod(name, "%s/%s" % (scene.basic.host, scene.image()))
        workloads.until_refused(scene.fleet, name)
        assert words in scene.journal(since), scene.journal(since)
        workloads.delete(scene.fleet, "pod", name)


@check
def what_a_kubelet_refuses_ends_k3s_at_every_start(scene: Scene) -> None:
    good = providers.entry("file", [scene.basic.host])
    for mode, entries, words in (
        ("0644", [good], "permission denied"),
        ("0755", [providers.entry("absent", [scene.basic.host])], "did not exist"),
        ("0755", [{**good, "matchImage": ["x"]}], "unknown field"),
        ("0755", [{**good, "defaultCacheDuration": "12"}], "time: missing unit in duration"),
        ("0755", [], "at least 1 item in plugins is required"),
    ):
        since = scene.provide("file", providers.OF_A_FILE, *entries, mode=mode)
        scene.until(words, lambda: scene.journal(since).count(words) > 1)  # noqa: B023
        assert scene.journal(since).count("Main process exited, code=exited, status=1/FAILURE") >= 1
    # Where one of the two places is missing, K3s says nothing about them to its kubelet.
    scene.run("systemctl stop k3s-agent; rm -r %s/bin" % providers.FOLDER)
    assert "credential-provider" not in scene.journal(scene.restart())
    scene.without_providers()


@check
def password_of_the_fleet_s_registry_changes_while_it_runs(scene: Scene) -> None:
    fleet = scene.fleet
    old, new = fleet.registry.password, new_password()
    registry.set_users(fleet, {fleet.registry.username: new})
    assert Pusher(fleet).request("GET", "/v2/").status == 200
    fleet.registry.password = old
    refused = Pusher(fleet)
    fleet.registry.password = new
    refused.connection.request("GET", "/v2/", headers=refused.headers)
    assert refused.connection.getresponse().status == 401


def run(name: str, containerd: str) -> int:
    fleet = up.up(name, 1, 1, "k3s", "stand-in", 40, containerd=containerd)
    failed = 0
    with Town.of_fleet(fleet) as town:
        scene = Scene(fleet, town)
        for function in CHECKS:
            started = time.monotonic()
            title = function.__name__.replace("_", " ")
            try:
                function(scene)
            except (AssertionError, FleetError) as error:
                failed += 1
                place = traceback.extract_tb(error.__traceback__)[-1]
                say("FAILED  %s, line %s, %s: %s" % (title, place.lineno, place.line, error))
            else:
                say("ok      %s (%.1f s)" % (title, time.monotonic() - started))
    up.down(name)
    return failed


def main(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "logins"
    return 1 if sum([run(name, version) for version in ("", containerd_source.RECENT)]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
