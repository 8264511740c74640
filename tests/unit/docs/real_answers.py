# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules' own code answers on nodes that have something of everything."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.filter.diagnose_pulls import diagnose_pulls
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import check, programs
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import canary, kubernetes
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import refusal

from tests.fleet import certificates
from tests.registry_faults import servers
from tests.unit.plugins.module_utils._probe.probing import mirrored, probe
from tests.unit.plugins.module_utils._pulls.containerd_log import failed, line, started
from tests.unit.plugins.module_utils._rehearsal.test_rehearsal import images, run, side, store
from tests.unit.plugins.plugin_utils._certificates.authority import DAY, NOW, issue
from tests.unit.plugins.plugin_utils._info.node import Node, managed
from tests.unit.plugins.plugin_utils._info.test_waiting import rotated

IMAGE = "quay.io/team/app:1"
PASSWORD = "CANARY-of-the-documents"


def info_of_everything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A configured node on which K3s has something else, behind a proxy, with a template and a setting."""
    node = Node(folder, monkeypatch)
    authority = issue("CA", ca=True)
    client = issue("node", issuer=authority)
    tls = {"ca_file": authority.pem, "cert_file": client.pem, "key_file": client.key}
    for name, text in tls.items():
        (folder / name).write_text(text)
        tls[name] = str(folder / name)
    auth = {"username": "robot", "password": PASSWORD, "expires": str((NOW + 20 * DAY).date())}
    node.apply(
        {
            "mirrors": {"docker.io": {"endpoint": ["https://r.example.com"], "rewrite": {"^a/": "b/"}}},
            "configs": {"r.example.com": {"auth": auth, "tls": tls}},
        }
    )
    node.write("system-default-registry: r.example.com\n", node.paths.config_dir + "/config.yaml.d/10-x.yaml")
    node.environment = [("unit", {"HTTPS_PROXY": "http://u:%s@proxy:3128" % PASSWORD})]
    node.start()
    node.write("version = 3\n", node.paths.agent_dir + "/etc/containerd/config-v3.toml.tmpl")
    path = node.paths.certs_d + "/docker.io/hosts.toml"
    node.write(Path(path).read_text().replace("r.example.com", "elsewhere.example.com"), path, 500)
    memory = Memory(node.paths)
    memory.write_record({**memory.record(), "programs": {"own": "0" * 64}})
    node.write(managed("providers: []\n"), node.paths.provider_config, 50)
    return {"info": node.info()}


def info_that_waits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A node with new credentials that K3s has not read yet."""
    return {"info": rotated(Node(folder, monkeypatch), monkeypatch)}


def probes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A registry with TLS, one that wants a password to be sent in clear text, none, and a credential provider."""
    authority = certificates.authority("CA")
    authority.write(folder / "ca")
    certificates.issue(authority, "server", ("127.0.0.1",)).write(folder / "server")
    context, ca = servers.server_context(folder / "server"), folder / "ca.crt"
    found = []
    with servers.HttpServer(servers.status(200), context=context) as server:
        found += probe(mirrored(server.port, tls={"ca_file": str(ca)}))
    challenge = {"WWW-Authenticate": 'Bearer realm="http://tokens.example.com/token",service="x"'}
    with servers.HttpServer(servers.status(401, **challenge), context=context) as server:
        auth = {"username": "robot", "password": PASSWORD}
        found += probe(mirrored(server.port, tls={"ca_file": str(ca)}, auth=auth), "mirrored.example.com/team/app:1")
    with servers.closed_port() as port:
        found += probe(mirrored(port))
    return {"endpoints": found, "providers": [_provider(folder), check.not_known("it is no YAML")]}


def _provider(folder: Path) -> dict[str, Any]:
    """One that answers, and whose answer containerd gives to somebody else too."""
    (folder / "etc").mkdir()
    paths = node_paths(config_dir=str(folder / "etc"), provider_bin_dir=str(folder / "bin"))
    said = {
        "kind": "CredentialProviderResponse",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "cacheKeyType": "Registry",
        "auth": {"quay.io": {"username": "robot", "password": PASSWORD}},
    }
    content = ("#!/bin/sh\ncat >/dev/null; echo '%s'\n" % json.dumps(said)).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    programs.keep(paths.provider_bin_dir, sha256, io.BytesIO(content))
    provider = Provider("own", sha256, ("quay.io",), "5m")
    programs.place(paths.provider_bin_dir, [provider])

    def ask(_image: str, _credential: Any) -> dict[str, Any]:
        return {"cause": "ok", "message": "", "fix": "", "findings": ["containerd gives it to m.example.com too"]}

    (found,) = check.check(paths, [provider], ["quay.io/team/app"], {"PATH": "/usr/bin:/bin"}, ask)
    return found


def canaries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One image that can be pulled, and one that cannot."""
    paths = node_paths(data_dir=str(folder))
    log = Path(paths.containerd_log)
    log.parent.mkdir(parents=True)
    log.write_text("\n".join(_log("2033-05-18T03:33:21Z")) + "\n")
    pulls = []
    for outcome in (Outcome(0, "", ""), Outcome(1, "", "not found")):
        monkeypatch.setattr(kubernetes, "crictl", lambda *_arguments, outcome=outcome, **_more: outcome)
        pulled = canary.pull(paths, IMAGE, 10, {}, now=lambda: 2_000_000_000.0)
        # As the module does it.
        pulls.append(dict(pulled, new=pulled["ok"]))
    return {"pulls": pulls}


def diagnosis() -> dict[str, Any]:
    return {"pulls": diagnose_pulls("\n".join(_log("2026-11-24T01:59:51Z")), {})}


def _log(time: str) -> list[str]:
    """The lines of a pull that fails at a mirror."""
    lines = [
        started(IMAGE),
        line("trying next host after status: 404 Not Found", host="m.example.com:5000"),
        failed(IMAGE, 'failed to resolve reference "%s": %s: not found' % (IMAGE, IMAGE)),
    ]
    return [text.replace(text.split('"')[1], time, 1) for text in lines]


def rehearsal() -> dict[str, Any]:
    """A mirror with another image under the tag, and without a second one."""
    old, new = store("team/app", "team/gone"), servers.Store()
    new.image("team/app", "1", ("amd64", "arm64"))
    runs = servers.digest_of(old.manifests["team/app", "1"][1])
    used = images("team/app:1", "team/gone:1", digests=(runs,), users=("pod default/app",))
    with servers.HttpServer(old) as before, servers.HttpServer(new) as after:
        found = run(used, *(side(["http://127.0.0.1:%d" % server.port]) for server in (before, after)))
    told = {**found.as_dict(), "unreadable": ["no:image:name"], "effect": ["docker.io comes from elsewhere"]}
    # As the module does it.
    return {"rehearsal": {"problem": "", "refusal": refusal(found), **told}}


def everything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Hosts to questions to answers."""
    made = {}
    for name, make in {
        "info": info_of_everything, "waits": info_that_waits, "probe": probes, "canary": canaries,
    }.items():  # fmt: skip
        (folder / name).mkdir()
        with monkeypatch.context() as patch:
            made[name] = make(folder / name, patch)
    full = {
        "info": made["info"], "applied": {"changed": False, "files": []}, "probe": made["probe"],
        "canary": made["canary"], "diagnosis": diagnosis(), "rehearsal": rehearsal(),
    }  # fmt: skip
    nothing: dict[str, Any] = {question: {} for question in full}
    failed_too = {"failed": True, "msg": "no python"}
    return {
        "full": full,
        "waits": {**copy.deepcopy(nothing), "info": made["waits"]},
        "gone": {**nothing, "info": {"unreachable": True, "msg": "no route to host"}},
        "broken": {
            **nothing,
            "info": made["waits"],
            "probe": failed_too,
            "applied": failed_too,
            "diagnosis": failed_too,
        },
    }
