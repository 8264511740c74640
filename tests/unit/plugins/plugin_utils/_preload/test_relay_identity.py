# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a relay and its site know each other by: each host has a token of its own, and nothing is told by accident."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload import relay_identity
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.relay_identity import Running


def test_each_run_and_each_host_has_its_own() -> None:
    one, other = relay_identity.new_identity(), relay_identity.new_identity()
    assert len({one.secret, other.secret, one.key, other.key, one.certificate, other.certificate}) == 6
    tokens = {relay_identity.token_of(one.secret, host) for host in ("edge-1", "edge-2")}
    assert len(tokens) == 2
    assert relay_identity.token_of(one.secret, "edge-1") in tokens
    run = relay_identity.run_of("berlin", one.secret)
    assert one.secret not in run
    assert run != relay_identity.run_of("paris", one.secret)


def test_only_this_user_can_read_what_is_remembered(tmp_path: Path) -> None:
    running = Running("192.0.2.7", 6440, "the certificate", "5ec2e7")
    assert relay_identity.recall(str(tmp_path), "berlin") is None
    relay_identity.remember(str(tmp_path), "berlin", running)
    [path] = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert relay_identity.recall(str(tmp_path), "berlin") == running
    assert relay_identity.recall(str(tmp_path), "paris") is None
    assert relay_identity.forget(str(tmp_path), "berlin") == running
    assert list(tmp_path.iterdir()) == []


def test_without_cryptography_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_identity, "HAS_CRYPTOGRAPHY", False)
    with pytest.raises(AnsibleError, match="cryptography is not installed on the controller.*pip install cryptography"):
        relay_identity.new_identity()
