# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of mirrors, rewrites, TLS, the default endpoint or credentials without a restart.

containerd reads ``certs.d/*/hosts.toml`` at every pull, so writing there the very bytes that K3s will write at its
next start brings a change of mirrors into force at once, and the next start changes nothing. Credentials stand in
config.toml, which containerd reads at its start only. Until then a header in hosts.toml makes up for them, if the
registry takes it: see ``_live_credentials``.

It is done only if there is no doubt about what K3s would write, that is, if everything it has written is
exactly what was predicted for the configuration before.
"""

from __future__ import annotations

import os
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import configured, staging
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials import doubts
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import (
    Changes,
    Reach,
    applied,
    changes,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.doubts import Doubt
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.header import without_headers
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.state import as_written, in_force
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import generated_address
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import Prediction, compare
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_text import go_quote

from . import expectation, files, installed_release, placing
from .desired import Desired
from .generations import GenerationDamaged, Generations
from .managed import is_certificate
from .paths import NodePaths

_NOTHING = Changes((), {}, {}, (), Reach())


class LivePlan(NamedTuple):
    """``texts`` is what to write, by registry; None, and ``doubt`` says why, if only a restart will do. ``before`` is
    what there is, ``bare`` the texts without headers, ``credentials`` what the headers are for."""

    texts: dict[str, str] | None
    doubt: str
    before: Mapping[str, str] = MappingProxyType({})
    bare: Mapping[str, str] = MappingProxyType({})
    credentials: Changes = _NOTHING

    def bring_into_force(self, paths: NodePaths) -> None:
        """Write the texts.

        :raises FileProblem: if one cannot be written.
        """
        _write(paths, self.before, self.texts or {})

    def take_back(self, paths: NodePaths) -> None:
        """Write what there was before.

        :raises FileProblem: if one cannot be written.
        """
        _write(paths, self.texts or {}, self.before)


def plan(node: Identity, desired: Desired, record: Mapping[str, Any], found: Generated, node_release: str) -> LivePlan:
    """Whether ``desired`` can come into force without a restart, and by which hosts.toml texts."""
    paths = node.paths
    if not desired.settings.get("live") or not desired.manages_registries:
        return LivePlan(None, "")
    if not installed_release.writes_current_hosts_toml(node_release):
        return LivePlan(None, "release %s writes hosts.toml in an older form" % (node_release or "unknown"))
    if not found.complete:
        return LivePlan(None, "K3s has not written containerd's config.toml")
    if found.auth is None:
        return LivePlan(None, Doubt(doubts.TEMPLATE).sentence)
    wanted_drop_in = next((item.content for item in desired.files if item.path == paths.drop_in), None)
    if files.read(paths.drop_in).content != wanted_drop_in:
        return LivePlan(None, "%s changes" % paths.drop_in)
    for reason in staging.reasons(paths, desired, node.service.started):
        return LivePlan(None, "%s, and the kubelet reads it at its start only" % reason)
    config = _config_before(paths, record)
    if config is None:
        return LivePlan(None, "registries.yaml was not written by the collection, or edited since")
    # Only the restart that is not wanted could change the embedded registry's address.
    told = generated_address(found.hosts, paths.agent_dir, paths.distribution)
    before = expectation.prediction(node, replace(desired, config=config), node_release, found, told)
    after = expectation.prediction(node, desired, node_release, found, told)
    decided = _texts(in_force(found, before.hosts, before.auth).found.hosts, before.hosts, after.hosts)
    if decided.texts is None:
        return decided
    needed = changes(decided.texts, found.auth, desired.auth)
    refused = [
        doubt.sentence for doubt in (*needed.doubts, *_doubts(paths, found, desired, decided.texts, before, needed))
    ]
    refused += [sentence for sentence in [_refused(paths, [*found.hosts, *decided.texts])] if sentence]
    if refused:
        return LivePlan(None, "; ".join(refused))
    return LivePlan(applied(decided.texts, needed.headers), "", as_written(found), decided.texts, needed)


def _doubts(
    paths: NodePaths,
    found: Generated,
    desired: Desired,
    texts: Mapping[str, str],
    before: Prediction,
    needed: Changes,
) -> Iterator[Doubt]:
    """Those about new credentials that only the node's files tell."""
    if not needed.keys:
        return
    if not found.headers and compare(found, before):
        yield Doubt(doubts.NOT_LOADED)
    for item in desired.files:
        if is_certificate(item.path) and not files.matches(item.path, item.content, item.mode):
            for directory in needed.headers:
                if go_quote(item.path) in texts[directory]:
                    yield Doubt(doubts.CERTIFICATES_CHANGE, directory)
    if needed.headers:
        yield from _of_providers(paths, needed.reach)


def _of_providers(paths: NodePaths, reach: Reach) -> Iterator[Doubt]:
    """What the kubelet hands over for a pod is used only after a 401, as a pod's own secret is."""
    known = configured.known(paths)
    if known.problem:
        yield Doubt(doubts.PROVIDERS_UNKNOWN, known.problem)
    for provider in known.providers:
        is_for = any(configured.is_for(provider, registry) for registry in reach.registries)
        if is_for or (reach.others and configured.is_for_others(provider, reach.known)):
            yield Doubt(doubts.PROVIDER, provider.name)


def _config_before(paths: NodePaths, record: Mapping[str, Any]) -> Any:
    """The configuration in place, None if that is not certain."""
    if files.read(paths.registries_yaml).content is None:
        return normalise({})
    if placing.is_edited(paths, dict(record)):
        return None
    try:
        return Generations(paths).desired(int(record["generation"])).config
    except GenerationDamaged:
        return None


def _texts(found: Mapping[str, str], before: Sequence[Mapping[str, str]], after: Sequence[dict[str, str]]) -> LivePlan:
    if len(before) != 1 or len(after) != 1 or dict(before[0]) != dict(found):
        return LivePlan(None, "certs.d is not exactly what K3s writes for the configuration before")
    if any("/" in host or host in (".", "..") for host in [*after[0], *found]):
        return LivePlan(None, "a registry's name is not one folder below certs.d")
    return LivePlan(after[0], "")


def _refused(paths: NodePaths, hosts: Sequence[str]) -> str:
    """Why the collection must not write below certs.d, "" if it may. K3s itself may do so at its start."""
    try:
        for host in hosts:
            files.check(os.path.join(paths.certs_d, host, "hosts.toml"), through_link=False)
    except files.FileProblem as problem:
        return str(problem)
    return ""


def _write(paths: NodePaths, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """With the mode that K3s uses, or root's alone if a text holds a header."""
    writes = files.Writes()
    for host, text in after.items():
        folder = os.path.join(paths.certs_d, host)
        files.make_directory(paths.certs_d, 0o700)
        files.make_directory(folder, 0o700)
        path = os.path.join(folder, "hosts.toml")
        mode = 0o600 if without_headers(text)[1] else 0o644
        if not files.matches(path, text.encode("utf-8"), mode):
            writes.add(path, text.encode("utf-8"), mode, through_link=False)
    writes.finish()
    for host in before:
        if host not in after:
            folder = os.path.join(paths.certs_d, host)
            files.remove(os.path.join(folder, "hosts.toml"), through_link=False)
            files.remove_empty_directory(folder)
