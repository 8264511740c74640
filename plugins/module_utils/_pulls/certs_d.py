# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads back which endpoints are configured, from the hosts.toml files that K3s has generated.

A node has no YAML parser, but these files have one host per ``[host."<url>"]`` line and no credentials.
"""

from __future__ import annotations

import os
import re
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import names_in, regular_only
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import is_embedded
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import registry_of

from .image_names import url_host

_HOST = re.compile(
    r'^[ \t]{0,64}\[[ \t]{0,9}host[ \t]{0,9}\.[ \t]{0,9}["\']([^"\'\n]{1,4096})["\'][ \t]{0,9}\][ \t\r]{0,64}$',
    re.MULTILINE,
)
_CLIENT = re.compile(r"^[ \t]{0,64}client[ \t]{0,9}=([^\n]{0,4096})", re.MULTILINE)
_PATH = re.compile(r"[\"']([^\"']{1,4096})[\"']")
_LARGEST = 1 << 20


def configured_mirrors(certs_d: str) -> dict[str, Any]:
    """``{"mirrors": {registry: {"endpoint": [...]}}, "configs": None}`` of a certs.d folder; {} if there is none.

    ``configs`` is None because hosts.toml does not tell of credentials: nothing may be concluded from it.
    ``client_hosts`` are the hosts that are shown a client certificate, ``embedded_hosts`` those of them that are K3s'
    embedded registry.
    """
    mirrors: dict[str, Any] = {}
    with_client: dict[str, list[str]] = {}
    for directory in names_in(certs_d):
        try:
            path = os.path.join(certs_d, directory, "hosts.toml")
            with open(path, encoding="utf-8", errors="replace", opener=regular_only) as file:
                text = file.read(_LARGEST)
        except OSError:
            continue
        # The text before the first table, then each host's URL with what stands in its table.
        _before, *hosts = _HOST.split(text)
        mirrors[registry_of(directory)] = {"endpoint": hosts[::2]}
        for url, table in zip(hosts[::2], hosts[1::2]):
            client = _CLIENT.search(table)
            if client:
                with_client.setdefault(url_host(url), []).extend(_PATH.findall(client.group(1)))
    if not mirrors:
        return {}
    embedded = sorted(host for host, files in with_client.items() if is_embedded(host, files))
    return {"mirrors": mirrors, "configs": None, "client_hosts": sorted(with_client), "embedded_hosts": embedded}
