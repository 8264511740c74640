# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the user wrote to the wanted state of one node: lint, certificates, rendering, prediction.

All of it happens on the controller, before any node is touched.
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired, DesiredFile
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import MARKER, NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._certificates.bundle import check_bundle
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare import describe, sources
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.once import once
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode

_EMBEDDED_MIRROR = "127.0.0.1:6443"


@dataclass(frozen=True)
class Settings:
    """Settings beside registries.yaml. None: left alone, whatever the node has.

    ``live`` lets changes come into force without a restart where that is certain to work.
    ``embedded_registry`` and ``system_default_registry`` are server settings; agents get them from the server.
    """

    disable_default_endpoint: bool | None = None
    embedded_registry: bool | None = None
    system_default_registry: str | None = None
    keep_generations: int = 3
    live: bool = False


@dataclass
class Prepared:
    """``desired`` is None when ``findings`` has errors. ``warnings`` are findings as sentences."""

    findings: list[dict[str, str]] = field(default_factory=list)
    desired: Desired | None = None

    @property
    def errors(self) -> list[dict[str, str]]:
        return [finding for finding in self.findings if finding["level"] == "error"]

    @property
    def warnings(self) -> list[dict[str, str]]:
        return [finding for finding in self.findings if finding["level"] != "error"]


def prepare(
    config: Mapping[str, Any],
    settings: Settings,
    paths: NodePaths,
    read_file: Callable[[str], bytes],
    now: datetime.datetime | None = None,
    shared_folder: str = "",
) -> Prepared:
    """Check ``config`` and make the wanted state of a node from it.

    :param config: the user's ``k3s_registries``: K3s' own keys and the collection's ``tls.*_src`` and ``*_content``.
    :param read_file: reads a certificate file of the controller, decrypting vault files.
    :param shared_folder: where the processes of a run share what one of them has computed; "" computes all here.
    :raises SourceProblem: when a certificate source cannot be read.
    """
    prepared = Prepared()
    prepared.findings.extend(lint(config, default_endpoint=not settings.disable_default_endpoint, shipping_keys=True))
    if prepared.errors:
        return prepared
    shipped = sources.collect(config, read_file)
    findings, certificates = once(
        shared_folder,
        [part for source in shipped for part in source] + [json.dumps(verified_hosts(config))],
        lambda: _check_certificates(
            shipped, verified_hosts(config), now or datetime.datetime.now(datetime.timezone.utc)
        ),
    )
    prepared.findings.extend(findings)
    if prepared.errors:
        return prepared

    normal = normalise(sources.with_node_paths(config, shipped, paths.cert_dir))
    files = [
        DesiredFile(path, _as_file(source.text), mode)
        for source, (path, mode) in sources.on_the_node(paths.cert_dir, shipped).items()
    ]
    drop_in = _drop_in(settings, paths.node_role)
    if drop_in:
        files.append(DesiredFile(paths.drop_in, drop_in.encode("utf-8"), 0o600))
    files.append(DesiredFile(paths.registries_yaml, (MARKER + "\n" + encode(normal)).encode("utf-8"), 0o600))
    prepared.desired = Desired(
        files=tuple(files),
        predictions=predictions(normal, settings, paths),
        auth={host: dict(table) for host, table in auth_tables(normal).items()},
        shape=dict(describe.without_secrets(normal)),
        settings=vars(settings),
        description=describe.description(normal, drop_in, certificates),
        certificates=tuple(certificates),
        registries=tuple(sorted(normal["mirrors"]) or sorted(normal["configs"])),
    )
    return prepared


def nothing(settings: Settings, paths: NodePaths) -> Desired:
    """The wanted state of a node from which everything of ours is to go."""
    empty = normalise({})
    return Desired(
        files=(),
        predictions=predictions(empty, Settings(), paths),
        auth={},
        shape=dict(empty),
        settings={"keep_generations": settings.keep_generations, "live": settings.live},
        description="",
        certificates=(),
        registries=(),
    )


def predictions(normal: Any, settings: Settings, paths: NodePaths) -> tuple[dict[str, str], ...]:
    """The sets of hosts.toml texts that K3s may generate: one for each value a setting left alone may have."""
    defaults = [True, False] if settings.disable_default_endpoint is None else [not settings.disable_default_endpoint]
    mirrors = {None: ["", _EMBEDDED_MIRROR], True: [_EMBEDDED_MIRROR], False: [""]}[settings.embedded_registry]
    found: list[dict[str, str]] = []
    for mirror in mirrors:
        for default in defaults:
            texts = hosts_toml(
                normal, default, mirror, paths.distribution, embedded_mirror_tls=_embedded_mirror_tls(paths)
            )
            if texts not in found:
                found.append(texts)
    return tuple(found)


def _embedded_mirror_tls(paths: NodePaths) -> dict[str, str]:
    """Where K3s keeps the cluster's own certificates, with which the embedded mirror is reached."""
    stem = "%s/client-%s-controller" % (paths.agent_dir, paths.distribution)
    return {"ca_file": paths.agent_dir + "/server-ca.crt", "cert_file": stem + ".crt", "key_file": stem + ".key"}


def verified_hosts(config: Mapping[str, Any]) -> dict[str, str]:
    """The host, without port, that the certificate of each registry under ``configs`` has to name; "" where nothing is
    compared: where the key is not the host (the wildcard, docker.io), and where verification is switched off."""
    hosts = {}
    for registry, entry in (config.get("configs") or {}).items():
        tls = (entry or {}).get("tls") or {}
        host = re.sub(r":[0-9]*$", "", registry)
        hosts[registry] = "" if registry in ("*", "docker.io") or tls.get("insecure_skip_verify") else host
    return hosts


def _check_certificates(
    shipped: list[sources.Source], hosts: Mapping[str, str], now: datetime.datetime
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    findings: list[dict[str, str]] = []
    certificates: list[dict[str, Any]] = []
    for registry in dict.fromkeys(source.registry for source in shipped):
        texts = {source.part: source.text for source in shipped if source.registry == registry}
        where = {source.part: source.where for source in shipped if source.registry == registry}
        found, facts = check_bundle(
            ca=texts.get("ca"),
            cert=texts.get("cert"),
            key=texts.get("key"),
            now=now,
            sources=where,
            host=hosts.get(registry, ""),
        )
        findings.extend(found)
        certificates.extend(dict(fact, registry=registry) for fact in facts)
    return findings, certificates


def _as_file(text: str) -> bytes:
    """Certificates with Unix line ends and a final newline, so that the same one from a file, from a variable and
    from an AWX credential is the same file."""
    return (text.lstrip("\ufeff").replace("\r\n", "\n").strip() + "\n").encode("utf-8")


def _drop_in(settings: Settings, node_role: str) -> str:
    """The text for config.yaml.d, "" when nothing is set. K3s refuses to start an agent with a server's flag."""
    values: dict[str, Any] = {"disable-default-registry-endpoint": settings.disable_default_endpoint}
    if node_role == "server":
        values["embedded-registry"] = settings.embedded_registry
        values["system-default-registry"] = settings.system_default_registry
    lines = ["%s: %s" % (key, json.dumps(value)) for key, value in values.items() if value is not None]
    return "\n".join([MARKER, *lines]) + "\n" if lines else ""
