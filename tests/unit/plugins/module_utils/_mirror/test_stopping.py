# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is told to end waits for no server, at whatever moment of a connection it is told."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror import session
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.archive import Workspace
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.client import RegistryClient
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.ends import Ends
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import Request
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import Place


def test_a_connection_that_is_being_made_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = "127.0.0.1:%d" % silent.getsockname()[1]
        client = RegistryClient(Access(host, "http"), "src", 0, 60.0, threading.Event().wait)
        real = session.connect

        def connect_and_be_told_to_end(*arguments: object) -> object:
            stream = real(*arguments)
            client.stop()
            return stream

        monkeypatch.setattr(session, "connect", connect_and_be_told_to_end)
        # The server never answers: a connection that stays would be waited for until its deadline.
        with pytest.raises(RegistryFailure) as failure:
            client.head("team/app", "1")
        assert failure.value.cause == "stopped"
        accepted, _address = silent.accept()
        with accepted:
            accepted.settimeout(10)
            assert accepted.recv(1) == b""


def test_no_registry_is_asked_afterwards(tmp_path: Path) -> None:
    place = Place("http", "127.0.0.1:9", "team/app", "1")
    with Ends(Request("plan", "token"), Workspace(str(tmp_path))) as ends:
        ends.stop()
        with pytest.raises(RegistryFailure) as failure:
            ends.client("src", place)
    assert failure.value.cause == "stopped"
