# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what the controller knows a node's snapshot again: a salted digest of everything that decides what the node gets.

The node shows it in what it prints, which Ansible's connection plugins show with ``-vvv``, and it is made of passwords
too. So it takes a while to compute, and nobody can try passwords against the digests of several configurations at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Iterator, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.once import once

ROUNDS = 100_000
_SALT_BYTES = 16
_PLUGINS = os.path.join(os.path.dirname(__file__), "..", "..")
_NOT_OF_THE_CONFIGURATION = ("key", "snapshot", "prepared", "programs")


def salt_of_the_run(folder: str, parts: list[str], known: str = "") -> str:
    """The salt that this run gives to new snapshots of one configuration: of the first node that has a good one, else a
    new one. Each salt takes a digest of its own.

    :param folder: Ansible's temporary folder of this run.
    :param parts: what tells this configuration from others.
    :param known: the salt of a snapshot of this configuration.
    """
    salt: str = once(folder, ["snapshot's salt", *parts], lambda: known or os.urandom(_SALT_BYTES).hex())
    return salt


def text_of(told: Mapping[str, Any], folder: str) -> str:
    """Everything that decides what a node gets, as text. It holds secrets.

    :param told: the module's arguments. What its certificates say of themselves is left out where it changes by itself.
    """
    arguments = {key: value for key, value in told.items() if key not in _NOT_OF_THE_CONFIGURATION}
    wanted = json.loads(told["prepared"])
    for certificate in wanted["certificates"]:
        certificate.pop("days_left", None)
    return json.dumps([_code(folder), arguments, wanted], sort_keys=True)


def digest(text: str, salt: str) -> str:
    """The digest of a configuration's text."""
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.pbkdf2_hmac("sha256", encoded, bytes.fromhex(salt), ROUNDS).hex()


def _code(folder: str) -> str:
    """The collection's code: another version asks every node in full once."""
    found: str = once(folder, ["the collection's code"], _read_code)
    return found


def _read_code() -> str:
    found = hashlib.sha256()
    for path in sorted(_sources()):
        with open(path, "rb") as handle:
            content = handle.read()
        found.update(b"%s %d\n" % (os.path.relpath(path, _PLUGINS).encode("utf-8"), len(content)) + content)
    return found.hexdigest()


def _sources() -> Iterator[str]:
    for folder, _folders, names in os.walk(_PLUGINS):
        for name in names:
            if name.endswith(".py"):
                yield os.path.join(folder, name)
