# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's K3s has generated, held against what its configuration leads to."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.names import EMBEDDED_HOSTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import MASK, redact, visible
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import Release
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._info.settings import Settings

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


_LONGEST_DIFF = 1 << 16
_MOST_LINES = 1000


def embedded_addresses(settings: Settings, hosts: Mapping[str, str], role: str) -> list[str]:
    """The addresses at which K3s may have put its embedded mirror, "" for none.

    Only a server's settings say whether it is on; an agent is told by its server, so what it has generated decides.
    """
    used = [
        address for address in EMBEDDED_HOSTS if any('"https://%s/v2"' % address in text for text in hosts.values())
    ]
    on = settings.flag("embedded-registry")
    if role == "server" and not on:
        return [""]
    if role == "server":
        return used or ["127.0.0.1:%s" % (settings.value("https-listen-port") or 6443)]
    return ["", *used]


def predictions(
    config: Config,
    settings: Settings,
    addresses: Sequence[str],
    distribution: str,
    agent_dir: str,
    release: Release | None,
) -> list[dict[str, str]]:
    """The hosts.toml texts that K3s may generate: one set for each place of the embedded mirror.

    :raises HostsTomlError: where this release's texts cannot be told.
    """
    stem = "%s/client-%s-controller" % (agent_dir, distribution)
    tls = {"ca_file": agent_dir + "/server-ca.crt", "cert_file": stem + ".crt", "key_file": stem + ".key"}
    default_endpoint = not settings.flag("disable-default-registry-endpoint")
    return [
        hosts_toml(config, default_endpoint, address, distribution, release, embedded_mirror_tls=tls)
        for address in addresses
    ]


def differences(
    generated: Mapping[str, Any], predicted: Sequence[Mapping[str, str]], config: Config, with_auth: bool
) -> list[dict[str, str]]:
    """``{file, kind, diff}`` for each generated file that is not as predicted, without secrets.

    :param with_auth: false where a custom template decides what becomes of the credentials.
    """
    candidates = [_of_hosts(generated, texts) for texts in predicted]
    found = min(candidates, key=len) if candidates else []
    if with_auth and generated["auth_readable"]:
        found = found + _of_auth(generated, auth_tables(config))
    return found


def _of_hosts(generated: Mapping[str, Any], predicted: Mapping[str, str]) -> list[dict[str, str]]:
    found: Mapping[str, str] = generated["hosts"]
    # A key with a scheme or with dots in its path ends in a cleaned directory name.
    wanted = {os.path.normpath(host): text for host, text in predicted.items()}
    listed = []
    for host in sorted(set(wanted) | set(found)):
        path = os.path.join(generated["certs_d"], host, "hosts.toml")
        have, want = found.get(host), wanted.get(host)
        if have is None or want is None or _settings(have) != _settings(want):
            kind = "missing" if have is None else "unexpected" if want is None else "differs"
            listed.append({"file": path, "kind": kind, "diff": _diff(have or "", want or "")})
    return listed


def _settings(text: str) -> list[str]:
    """The lines that matter: releases differ in blank lines and in an empty ``[host]`` table before the others."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and line.strip() != "[host]"]


def _diff(found: str, predicted: str) -> str:
    lines = difflib.unified_diff(_lines(found), _lines(predicted), "generated", "predicted", lineterm="")
    return "".join(visible(line) + "\n" for line in lines)


def _lines(text: str) -> list[str]:
    """No more than anybody reads: comparing two long texts takes time in proportion to the product of their lengths."""
    return redact(text[:_LONGEST_DIFF]).splitlines()[:_MOST_LINES]


def _of_auth(generated: Mapping[str, Any], wanted: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    found: Mapping[str, Mapping[str, str]] = generated["auth"]
    listed = []
    for host in sorted(set(found) | set(wanted)):
        have, want = found.get(host), wanted.get(host)
        if have is not None and want is not None and dict(have) == dict(want):
            continue
        kind = "missing" if have is None else "unexpected" if want is None else "differs"
        lines = ["--- generated", "+++ predicted"]
        lines += ['-credentials for "%s": %s' % (host, _shown(have))] if have is not None else []
        lines += ['+credentials for "%s": %s' % (host, _shown(want))] if want is not None else []
        listed.append({"file": generated["config_toml"], "kind": kind, "diff": "".join(line + "\n" for line in lines)})
    return listed


def _shown(table: Mapping[str, str]) -> str:
    """Which keys are set. Even two hidden values that differ are shown alike."""
    return ", ".join("%s=%s" % (key, MASK) for key, value in sorted(table.items()) if value) or "empty"
