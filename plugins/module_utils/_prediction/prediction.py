# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What K3s will generate from a configuration on a node, and how that differs from what it has generated.

Computed here and nowhere else: what stages, commits, changes live and adopts, and what reports, renders the result.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import HostsTomlError, hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import known_release

from .circumstances import Circumstances, usual_address
from .fingerprint import circumstances_key, fingerprint, settings_of
from .generated import Generated

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

MISSING, UNEXPECTED, DIFFERS = "missing", "unexpected", "differs"
CONFIG_TOML = "config.toml"
CERTS_D = "certs.d"


class Prediction(NamedTuple):
    """``hosts`` are the sets of hosts.toml texts that K3s may generate, by directory below certs.d: more than one if
    the node cannot tell; none if the release's texts cannot be told. ``auth`` are the tables of credentials.
    ``comes_on`` is set if beside that the embedded registry is to come on, at an address that the node cannot tell."""

    hosts: tuple[dict[str, str], ...]
    auth: dict[str, dict[str, str]]
    comes_on: bool = False

    @property
    def certain(self) -> bool:
        """Whether what K3s generates tells which configuration it has loaded."""
        return bool(self.hosts)


class Difference(NamedTuple):
    """One place in which what there is differs from what is wanted. ``file`` is ``config.toml``, a hosts.toml below
    certs.d, or ``certs.d`` itself, which lacks the embedded registry. ``registry`` is the one that it is about,
    ``kind`` is ``missing``, ``unexpected`` or ``differs``. ``found`` and ``wanted`` are texts of hosts.toml, and for
    credentials the names of what is set, never a secret."""

    file: str
    registry: str
    kind: str
    found: str
    wanted: str


def predict(config: Config | None, around: Circumstances) -> Prediction:
    """What K3s will generate from ``config`` (None: not known) under the circumstances of a node."""
    if config is None:
        return Prediction((), {})
    auth = {host: dict(table) for host, table in auth_tables(config).items()}
    found: list[dict[str, str]] = []
    try:
        for address in around.embedded:
            texts = hosts_toml(
                config, around.default_endpoint, address, around.distribution, known_release(around.release),
                embedded_mirror_tls=around.embedded_tls,
            )  # fmt: skip
            # A key with a scheme or with dots in its path ends in a cleaned directory name.
            cleaned = {os.path.normpath(host): text for host, text in texts.items()}
            if cleaned not in found:
                found.append(cleaned)
    except HostsTomlError:
        return Prediction((), auth)
    return Prediction(tuple(found), auth, around.comes_on)


def usual_fingerprints(config: Config, distribution: str, agent_dir: str) -> dict[str, str]:
    """The fingerprints of what a current release generates with the default endpoint on and off, and the embedded
    registry off and at its usual address, by the key of these circumstances."""
    found = {}
    for default_endpoint in (True, False):
        for address in ("", usual_address(distribution)):
            around = Circumstances(distribution, agent_dir, "", default_endpoint, (address,))
            key = circumstances_key(distribution, agent_dir, default_endpoint, address)
            found[key] = fingerprint(predict(config, around).hosts[0])
    return found


def compare(found: Generated, wanted: Prediction) -> list[Difference]:
    """In what ``found`` differs from the nearest of what was predicted; empty when it is loaded, or in force without
    having been loaded: see ``_live_credentials/state.py``."""
    found, in_force = _in_force(found, wanted)
    candidates = [_of_hosts(found.hosts, texts) for texts in wanted.hosts]
    nearest = min(candidates, key=len) if candidates else []
    if wanted.comes_on:
        nearest = [Difference(CERTS_D, "", MISSING, "", ""), *nearest]
    of_auth = _of_auth(found.auth, wanted.auth) if found.auth is not None else []
    return nearest + [item for item in of_auth if item.registry not in in_force]


def _in_force(found: Generated, wanted: Prediction) -> tuple[Generated, tuple[str, ...]]:
    if not found.headers:
        return found, ()
    # Imported here: hardly any node has headers, and containerd's rules for hosts.toml come with them.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.state import in_force

    return in_force(found, wanted.hosts, wanted.auth)[:2]


def _of_hosts(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[Difference]:
    listed = []
    for host in sorted(set(wanted) | set(found)):
        have, want = found.get(host), wanted.get(host)
        if have is None or want is None or settings_of(have) != settings_of(want):
            listed.append(Difference("certs.d/%s/hosts.toml" % host, host, _kind(have, want), have or "", want or ""))
    return listed


def _of_auth(found: Mapping[str, Mapping[str, str]], wanted: Mapping[str, Mapping[str, str]]) -> list[Difference]:
    listed = []
    for host in sorted(set(found) | set(wanted)):
        have, want = found.get(host), wanted.get(host)
        if have is None or want is None or dict(have) != dict(want):
            listed.append(Difference(CONFIG_TOML, host, _kind(have, want), _keys(have), _keys(want)))
    return listed


def _kind(have: object | None, want: object | None) -> str:
    return MISSING if have is None else UNEXPECTED if want is None else DIFFERS


def _keys(table: Mapping[str, str] | None) -> str:
    """Which keys are set: what may be said of credentials."""
    return ", ".join(key for key, value in sorted((table or {}).items()) if value)
