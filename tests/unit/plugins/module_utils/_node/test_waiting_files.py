# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FIFO at any place that is read on a node: whoever waits for its writer waits for ever."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import last_lines
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import OpenRC
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.hosts_file import hosts_in
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import read_node
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.trust import Trust
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.log_files import read_log_file
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure

from tests.unit.plugins.plugin_utils._certificates.authority import issue


def _trust(folder: Path, **settings: Any) -> Any:
    issued = issue("node")
    (folder / "good.crt").write_text(issued.pem)
    (folder / "good.key").write_text(issued.key)
    return Trust({"SSL_CERT_FILE": str(folder / "good.crt")}).contexts(settings)


READERS: dict[str, Callable[[Path, str], Any]] = {
    "ca": lambda folder, fifo: _trust(folder, ca_files=[fifo]),
    "client certificate": lambda folder, fifo: _trust(folder, client_pairs=[(fifo, str(folder / "good.key"))]),
    "client key": lambda folder, fifo: _trust(folder, client_pairs=[(str(folder / "good.crt"), fifo)]),
    "SSL_CERT_FILE": lambda _folder, fifo: Trust({"SSL_CERT_FILE": fifo}),
    "SSL_CERT_DIR": lambda folder, fifo: Trust({"SSL_CERT_DIR": os.path.dirname(fifo)}),
    "hosts.toml, probed": lambda _folder, fifo: hosts_in(os.path.dirname(fifo), "docker.io"),
    "hosts.toml, diagnosed": lambda folder, _fifo: configured_mirrors(str(folder)),
    "config.toml": lambda folder, fifo: read_node(str(folder), fifo),
    "containerd.log": lambda _folder, fifo: list(read_log_file(fifo)),
    "the end of containerd.log": lambda _folder, fifo: last_lines(fifo, 30, 1 << 16),
    "OpenRC's log": lambda folder, _fifo: OpenRC("k3s", str(folder)).log(0.0, 10),
}


@pytest.mark.parametrize("place", READERS)
def test_it_is_not_waited_for(tmp_path: Path, place: str) -> None:
    fifo = tmp_path / "docker.io/hosts.toml"
    (tmp_path / "var/log").mkdir(parents=True)
    fifo.parent.mkdir()
    os.mkfifo(fifo)
    os.mkfifo(tmp_path / "var/log/k3s.log")
    ended = []

    def read() -> None:
        try:
            READERS[place](tmp_path, str(fifo))
        except (OSError, Failure) as problem:
            ended.append(str(problem))
        else:
            ended.append("")

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert ended, "it hangs"
    assert ended[0] == "" or "not a regular file" in ended[0]
