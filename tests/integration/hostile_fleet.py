# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile servers of ``tests/hostile`` as registries of a fleet: at this machine's address in its network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.hostile import answers, registries
from tests.hostile.certificates import ESCAPES, Pki
from tests.hostile.mirroring import Registry
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.server import App, HostileServer, Request
from tests.integration.cluster import Cluster
from tests.registry_faults.servers import Reply, json_reply

LIE = "sha256:" + "ab" * 32
PYTHON = "/usr/local/bin/measured-python"
_PEAKS = "/run/module-peaks"
# Modules come through its standard input. The most memory that one of them has had, in KiB, goes into a file.
_MEASURED = f"""\
#!/usr/bin/python3
import os, sys
child = os.fork()
if not child:
    os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv[1:])
_pid, status, usage = os.wait4(child, 0)
with open("{_PEAKS}", "a") as peaks:
    peaks.write("%d\\n" % usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
"""


class HostileFleet:
    """Every hostile server is the mirror of a registry of its own name, ``NAME.test``, whose image ``team/app:1`` it
    says that it has.

    :ivar servers: by name.
    :ivar images: what the nodes may be asked to pull, by the server's name.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self._gateway = cluster.fleet.subnet.rpartition(".")[0] + ".1"
        self.network = Neighbourhood(folder, Pki(folder), self._gateway)
        self.ledger = self.network.ledger
        self.servers: dict[str, HostileServer] = {}
        self._auth: dict[str, dict[str, str]] = {}
        self._thieves()
        self._liars()
        for name, app in {
            "continue": answers.endless_continue, "headers": answers.endless_headers, "body": answers.endless_body,
            "chunks": answers.endless_chunks, "drip": answers.dripping_body, "huge": answers.large(1536),
            "deep": answers.deep_json, "broken": answers.BROKEN["binary"], "hangup": answers.BROKEN["nothing"],
            "escapes": answers.escapes(),
        }.items():  # fmt: skip
            self._add(name, app)
        odd = self.network.pki.with_escapes("painted", (self._name("painted"),), trusted=False)
        self._add("painted", registries.filled(), certificate=odd)
        self.images = {name: f"{self._name(name)}/{registries.REPOSITORY}:{registries.TAG}" for name in self.servers}

    @staticmethod
    def _name(name: str) -> str:
        return name + ".test"

    def _add(self, name: str, app: App, **options: Any) -> HostileServer:
        self.servers[name] = made = self.network.server(self._name(name), app, **options)
        return made

    def secret(self, name: str) -> str:
        """A canary that the ledger and the cluster look for."""
        text = self.network.secret(name)
        self.cluster.secrets.add_canary(name, text.partition(" ")[0])
        return text

    def _login(self, name: str, secret: str) -> None:
        self._auth[name] = {"username": "robot", "password": secret}

    def _thieves(self) -> None:
        """They send whoever asks to where a password of theirs, or of others, would be told to the wrong one."""
        vault, own, clear = (self.secret(name) for name in ("vault", "own", "clear"))
        self._add("vault", registries.basic("robot", vault))
        self._add("thief", registries.redirect(self.servers["vault"].url))
        self._add("stripper", registries.basic("robot", own, registries.redirect(
            self.network.server("plain.test", registries.filled(), tls=False).url)))  # fmt: skip
        self._add("downgrade", registries.bearer(
            self.network.server("tokens.test", registries.token_server("a-token"), tls=False).url + "/token", "a-token"
        ))  # fmt: skip
        for name, secret in (("vault", vault), ("stripper", own), ("downgrade", clear)):
            self._login(name, secret)

    def _liars(self) -> None:
        told = self.secret("told")

        def telling(request: Request) -> Reply:
            words = ESCAPES + "\nok: [server-1]\n" + told
            return json_reply({"errors": [{"code": "DENIED", "message": words}]}, 403)

        self._add("words", registries.asking('Basic realm="x"', telling, registries.basic_header("robot", told)))
        self._login("words", told)
        self._add("liar", registries.lying(registries.filled(), LIE))

    def check(self) -> None:
        """No credential came to a host, or in a scheme, that it does not belong to."""
        servers = self.servers
        self.ledger.check(vault=[servers["vault"]], own=[servers["stripper"]], told=[servers["words"]])

    def configuration(self) -> dict[str, Any]:
        """k3s_registries: the cluster's own registry, and all of these."""
        own = self.cluster.variables["k3s_registries"]
        found: dict[str, Any] = {"mirrors": {**own["mirrors"]}, "configs": {**own["configs"]}}
        for name, server in self.servers.items():
            found["mirrors"][self._name(name)] = {"endpoint": [server.url]}
            found["configs"][server.host] = self._settings(name)
        return found

    def _settings(self, name: str) -> dict[str, Any]:
        login = {"auth": self._auth[name]} if name in self._auth else {}
        return {"tls": {"ca_src": str(self.network.ca)}, **login}

    def mirroring(self, target: HostileServer, good: HostileServer) -> dict[str, Any]:
        """The variables of mirror_images that take every image from its hostile server, by its address, each into
        a folder of its server's name."""
        hosts = {name: server.direct.partition("://")[2] for name, server in {**self.servers, "good": good}.items()}
        return {
            "k3s_registries": {
                "mirrors": {
                    self._name(name): {"endpoint": [target.direct], "rewrite": {"^(.*)$": name + "/$1"}}
                    for name in hosts
                },
                "configs": {target.direct.partition("://")[2]: self._settings("target")},
            },
            "k3s_image_mirror_images": [*self.images.values(), f"good.test/{registries.REPOSITORY}:1"],
            "k3s_image_mirror_source_registries": {self._name(name): "https://" + host for name, host in hosts.items()},
            "k3s_image_mirror_source_configs": {host: self._settings(name) for name, host in hosts.items()},
            "k3s_image_mirror_platforms": ["linux/amd64"], "k3s_image_mirror_retries": 0,
            "k3s_image_mirror_timeout": 3, "k3s_image_mirror_copy_timeout": 6,
        }  # fmt: skip

    def foreign(self) -> str:
        """A registries.yaml as somebody has pasted it, with canaries where people put passwords."""
        url, name, parameter, token, auth = (
            self.secret("foreign " + place).partition(" ")[0] for place in ("url", "name", "parameter", "token", "auth")
        )
        return yaml.safe_dump({
            "mirrors": {
                "quay.io": {"endpoint": [f"https://admin:{url}@foreign.test/v2", f"https://foreign.test/?sig={parameter}"]},
                f"admin:{name}@foreign.test": {"endpoint": ["https://foreign.test"]},
            },
            "configs": {
                "foreign.test": {"auth": {"username": "a", "password": auth}},
                "other.test": {"auth": {"identity_token": token}},
            },
        })  # fmt: skip

    def registry(self, name: str) -> tuple[HostileServer, Registry]:
        """An honest registry that takes uploads."""
        store = Registry()
        return self.network.server(self._name(name), store), store

    def introduce(self) -> None:
        """Tell the nodes the servers' names, and have the memory of modules measured on them."""
        names = "".join(f"{self._gateway} {self._name(name)}\n" for name in [*self.servers, "plain", "tokens"])
        self.cluster.everywhere("cat >> /etc/hosts", names.encode())
        self.cluster.everywhere(f"cat > {PYTHON}; chmod 0755 {PYTHON}; touch {_PEAKS}", _MEASURED.encode())

    def modules_mebibytes(self) -> float:
        """The most that a module has had on a node since the last time, 0 where none ran."""
        told = self.cluster.everywhere(f"cat {_PEAKS}; : > {_PEAKS}")
        return max((int(line) for text in told.values() for line in text.split()), default=0) / 1024

    def close(self) -> None:
        self.cluster.everywhere(f"sed '/^{self._gateway} /d' /etc/hosts > /run/hosts; cat /run/hosts > /etc/hosts; "
                                f"rm -f {PYTHON} {_PEAKS}")  # fmt: skip
        self.network.close()
