# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet whose registries are the test's own: their passwords change while it runs, and a ledger has every login."""

from __future__ import annotations

import base64
import contextlib
import copy
import http.client
import itertools
import json
import os
import ssl
from pathlib import Path
from typing import Any, Iterator, Mapping

from tests.fleet import real_pods, up, workloads
from tests.fleet.logins.registry import BASIC, LoginRegistry
from tests.fleet.logins.town import Town
from tests.fleet.logins.users import FORMER, Users, new_password
from tests.integration.cluster import SITE, Cluster, Run
from tests.integration.secrets_watch import NOTHING_LEFT, SEARCH, Secrets

CERTS_D = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
VERIFY = "playbooks/verify.yml"
_SUMS = "cd %s && find . -type f -exec sha256sum {} + | sort -k 2" % CERTS_D
_WITH_HEADER = "{ grep -rl Authorization %s || test $? = 1; } | xargs -r stat -c %%a | sort -u" % CERTS_D
_PROCESSES = """\
systemctl show --property=Id,MainPID,NRestarts,ExecMainStartTimestampMonotonic 'k3s*.service'
for process in $(pgrep -x containerd); do echo $process $(cut -d ' ' -f 22 /proc/$process/stat); done
"""
# The session's fleet and those beside it are told apart by this.
_PREFIX = os.environ.get("INTEGRATION_FLEET", "integration")


class Account:
    """One registry, which is the mirror of a registry of other people's, and the password of its only user.

    :ivar mirror: how images name the other registry.
    :ivar default: that registry itself, which asks for a password that nobody here has; most are nowhere.
    """

    def __init__(self, fleet: LoginFleet, name: str, asks: tuple[str, ...], mirror: str, has_default: bool) -> None:
        self._fleet = fleet
        self.mirror = mirror
        strangers = Users(somebody=new_password())
        self.default = fleet.town.registry(mirror, strangers, port=443) if has_default else None
        self.user = "robot-" + name.partition(".")[0]
        self.users = Users()
        self.registry: LoginRegistry = fleet.town.registry(name, self.users, asks)
        self.registry.add("team/canary:1")
        self.password = ""
        self.change_password()

    @property
    def host(self) -> str:
        return self.registry.host

    def change_password(self) -> str:
        """At the registry, which from then on refuses the old one; returns that."""
        old, self.password = self.password, self.users.change_password(self.user)
        self._fleet.cluster.secrets.add_canary("a password of " + self.host, self.password.partition(" ")[0])
        return old

    def answer_to(self, password: str) -> int:
        """The registry's status for its user with this password."""
        context = ssl.create_default_context(cafile=str(self._fleet.ca))
        server = self.registry.server
        login = base64.b64encode(("%s:%s" % (self.user, password)).encode()).decode()
        connection = http.client.HTTPSConnection(server.address, server.port, timeout=30.0, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/v2/", headers={"Authorization": "Basic " + login})
            return connection.getresponse().status

    def new_image(self, mirror: str = "") -> str:
        """One that no node has ever had, by its full name."""
        name = "team/app:%d" % next(_NUMBERS)
        self.registry.add(name)
        return "%s/%s" % (mirror or self.mirror, name)


_NUMBERS = itertools.count(1)


class LoginFleet:
    """The fleet's nodes know the registry of every account.

    :ivar other_mirrors: what k3s_registries has in addition.
    """

    def __init__(self, cluster: Cluster, town: Town) -> None:
        self.cluster = cluster
        self.town = town
        self.accounts: list[Account] = []
        self.other_mirrors: dict[str, Any] = {}

    @property
    def ca(self) -> Path:
        """The certificate that everything in the town is signed with."""
        return self.cluster.fleet.folder / "pki" / "ca.crt"

    def account(
        self, name: str, asks: tuple[str, ...] = (BASIC,), mirror: str = "", has_default: bool = False
    ) -> Account:
        """:param has_default: for one of them, as this takes the town's port 443."""
        made = Account(self, name + ".test", asks, mirror or name + ".images.test", has_default)
        self.accounts.append(made)
        self.town.introduce(self.cluster.fleet)
        return made

    def registries(self) -> dict[str, Any]:
        """k3s_registries."""
        ca = str(self.ca)
        found: dict[str, Any] = {"mirrors": copy.deepcopy(self.other_mirrors), "configs": {}}
        for one in self.accounts:
            found["mirrors"].setdefault(one.mirror, {"endpoint": []})["endpoint"].append(one.registry.url)
            login = {"username": one.user, "password": one.password}
            found["configs"][one.host] = {"auth": login, "tls": {"ca_src": ca}}
            if one.default is not None:
                found["configs"][one.mirror] = {"tls": {"ca_src": ca}}
        return found

    def play(self, apply: str, playbook: str = SITE, *arguments: str, **more: Any) -> Run:
        variables = {
            "k3s_registries": self.registries(), "k3s_registries_apply": apply, "k3s_registries_rehearse": "never",
            "k3s_registries_canary_images": sorted({one.mirror + "/team/canary:1" for one in self.accounts}), **more,
        }  # fmt: skip
        return self.cluster.play(playbook, *arguments, variables=variables)

    def pull(self, image: str) -> None:
        """On every node."""
        self.cluster.everywhere("timeout 60 k3s crictl pull '%s'" % image)

    def tries_of_former(self, since: float) -> list[Any]:
        """What the nodes have sent of passwords that are no longer good."""
        nodes = {node.address for node in self.cluster.fleet.nodes}
        return [entry for entry in self.town.ledger.entries(since=since)
                if entry.login == FORMER and entry.address in nodes]  # fmt: skip

    def written(self) -> dict[str, str]:
        """The files below certs.d of every node, and their hashes."""
        return self.cluster.everywhere(_SUMS)

    def modes_of_headers(self) -> set[str]:
        """Of the files below certs.d with a header: "" on a node without one."""
        return set(self.cluster.everywhere(_WITH_HEADER).values())

    def processes(self) -> dict[str, str]:
        """K3s and containerd on every node: which processes, started when."""
        return self.cluster.everywhere(_PROCESSES)

    def restart(self, node: str) -> None:
        """As somebody else would."""
        self.cluster.sh(node, "systemctl restart " + self.cluster.service(node))
        wait = "until k3s crictl info 2>/dev/null | grep -q RuntimeReady; do sleep 0.2; done"
        self.cluster.sh(node, "timeout 120 sh -c '%s'" % wait)

    def pods(self) -> dict[str, Any]:
        """Name to phase and the moment since when each container runs."""
        listed = json.loads(workloads.kubectl(self.cluster.fleet, "get", "pods", "-A", "-o", "json"))["items"]
        return {
            item["metadata"]["name"]: (item["status"]["phase"], item["status"].get("containerStatuses"))
            for item in listed
        }

    def must_have_kept_the_secrets(self) -> None:
        """On every node: in its journal, and in files that others than root may read."""
        told = self.cluster.everywhere(SEARCH, self.cluster.secrets.patterns())
        assert told == dict.fromkeys(told, NOTHING_LEFT)


@contextlib.contextmanager
def login_fleet(name: str, folder: Path, servers: int, agents: int, containerd: str) -> Iterator[LoginFleet]:
    """A fleet and its town, without an account yet."""
    name = _PREFIX + name
    up.down(name)
    fleet = up.up(name, servers, agents, "k3s", "auto", 40, containerd=containerd)
    if fleet.k3s == "real":
        real_pods.allow(fleet)
    (folder / "vault-password").write_text("unused\n", encoding="utf-8")
    nothing: Mapping[str, Any] = {}
    secrets = Secrets({"the fleet's password": fleet.registry.password.split()[0]})
    try:
        with Town.of_fleet(fleet) as town:
            yield LoginFleet(Cluster(fleet, folder, nothing, secrets), town)
    finally:
        up.down(name)
