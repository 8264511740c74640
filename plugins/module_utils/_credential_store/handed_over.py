# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the credential store hands over to those who install credential providers: its program and its entry in the
kubelet's configuration. Neither holds a secret, and neither changes when a password does."""

from __future__ import annotations

import hashlib
import pkgutil
from typing import NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider

from . import provider_program
from .interpreter import first_line


class HandedOver(NamedTuple):
    """``program`` is the content of the executable file that ``provider`` describes."""

    program: bytes
    provider: Provider


def handed_over(interpreter: str, store_path: str, registries: Sequence[str]) -> HandedOver | None:
    """The program and its entry for a node; None if nothing is stored, so that there is nothing to ask it for.

    :param interpreter: of the node, see ``interpreter.py``.
    :param registries: those that are stored. The kubelet starts the program for their images, and no others.
    """
    if not registries:
        return None
    program = program_text(interpreter)
    checksum = hashlib.sha256(program).hexdigest()
    return HandedOver(program, Provider(provider_program.NAME, checksum, tuple(sorted(registries)), args=(store_path,)))


def program_text(interpreter: str) -> bytes:
    """The provider's program as it lies on a node."""
    package, _dot, name = provider_program.__name__.rpartition(".")
    source = pkgutil.get_data(package, name + ".py")
    if source is None:
        raise RuntimeError("the source of %s was not shipped with the module" % name)
    return first_line(interpreter).encode("utf-8") + source
