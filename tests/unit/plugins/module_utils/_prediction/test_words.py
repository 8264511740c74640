# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node says of differences holds no password, wherever somebody has put one: Ansible prints it at -vvv."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import words
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import (
    CONFIG_TOML,
    DIFFERS,
    MISSING,
    Difference,
)

CANARY = "CANARY7f3a91c4"
NAME = "admin:%s@registry.test" % CANARY
TEXT = 'server = "https://%s/v2"\n' % NAME


@pytest.mark.parametrize("kind", [MISSING, DIFFERS, "unexpected"])
@pytest.mark.parametrize("file", [CONFIG_TOML, "certs.d/%s/hosts.toml" % NAME])
def test_a_password_in_the_name_of_a_registry_is_not_said(file: str, kind: str) -> None:
    difference = Difference(file=file, kind=kind, registry=NAME, found="password", wanted=TEXT)
    said = [words.sentences([difference]), words.listed([difference], "/certs.d", "/config.toml")]
    said.append(words.diff_lines([difference]))
    assert CANARY not in str(said)
    assert "registry.test" in str(said)
