# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What K3s generated at its last start, read from the node.

K3s reads registries.yaml once, at its start, and writes one ``hosts.toml`` per registry and the credentials in
containerd's ``config.toml`` from it. Those files therefore tell which configuration the running K3s has loaded,
whatever the text of registries.yaml says by now.
"""

from __future__ import annotations

import os
import re

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.templates import read_templates
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import (
    AuthTableError,
    read_auth_tables,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import header

_AN_AUTH_TABLE = re.compile(r"\.registry\.configs\.")


def read_generated(paths: NodePaths) -> Generated:
    """Read what K3s generated. Folders without K3s' header line are someone else's and left out."""
    hosts: dict[str, str] = {}
    first_line = header(paths.distribution)
    for folder, folders, names in os.walk(paths.certs_d):
        folders.sort()
        if "hosts.toml" not in names:
            continue
        content = files.read(os.path.join(folder, "hosts.toml")).content
        text = (content or b"").decode("utf-8", "replace")
        if text.startswith(first_line):
            hosts[os.path.relpath(folder, paths.certs_d)] = text
    config = files.read(paths.containerd_config).content
    if config is None:
        return Generated(hosts, {}, False)
    text = config.decode("utf-8", "replace")
    try:
        auth = {host: dict(table) for host, table in read_auth_tables(text).items()}
    except AuthTableError:
        return Generated(hosts, None, True)
    # A template of the user's own may write them in a way that only containerd understands, or not at all.
    templates = read_templates(paths)
    readable = (bool(auth) or not _AN_AUTH_TABLE.search(text)) and (not templates or templates[0].writes_auth)
    return Generated(hosts, auth if readable else None, True)
