# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's state: SQLite for a lone server and real etcd for several, as K3s does."""

from __future__ import annotations

import base64
import http.client
import json
import os
import sqlite3
import subprocess
import threading
from typing import Any, NamedTuple, Protocol

from stand_in import process
from stand_in.node import Node

Members = list[dict[str, Any]]


class Unavailable(Exception):
    """The store does not answer: no quorum, or not started."""


class Exists(Exception):
    """There is something under that key already."""


class Changed(Exception):
    """Somebody else wrote that key, or removed it, since it was read."""


class Entry(NamedTuple):
    key: str
    value: Any
    revision: int


class Store(Protocol):
    def start(self) -> None: ...
    def get(self, key: str) -> Entry | None: ...
    def list(self, prefix: str) -> list[Entry]: ...
    def create(self, key: str, value: Any) -> int: ...
    def replace(self, key: str, value: Any, revision: int) -> int: ...
    def delete(self, key: str) -> bool: ...
    def healthy(self) -> bool: ...
    def voting(self) -> bool: ...
    def members(self) -> Members | None: ...


class SQLite:
    def __init__(self, node: Node) -> None:
        self.path = node.data_dir + "/server/db/state.db"
        self.lock = threading.Lock()

    def start(self) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, value TEXT, revision INTEGER)")
        self.connection.execute("CREATE TABLE IF NOT EXISTS counter (revision INTEGER)")
        if not self.connection.execute("SELECT 1 FROM counter").fetchone():
            self.connection.execute("INSERT INTO counter VALUES (1)")

    def _write(self, statement: str, *values: Any) -> tuple[int, int]:
        with self.lock:
            revision = self.connection.execute(
                "UPDATE counter SET revision = revision + 1 RETURNING revision"
            ).fetchone()[0]
            rows = self.connection.execute(statement, [revision if v is ... else v for v in values]).rowcount
            return revision, rows

    def get(self, key: str) -> Entry | None:
        with self.lock:
            row = self.connection.execute("SELECT key, value, revision FROM entry WHERE key = ?", [key]).fetchone()
        return Entry(row[0], json.loads(row[1]), row[2]) if row else None

    def list(self, prefix: str) -> list[Entry]:
        with self.lock:
            rows = self.connection.execute(
                "SELECT key, value, revision FROM entry WHERE substr(key, 1, ?) = ? ORDER BY key", [len(prefix), prefix]
            ).fetchall()
        return [Entry(key, json.loads(value), revision) for key, value, revision in rows]

    def create(self, key: str, value: Any) -> int:
        revision, rows = self._write("INSERT OR IGNORE INTO entry VALUES (?, ?, ?)", key, json.dumps(value), ...)
        if not rows:
            raise Exists
        return revision

    def replace(self, key: str, value: Any, revision: int) -> int:
        new, rows = self._write(
            "UPDATE entry SET value = ?, revision = ? WHERE key = ? AND revision = ?",
            json.dumps(value),
            ...,
            key,
            revision,
        )
        if not rows:
            raise Changed
        return new

    def delete(self, key: str) -> bool:
        return bool(self._write("DELETE FROM entry WHERE key = ?", key)[1])

    def healthy(self) -> bool:
        return True

    def voting(self) -> bool:
        return False

    def members(self) -> None:
        """There are none to list."""


# As K3s has it: clients at 2379 with a certificate of etcd's own CA, on loopback and on the node's address; the JSON
# gateway and the metrics on loopback only. Here the gateway asks for no certificate, for the stand-in's own sake.
_GATEWAY = 2382
# How long the API's own checks and K3s' list of members wait for etcd.
_CHECK_SECONDS = 2.0


class Etcd:
    """One member of a static etcd cluster, spoken to through its JSON gateway."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Only from the main thread."""
        node = self.node
        folder = node.data_dir + "/server/db/etcd"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        name = node.etcd_name(node.name)
        with open(os.open(folder + "/name", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            handle.write(name)
        peers = ["%s=https://%s:2380" % (node.etcd_name(one), place) for one, place in sorted(node.servers.items())]
        tls = node.data_dir + "/server/tls/etcd/"
        command = [
            "/usr/bin/etcd",
            "--name=" + name,
            "--data-dir=" + folder,
            "--listen-client-urls=https://127.0.0.1:2379,https://%s:2379,http://127.0.0.1:%d"
            % (node.address, _GATEWAY),
            "--advertise-client-urls=https://%s:2379" % node.address,
            "--listen-metrics-urls=http://127.0.0.1:2381",
            "--cert-file=" + tls + "server-client.crt",
            "--key-file=" + tls + "server-client.key",
            "--trusted-ca-file=" + tls + "server-ca.crt",
            "--client-cert-auth",
            "--listen-peer-urls=https://%s:2380" % node.address,
            "--initial-advertise-peer-urls=https://%s:2380" % node.address,
            "--peer-cert-file=" + tls + "peer-server-client.crt",
            "--peer-key-file=" + tls + "peer-server-client.key",
            "--peer-trusted-ca-file=" + tls + "peer-ca.crt",
            "--peer-client-cert-auth",
            "--initial-cluster=" + ",".join(peers),
            "--initial-cluster-state=new",
            "--initial-cluster-token=" + node.program,
            "--heartbeat-interval=200",
            "--election-timeout=1500",
            "--log-level=warn",
        ]
        with open(node.data_dir + "/server/db/etcd.log", "ab") as output:
            self.child = process.start(command, output, {"PATH": "/usr/bin:/bin"})

    def _post(self, path: str, request: Any, patience: float = 8.0) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", _GATEWAY, timeout=patience)
        try:
            connection.request("POST", "/v3/" + path, json.dumps(request))
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unavailable("etcdserver: %s" % error) from error
        finally:
            connection.close()
        if response.status != 200:
            raise Unavailable(str(answer.get("error", answer)))
        return answer

    @staticmethod
    def _code(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    @staticmethod
    def _entry(item: Any) -> Entry:
        return Entry(
            base64.b64decode(item["key"]).decode(),
            json.loads(base64.b64decode(item["value"])),
            int(item["mod_revision"]),
        )

    def get(self, key: str, patience: float = 8.0) -> Entry | None:
        items = self._post("kv/range", {"key": self._code(key)}, patience).get("kvs", [])
        return self._entry(items[0]) if items else None

    def list(self, prefix: str) -> list[Entry]:
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        items = self._post("kv/range", {"key": self._code(prefix), "range_end": self._code(end)}).get("kvs", [])
        return [self._entry(item) for item in items]

    def _put_if(self, compare: Any, key: str, value: Any) -> int | None:
        put = {"request_put": {"key": self._code(key), "value": self._code(json.dumps(value))}}
        answer = self._post("kv/txn", {"compare": [{"key": self._code(key), **compare}], "success": [put]})
        return int(answer["header"]["revision"]) if answer.get("succeeded") else None

    def create(self, key: str, value: Any) -> int:
        revision = self._put_if({"target": "VERSION", "version": "0"}, key, value)
        if revision is None:
            raise Exists
        return revision

    def replace(self, key: str, value: Any, revision: int) -> int:
        new = self._put_if({"target": "MOD", "mod_revision": str(revision)}, key, value)
        if new is None:
            raise Changed
        return new

    def delete(self, key: str) -> bool:
        return int(self._post("kv/deleterange", {"key": self._code(key)}).get("deleted", 0)) > 0

    def healthy(self) -> bool:
        """Whether a linearisable read works, which needs a quorum."""
        try:
            self.get("health", _CHECK_SECONDS)
        except Unavailable:
            return False
        return True

    def voting(self) -> bool:
        name = self.node.etcd_name(self.node.name)
        return any(member.get("name") == name and not member.get("isLearner") for member in self.members())

    def members(self) -> Members:
        """:raises Unavailable: without a quorum, as K3s' own etcd, which is newer, asks the others first."""
        self.get("health", _CHECK_SECONDS)
        return [
            {**member, "ID": int(member["ID"])} for member in self._post("cluster/member/list", {}).get("members", [])
        ]


def store_of(node: Node) -> Store:
    return Etcd(node) if node.has_etcd else SQLite(node)
