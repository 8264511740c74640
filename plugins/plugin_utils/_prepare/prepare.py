# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the user wrote to the wanted state of the nodes: lint, certificates, rendering.

All of it happens on the controller, before any node is touched.
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.stated import stated_ends
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import (
    ABSENT,
    PRESENT,
    SETTINGS,
    Desired,
    DesiredFile,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import MARKER, NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import usual_fingerprints
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._certificates.bundle import check_bundle
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.given import Given
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode

from . import describe, sources
from .once import once

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


@dataclass(frozen=True)
class Settings:
    """Settings beside registries.yaml. None: left alone, whatever the node has.

    ``live`` lets changes come into force without a restart where that is certain to work, ``settle`` restarts where
    one has, and K3s has not started since.
    ``credential_store`` has the kubelet hand out credentials where they go nowhere else.
    ``embedded_registry`` and ``system_default_registry`` are server settings; agents get them from the server.
    """

    disable_default_endpoint: bool | None = None
    embedded_registry: bool | None = None
    system_default_registry: str | None = None
    keep_generations: int = 3
    live: bool = False
    settle: bool = False
    credential_store: bool = False


@dataclass
class Prepared:
    """``desired`` is None when ``findings`` has errors. ``warnings`` are findings as sentences."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    desired: Desired | None = None

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [finding for finding in self.findings if finding["level"] == "error"]

    @property
    def warnings(self) -> list[dict[str, Any]]:
        return [finding for finding in self.findings if finding["level"] != "error"]


def prepare(
    given: Given,
    settings: Settings,
    paths: NodePaths,
    read_file: Callable[[str], bytes],
    now: datetime.datetime | None = None,
    shared_folder: str = "",
) -> Prepared:
    """Check the certificates of a configuration and make the wanted state of a node from it.

    :param given: the user's ``k3s_registries``: K3s' own keys and the collection's ``tls.*_src`` and ``*_content``,
        and ``auth.expires``.
    :param read_file: reads a certificate file of the controller, decrypting vault files.
    :param shared_folder: where the processes of a run share what one of them has computed; "" computes all here.
    :raises SourceProblem: when a certificate source cannot be read.
    """
    prepared = Prepared(findings=list(given.findings))
    config = given.config or {}
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
    ends = stated_ends(config)
    shipped_files = [
        DesiredFile(path, _as_file(source.text), mode)
        for source, (path, mode) in sources.on_the_node(paths.cert_dir, shipped).items()
    ]
    prepared.desired = Desired(
        kind=PRESENT,
        shipped=tuple(shipped_files),
        registries_text=MARKER + "\n" + encode(normal),
        config=normal,
        settings=vars(settings),
        description=describe.description(normal, certificates, ends),
        certificates=tuple(certificates),
        registries=tuple(sorted(normal["mirrors"]) or sorted(normal["configs"])),
        fingerprints=once(
            shared_folder,
            [json.dumps(normal, sort_keys=True), paths.distribution, paths.agent_dir],
            lambda: usual_fingerprints(normal, paths.distribution, paths.agent_dir),
        ),
        expires=ends,
    )
    return prepared


def settings_only(settings: Settings) -> Desired:
    """The wanted state of a node of which only K3s' settings are to be managed: registries.yaml is left as it is."""
    return _without_registries(SETTINGS, None, vars(settings))


def nothing(settings: Settings) -> Desired:
    """The wanted state of a node on which nothing of ours will be left."""
    kept = {"keep_generations": settings.keep_generations, "live": settings.live}
    return _without_registries(ABSENT, normalise({}), kept)


def _without_registries(kind: str, config: Config | None, settings: dict[str, Any]) -> Desired:
    return Desired(
        kind=kind, shipped=(), registries_text=None, config=config, settings=settings, description="", certificates=(),
        registries=(),
    )  # fmt: skip


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
